"""The plan of a course follows the definition of its arm and phase, whichever of the two is told first."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapter.fhir.json import loads
from adapter.mapper.engine import Mapped
from adapter.mapper.ids import resource_id
from adapter.store.database import Database
from adapter.trial.plans import REGISTRATION
from tests.store_stand import MAPPINGS, NOON, STUDY_RULES, SUBJECT, mapped, patient, stored, write

PLANS = STUDY_RULES.plans
AML, MDS = PLANS.definitions["AML"], PLANS.definitions["MDS"]
SUBJECT_ID = resource_id(REGISTRATION, SUBJECT, "ATLI-901")


def person() -> Mapped:
    return mapped(patient("p1", subject="ATLI-901"))


def registration(arm: str, *, order: str = "2018-03-01T08:00:00+08:00") -> Mapped:
    said: dict[str, Any] = {"status": "on-study", "individual": {"reference": "Patient/p1"}}
    arms = {"assignedArm": arm, "actualArm": arm} if arm else {}
    return mapped({"resourceType": REGISTRATION, "id": SUBJECT_ID, **said, **arms}, order, patient_id="p1")


def plan(phase: str) -> Mapped:
    category = [{"coding": [{"system": PLANS.phases, "code": phase}]}]
    said = {"status": "active", "intent": "plan", "subject": {"reference": "Patient/p1"}, "category": category}
    return mapped({"resourceType": "CarePlan", "id": f"c-{phase}", **said})


def followed(database: Database, phase: str = "IND1") -> list[str] | None:
    return stored(database, "CarePlan", f"c-{phase}").get("instantiatesCanonical")


def followed_if_stored(database: Database) -> list[str] | None:
    try:
        return followed(database)
    except IndexError:
        return None


@pytest.mark.parametrize("order", [(0, 1, 2), (0, 2, 1), (1, 2, 0), (2, 1, 0), (2, 0, 1)])
def test_definition_is_named_when_person_arm_and_phase_are_known(database: Database, order: tuple[int, ...]):
    said = [person(), registration("AML"), plan("IND1")]
    for number, place in enumerate(order, 1):
        write(database, said[place], message_id=number)
        assert number == 3 or not followed_if_stored(database)
    assert followed(database) == [AML["IND1"]]


def test_one_batch_ties_as_many_do(database: Database):
    write(database, plan("IND1"), plan("CSD2"), registration("MDS"), person())
    assert (followed(database), followed(database, "CSD2")) == ([MDS["IND1"]], [MDS["CSD2"]])


def test_corrected_arm_leads_to_its_own_definition(database: Database):
    write(database, person(), registration("AML"), plan("IND1"))
    later = registration("MDS", order="2018-03-02T08:00:00+08:00")
    write(database, later, message_id=2, now=NOON + timedelta(days=1))
    assert followed(database) == [MDS["IND1"]]


@pytest.mark.parametrize(("arm", "phase"), [("", "IND1"), ("HIST-IA", "IND1"), ("AML", "MOB")])
def test_no_definition_is_guessed(database: Database, arm: str, phase: str):
    write(database, person(), registration(arm), plan(phase))
    assert followed(database, phase) is None


def test_plan_of_the_same_words_makes_no_version(database: Database):
    write(database, person(), registration("AML"), plan("IND1"))
    assert write(database, person(), registration("AML"), plan("IND1"), message_id=2) == 0


def test_every_definition_is_a_plan_of_the_study_for_a_course_of_it():
    profiles = Path(MAPPINGS).parent / "profiles"
    known = {loads(file.read_bytes())["url"] for file in profiles.glob("PlanDefinition-tli-cycle-*.json")}
    assert {url for of_arm in PLANS.definitions.values() for url in of_arm.values()} == known
    assert all(set(of_arm) == STUDY_RULES.courses.phases for of_arm in PLANS.definitions.values())
