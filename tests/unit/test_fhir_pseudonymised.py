"""The allow-list of the pseudonymised view: what it shows of a value, and what is wrong in the file."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from adapter.errors import MappingError
from adapter.fhir.pseudonymised import load_projection
from tests.integration.api_stand import INDEX, PROFILES, PROJECTION, definitions

UCUM = "http://unitsofmeasure.org"
LOINC = {"system": "http://loinc.org", "code": "718-7"}


def name(kind: str, number: str) -> str:
    return f"view-of-{kind}-{number}"


def shown(**elements: Any) -> dict[str, Any] | None:
    said = {"resourceType": "Observation", "id": "1", "status": "final", "code": {"coding": [LOINC]}}
    return PROJECTION.of(said | elements, name)


def element(**elements: Any) -> Any:
    (key,) = elements
    return (shown(**elements) or {}).get(key)


def test_a_reference_leads_to_the_id_of_the_view_and_says_no_more():
    said = {"reference": "Patient/7", "display": "somebody", "identifier": {"value": "00A1"}}
    assert element(subject=said) == {"reference": "Patient/view-of-Patient-7"}


@pytest.mark.parametrize("reference", ["Practitioner/7", "#inside", "urn:uuid:7", "https://example.org/Patient/7", ""])
def test_a_reference_to_what_the_view_has_not_is_left_out(reference: str):
    assert element(subject={"reference": reference}) is None


def test_codes_of_unknown_systems_and_all_texts_are_left_out():
    said = {
        "coding": [{**LOINC, "display": "Hb"}, {"system": "https://example.org", "code": "x"}],
        "text": "Hb of Zhang",
    }
    assert element(code=said) == {"coding": [LOINC]}


def test_a_result_without_a_code_that_is_known_is_not_shown():
    assert shown(code={"text": "haemoglobin"}) is None


@pytest.mark.parametrize(
    ("said", "stays"),
    [
        pytest.param({"value": 7, "unit": "grams", "system": UCUM, "code": "g/L"}, "g/L", id="its code is the unit"),
        pytest.param({"value": 7, "unit": "of Zhang"}, None, id="a unit that is only a text"),
        pytest.param({"value": 7, "unit": "x", "system": UCUM, "code": "g{Zhang}"}, None, id="a text within the unit"),
    ],
)
def test_a_quantity_has_a_unit_of_ucum(said: dict[str, Any], stays: str | None):
    kept = element(valueQuantity=said)
    assert kept == ({"value": 7, "unit": stays, "system": UCUM, "code": stays} if stays else None)


@pytest.mark.parametrize(
    "text", ["46,XY,t(8;21)(q22;q22.1)", "HLA-A*02:03+HLA-A*11:01", "DON-ATLI-03", "Heart failure"]
)
def test_a_text_of_an_allowed_form_is_shown(text: str):
    assert element(valueString=text) == text


@pytest.mark.parametrize("text", ["46,XY,zhang", "Heart failure of Zhang", "HLA-A*02:03 Zhang", "13800000000", ""])
def test_any_other_text_is_not(text: str):
    assert element(valueString=text) is None


def test_what_an_unknown_modifier_says_hides_the_resource():
    assert shown(modifierExtension=[{"url": "https://example.org/not", "valueBoolean": True}]) is None


@pytest.mark.parametrize(
    ("line", "wrong", "text"),
    [
        pytest.param("  Patient:", "  Pateint:", "Pateint is no served type", id="type"),
        pytest.param("    birthDate: year", "    birthdate: year", "did you mean birthDate", id="element"),
        pytest.param("    birthDate: year", "    birthDate: month", "the value 'year'", id="how"),
        pytest.param("    birthDate: year", "    name:", "a HumanName cannot be shown", id="datatype"),
        pytest.param("texts:", "text:", "unknown key 'text'", id="key"),
    ],
)
def test_what_is_wrong_in_the_file_is_told_with_its_line(tmp_path: Path, line: str, wrong: str, text: str):
    file = tmp_path / "pseudonymised.yaml"
    shutil.copy(PROFILES / file.name, file)
    lines = file.read_text().splitlines()
    number = lines.index(line)
    lines[number] = wrong
    file.write_text("\n".join(lines))
    with pytest.raises(MappingError) as told:
        load_projection(tmp_path, INDEX.parameters, definitions())
    assert text in str(told.value)
    assert f"{file}:{number + 1}" in str(told.value)
