"""What R4 has, what only R4B has, and what a resource may hold."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from adapter.fhir import r4

EXAMPLES = Path(__file__).parents[2].parent / "shared" / "domain" / "examples"


@pytest.mark.parametrize(
    ("path", "types", "many", "required"),
    [
        ("Patient.name", ("HumanName",), True, False),
        ("Patient.birthDate", ("date",), False, False),
        ("Observation.valueQuantity", ("Quantity",), False, False),
        ("Observation.component.valueQuantity.value", ("decimal",), False, False),
        ("Encounter.period.start", ("dateTime",), False, False),
        ("Encounter.statusHistory", ("BackboneElement",), True, False),
        ("MedicationAdministration.dosage.dose", ("Quantity",), False, False),
        ("MedicationAdministration.medication[x]", ("CodeableConcept", "Reference"), False, True),
        ("Observation.status", ("code",), False, True),
        ("Attachment.data", ("base64Binary",), False, False),
    ],
)
def test_an_element_is_found_with_its_type(path: str, types: tuple[str, ...], many: bool, required: bool) -> None:
    found = r4.element(path)
    assert (found.types, found.many, found.required) == (types, many, required)


def test_a_choice_has_all_its_names() -> None:
    found = r4.element("Observation.value[x]")
    assert dict(zip(found.names, found.types, strict=True))["valueDateTime"] == "dateTime"
    assert len(found.names) == 11


def test_a_code_has_the_codes_of_its_required_binding() -> None:
    assert r4.element("Patient.gender").binding == {"male", "female", "other", "unknown"}
    assert "finished" in (r4.element("Encounter.status").binding or ())
    assert "maiden" in (r4.element("Patient.name.use").binding or ())
    assert r4.element("Patient.birthDate").binding is None


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("Patient.birthdate", "birthDate"),
        ("Observation.valueQuantiti", "valueQuantity"),
        ("Observatoin.code", "Observation"),
        ("Encounter.period.stat", "start"),
        ("Patient.birthDate.year", "no elements"),
    ],
)
def test_an_unknown_element_is_refused_with_the_nearest(path: str, hint: str) -> None:
    with pytest.raises(r4.UnknownElement) as caught:
        r4.element(path)
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    "path",
    ["Citation.title", "PlanDefinition.subjectCanonical", "Extension.valueCodeableReference", "Task.input.valueMeta",
     "EvidenceVariable.name"],
)  # fmt: skip
def test_what_only_r4b_has_is_refused(path: str) -> None:
    with pytest.raises(r4.UnknownElement, match="R4B"):
        r4.element(path)


def test_required_elements_name_choices_as_the_standard_does() -> None:
    assert set(r4.required_elements("MedicationAdministration")) == {
        "status",
        "medication[x]",
        "subject",
        "effective[x]",
    }
    assert r4.required_elements("Patient") == ()


@pytest.mark.parametrize(
    ("resource", "where"),
    [
        ({"resourceType": "Patient", "gender": "男"}, "Patient.gender"),
        ({"resourceType": "Patient", "name": [{"use": "formal"}]}, "Patient.name.use"),
        ({"resourceType": "Observation", "status": "final"}, "Observation.code"),
        ({"resourceType": "Patient", "birthDate": "1950-13-45"}, "Patient.birthDate"),
        ({"resourceType": "Patient", "colour": "red"}, "Patient.colour"),
        ({"resourceType": "Citation"}, "Citation"),
        ({}, "None"),
        ({"resourceType": "Patient", "contained": [{"resourceType": "Patient", "gender": "x"}]}, "Patient.gender"),
        ({"resourceType": "Patient", "extension": [{"url": "x", "valueRatioRange": {}}]}, "R4B only"),
    ],
)
def test_a_resource_that_is_not_r4_is_told_where(resource: dict[str, object], where: str) -> None:
    problems = r4.validate(resource)
    assert any(where in problem for problem in problems)
    assert not any("男" in problem or "1950-13" in problem for problem in problems)


def test_decimals_are_accepted_as_they_are() -> None:
    quantity = {"value": Decimal("0.70"), "unit": "mg"}
    code = {"text": "x"}
    assert (
        r4.validate({"resourceType": "Observation", "status": "final", "code": code, "valueQuantity": quantity}) == []
    )


def test_the_checked_examples_are_accepted() -> None:
    if not EXAMPLES.is_dir():
        pytest.skip(f"{EXAMPLES} is not here")
    files = sorted(EXAMPLES.glob("*.json"))
    assert len(files) > 50
    assert {file.name: found for file in files if (found := r4.validate(json.loads(file.read_bytes())))} == {}
