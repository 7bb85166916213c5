"""The table that says which resources a profile is about."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from adapter.data import data_folder
from adapter.errors import MappingError
from adapter.fhir.applies import load_applications
from adapter.fhir.search_params import load
from adapter.fhir.search_values import number_range

PROFILES = data_folder("profiles")
INDEX = load(PROFILES)
SUBJECT = "https://fhir.tli-trial.example.org/NamingSystem/tli-subject"


def profiles_of(resource: dict[str, Any]) -> set[str]:
    return {one.profile for one in load_applications(PROFILES, INDEX) if one.fits(resource, INDEX)}


def test_a_profile_is_about_the_resources_that_its_search_finds() -> None:
    temperature = {"coding": [{"system": "http://loinc.org", "code": "8310-5"}]}
    assert profiles_of({"resourceType": "Observation", "code": temperature}) == {"tli-body-temperature"}
    assert profiles_of({"resourceType": "Observation", "code": {"text": "8310-5"}}) == set()


def test_a_system_alone_means_all_its_codes() -> None:
    assert profiles_of({"resourceType": "Patient", "identifier": [{"system": SUBJECT, "value": "1"}]}) == {
        "tli-patient"
    }


@pytest.mark.parametrize(
    ("row", "hint"),
    [
        ("no-such,Patient,x", "no StructureDefinition-no-such"),
        ("tli-patient,Patient?colour=x|y,x", "no token parameter 'colour'"),
        ("tli-patient,Patient", "has 2 cells"),
    ],
)
def test_a_wrong_row_is_told_with_its_line(tmp_path: Path, row: str, hint: str) -> None:
    shutil.copy(PROFILES / "StructureDefinition-tli-patient.json", tmp_path)
    (tmp_path / "applies.csv").write_text(f"profile,resources,source\n{row}\n")
    with pytest.raises(MappingError, match=hint) as caught:
        load_applications(tmp_path, INDEX)
    assert "applies.csv:2" in str(caught.value)


def test_a_day_of_the_protocol_is_found_as_a_number() -> None:
    day = {"url": "https://fhir.tli-trial.example.org/StructureDefinition/tli-study-day", "valueInteger": -10}
    rows = INDEX.rows({"resourceType": "Procedure", "id": "p", "extension": [day]})
    assert rows.dates == (("study-day", -10_000_000, -10_000_000),)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("7", (6_500_000, 7_499_999)),
        ("-10", (-10_500_000, -9_500_001)),
        ("0.25", (245_000, 254_999)),
        ("seven", None),
        ("1e3", None),
    ],
)
def test_a_number_means_what_its_last_digit_leaves_open(text: str, found: tuple[int, int] | None) -> None:
    assert number_range(text) == found
