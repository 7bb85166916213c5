from pathlib import Path
from typing import Any

import pytest

from adapter.errors import MappingError
from adapter.fhir import r4
from adapter.mapper.ids import resource_id
from adapter.trial.study import load_study, subject_number, tie, untie
from tests.store_stand import MAPPINGS, MRN, STUDY_RULES, SUBJECT

CORE = "http://hl7.org/fhir/StructureDefinition/workflow-researchStudy"
OWN = "https://fhir.tli-trial.example.org/StructureDefinition/tli-research-study"
STUDY = {"reference": "ResearchStudy/tli-trial"}
COURSES = STUDY_RULES.courses
COURSE = {"reference": f"EpisodeOfCare/{resource_id('EpisodeOfCare', COURSES.number, 'ATLI-901/IND1')}"}
IN_COURSE = {"url": COURSES.extension, "valueReference": COURSE}


def tied_of(resource: dict[str, Any]) -> dict[str, Any]:
    return tie(resource, "ATLI-901", lambda _: None, study=STUDY_RULES, identify=resource_id)


def marked(kind: str, phase: str) -> dict[str, Any]:
    coding = {"system": COURSES.phase_system, "code": phase}
    return {
        "resourceType": kind,
        "extension": [{"url": COURSES.mark, "valueCodeableConcept": {"coding": [coding]}}],
    }


@pytest.mark.parametrize("kind", sorted(COURSES.types))
def test_resource_that_names_its_course_is_bound_to_it_once(kind: str):
    tied = tied_of(marked(kind, "IND1"))
    assert tied["extension"].count(IN_COURSE) == 1
    assert tied_of(tied) is tied


def test_administration_is_of_the_course_and_keeps_the_stay_beside_it():
    stay = {"reference": "Encounter/1"}
    tied = tied_of({**marked("MedicationAdministration", "IND1"), "context": stay})
    assert (tied["context"], tied["supportingInformation"]) == (COURSE, [stay])
    assert tied_of(tied) is tied


@pytest.mark.parametrize(
    "kind", sorted({*COURSES.types, *COURSES.contexts, *STUDY_RULES.extensions, *STUDY_RULES.elements})
)
@pytest.mark.parametrize("phase", ["IND1", "MOB"])
def test_what_is_untied_is_as_it_was_before(kind: str, phase: str):
    told = {**marked(kind, phase), "note": [{"text": "x"}]}
    beside = {"supportingInformation": [{"reference": "Medication/1"}], "context": {"reference": "Encounter/1"}}
    for resource in (told, {**told, **beside}, {"resourceType": kind}):
        assert untie(tied_of(resource), study=STUDY_RULES) == resource
        assert untie(resource, study=STUDY_RULES) is resource


@pytest.mark.parametrize("kind", ["Observation", "MedicationAdministration"])
def test_mark_of_a_donor_is_no_course(kind: str):
    tied = tied_of(marked(kind, "MOB"))
    assert "context" not in tied
    assert COURSES.extension not in [one["url"] for one in tied["extension"]]


def test_types_that_are_bound_to_courses_have_the_elements_in_r4():
    assert all(r4.element(f"{kind}.extension").many for kind in COURSES.types)
    assert all("Reference" in r4.element(f"{kind}.context").types for kind in COURSES.contexts)


@pytest.mark.parametrize(
    ("kind", "url"), [("Observation", CORE), ("Encounter", CORE), ("Condition", OWN), ("Specimen", OWN)]
)
def test_resource_carries_the_extension_that_r4_allows_on_its_type(kind: str, url: str):
    other = {"url": "https://example.org/other", "valueString": "kept"}
    tied = tied_of({"resourceType": kind, "id": "1", "extension": [other]})
    assert tied["extension"] == [other, {"url": url, "valueReference": STUDY}]


def test_types_with_an_element_of_their_own_use_it():
    assert tied_of({"resourceType": "AdverseEvent"})["study"] == [STUDY]
    assert tied_of({"resourceType": "ResearchSubject"})["study"] == STUDY


def test_type_that_cannot_say_so_is_left_alone():
    patient = {"resourceType": "Patient", "id": "1"}
    assert tied_of(patient) is patient


@pytest.mark.parametrize("kind", ["Observation", "Condition", "AdverseEvent", "ResearchSubject"])
def test_tying_twice_is_tying_once(kind: str):
    tied = tied_of({"resourceType": kind, "id": "1"})
    assert tied_of(tied) is tied


def test_resource_itself_is_not_changed():
    resource = {"resourceType": "Observation", "id": "1"}
    tied_of(resource)
    assert resource == {"resourceType": "Observation", "id": "1"}


def test_number_is_found_among_a_patients_identifiers():
    identifiers = [{"system": MRN, "value": "1"}, {"system": SUBJECT, "value": "ATLI-901"}]
    assert subject_number({"identifier": identifiers}, STUDY_RULES) == "ATLI-901"
    assert subject_number({"identifier": identifiers[:1]}, STUDY_RULES) is None


def test_every_type_in_study_yaml_exists_in_r4():
    for kind in STUDY_RULES.extensions:
        assert r4.element(f"{kind}.extension").many
    for kind, (name, many) in STUDY_RULES.elements.items():
        assert r4.element(f"{kind}.{name}").many is many


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("study: ResearchStudy/", "study: Study/", "study"),
        ("members:", "member:", "member"),
        ("number: many", "number: some", "elements"),
        ("phases: [", "phase: [", "courses"),
        ("    - Task\n", "    - Task\n    - Specimen\n", "extensions"),
    ],
)
def test_wrong_study_yaml_is_refused_with_its_line(tmp_path: Path, old: str, new: str, key: str):
    text = (MAPPINGS / "study.yaml").read_text().replace(old, new)
    (tmp_path / "study.yaml").write_text(text)
    with pytest.raises(MappingError) as refused:
        load_study(tmp_path)
    lines = text.splitlines()
    assert refused.value.line == 1 or lines[refused.value.line - 1].startswith(key)
