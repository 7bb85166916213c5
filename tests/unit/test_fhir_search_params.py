"""Search parameters as they load, and the rows a resource gets."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from adapter.data import data_folder
from adapter.errors import MappingError
from adapter.fhir import profiles, search_params
from adapter.fhir.fhirpath import NotUnderstood, compile_expression
from adapter.fhir.search_parameter import first_number, last_number
from adapter.fhir.search_values import LATEST

INDEX = search_params.load(data_folder("profiles"))
LISTED = {"_id", "_lastUpdated", "identifier", "patient", "subject", "code", "date", "status", "category", "study"}


def test_the_types_of_the_trial_have_the_parameters_that_r4_gives_them() -> None:
    assert set(INDEX.parameters["Observation"]) >= LISTED | {"encounter"}
    assert set(INDEX.parameters["MedicationAdministration"]) >= LISTED - {"date", "category"} | {"effective-time"}
    assert set(INDEX.parameters["ResearchSubject"]) >= {"study", "individual", "patient", "status", "date"}
    assert set(INDEX.parameters["Patient"]) >= {"identifier", "gender", "birthdate", "family", "name", "link"}
    assert set(INDEX.parameters["Condition"]) >= {"onset-date", "recorded-date", "study", "clinical-status"}
    for parameters in INDEX.parameters.values():
        assert set(parameters) >= {"_id", "_lastUpdated"}


def test_patient_and_subject_share_their_rows() -> None:
    rows = INDEX.rows({"resourceType": "Observation", "id": "o", "subject": {"reference": "Patient/p"}})
    assert rows.references == (("subject", "Patient", "p"),)
    patient = INDEX.parameters["Observation"]["patient"]
    assert (patient.stored_as, patient.target) == ("subject", "Patient")


def test_an_observation_has_a_row_for_each_of_its_values() -> None:
    coding = [{"system": "http://loinc.org", "code": "751-8"}, {"code": "NEUT"}, {"display": "no code"}]
    rows = INDEX.rows(
        {
            "resourceType": "Observation",
            "id": "o",
            "status": "final",
            "identifier": [{"system": "urn:x", "value": "R1"}, {"system": "urn:y"}],
            "code": {"coding": coding, "text": "neutrophils"},
            "effectivePeriod": {"start": "2019-06-27T06:20:00+08:00"},
            "extension": [
                {"url": "http://hl7.org/fhir/StructureDefinition/workflow-researchStudy",
                 "valueReference": {"reference": "ResearchStudy/tli-trial"}},
                {"url": "https://example.org/other", "valueReference": {"reference": "ResearchStudy/other"}},
            ],
        }
    )  # fmt: skip
    assert set(rows.tokens) == {
        ("status", "", "final"),
        ("identifier", "urn:x", "R1"),
        ("code", "http://loinc.org", "751-8"),
        ("code", "", "NEUT"),
    }
    assert rows.references == (("study", "ResearchStudy", "tli-trial"),)
    assert rows.dates == (("date", 1561587600000000, LATEST),)


def test_a_type_that_is_not_served_has_no_rows() -> None:
    assert INDEX.rows({"resourceType": "Basic", "id": "b", "code": {"text": "x"}}).tokens == ()


def folder(tmp_path: Path, **changes: Any) -> Path:
    served = {"rest": [{"resource": [{"type": changes.pop("served", "Observation")}]}]}
    (tmp_path / "CapabilityStatement-adapter.json").write_text(json.dumps(served))
    definition = {
        "resourceType": "SearchParameter", "url": "urn:x", "code": "x", "base": ["Observation"], "type": "token",
        "expression": "Observation.code",
    }  # fmt: skip
    (tmp_path / "SearchParameter-x.json").write_text(json.dumps(definition | changes))
    return tmp_path


def test_a_parameter_of_ones_own_is_one_file(tmp_path: Path) -> None:
    index = search_params.load(folder(tmp_path, expression="Observation.method"))
    resource = {"resourceType": "Observation", "id": "o", "method": {"coding": [{"code": "M"}]}}
    assert index.rows(resource).tokens == (("x", "", "M"),)


@pytest.mark.parametrize(
    ("changes", "hint"),
    [
        ({"expression": "Observation.cod"}, "no Observation.cod"),
        ({"expression": "Observation.code.first()"}, "first"),
        ({"expression": "Patient.name"}, "no branch"),
        ({"type": "quantity"}, "quantity"),
        ({"type": "date"}, "CodeableConcept cannot be searched as date"),
        ({"served": "Observatoin"}, "Observation"),
    ],
)
def test_a_wrong_parameter_stops_the_start_and_names_its_file(
    tmp_path: Path, changes: dict[str, Any], hint: str
) -> None:
    with pytest.raises(MappingError, match=r"\.json") as caught:
        search_params.load(folder(tmp_path, **changes))
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("expression", "resource", "values"),
    [
        ("(Observation.value as Period)", {"valuePeriod": {"end": "2019"}, "valueString": "b"}, [{"end": "2019"}]),
        ("Observation.value.ofType(string)", {"valueString": "b"}, ["b"]),
        ("Observation.effective.as(Period)", {"effectivePeriod": {"start": "2019"}}, [{"start": "2019"}]),
        ("Patient.name | Observation.component.code.text", {"component": [{"code": {"text": "a"}}, {}]}, ["a"]),
        ("Observation.note.where(text='x').time", {"note": [{"text": "x", "time": "2019"}, {"text": "y"}]}, ["2019"]),
    ],
)  # fmt: skip
def test_the_fhirpath_of_the_standards_definitions_is_followed(
    expression: str, resource: dict[str, Any], values: list[Any]
) -> None:
    paths = compile_expression(expression, "Observation")
    assert [value for path in paths for _, value in path.values(resource)] == values


def test_other_fhirpath_is_refused() -> None:
    with pytest.raises(NotUnderstood):
        compile_expression("Patient.deceased.exists() and Patient.deceased != false", "Patient")


def test_the_stores_own_resources_are_valid_and_refer_to_each_other() -> None:
    own = profiles.definitions(data_folder("profiles"))
    names = {f"{resource['resourceType']}/{resource['id']}" for resource in own}
    assert {"ResearchStudy/tli-trial", "Organization/fahzu", "Organization/lsch"} <= names
    references = [value for resource in own for value in strings_of(resource, "reference")]
    assert references
    assert set(references) <= names


def test_a_definition_whose_file_has_another_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "Organization-a.json").write_text('{"resourceType": "Organization", "id": "b"}')
    with pytest.raises(MappingError, match="Type-id"):
        profiles.definitions(tmp_path)


def strings_of(value: Any, name: str) -> list[str]:
    if isinstance(value, list):
        return [found for item in value for found in strings_of(item, name)]
    if isinstance(value, dict):
        own = [value[name]] if isinstance(value.get(name), str) else []
        return own + [found for item in value.values() for found in strings_of(item, name)]
    return []


def test_every_type_and_parameter_has_a_number_of_its_own() -> None:
    numbers = {
        parameter.number: (kind, parameter.stored_as)
        for kind, parameters in INDEX.parameters.items()
        for parameter in parameters.values()
        if parameter.written
    }
    for kind, parameters in INDEX.parameters.items():
        for parameter in parameters.values():
            if parameter.written:
                assert numbers[parameter.number] == (kind, parameter.stored_as)
            within = first_number(kind), last_number(kind)
            assert within[0] <= parameter.number <= within[1]


def test_every_parameter_of_r4_is_served_or_left_out_with_a_reason() -> None:
    table = (data_folder("profiles").parent / "docs" / "search-parameters.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(table.splitlines()))
    files = [json.loads(file.read_bytes()) for file in data_folder("profiles").glob("SearchParameter-*.json")]
    served = {one["id"] for one in files if one["url"].startswith("http://hl7.org/fhir/SearchParameter/")}
    assert served == {row["id"] for row in rows if not row["left_out_because"]}
    assert len(rows) > 500


def test_two_parameters_with_one_number_stop_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path)
    other = json.loads((tmp_path / "SearchParameter-x.json").read_text()) | {
        "code": "y",
        "expression": "Observation.method",
    }
    (tmp_path / "SearchParameter-y.json").write_text(json.dumps(other))
    monkeypatch.setattr(search_params, "parameter_number", lambda *_: 7)
    with pytest.raises(MappingError, match="has the number of Observation"):
        search_params.load(tmp_path)
