"""Group D of the fault catalogue: merges, links and moves, each row on its whole way."""

from collections.abc import Generator
from datetime import timedelta
from pathlib import Path

import pytest

from adapter.hl7v2.ack import Fault
from adapter.monitor import Monitor
from adapter.store.incidents import Incidents
from tests.integration.identity_stand import Sender, World, mrg, patient_id, pid, pv1, visit_id, world

A, B, C = (patient_id(number) for number in ("A1", "B1", "C1"))


@pytest.fixture
def it(tmp_path: Path) -> Generator[World]:
    with world(tmp_path) as made:
        yield made


@pytest.fixture
def his() -> Sender:
    return Sender()


def linked(it: World, number: str) -> dict[str, str]:
    """The links of a Patient: type by id."""
    links = it.read("Patient", number).get("link", [])
    return {one["other"]["reference"].removeprefix("Patient/"): one["type"] for one in links}


def test_d12_merge_of_an_unknown_number_waits_and_goes_on_when_the_number_comes(it: World, his: Sender) -> None:
    it.take(his.person("B1"), his.adt("A40", pid("B1"), mrg("A1")), his.result("B1", "1"))
    assert it.states == [("mapped", ""), ("held", "H2F-3101"), ("mapped", "")]
    assert it.causes == ["MRG-1: this number is not known"]
    it.take(his.result("A1", "2"))
    assert {state for state, _ in it.states} == {"mapped"}
    assert it.subjects() == {B}


def test_d12_d19_what_waits_for_a_day_and_what_crosses_authorities_are_incidents(
    it: World, his: Sender, tmp_path: Path
) -> None:
    it.take(his.person("B1"), his.adt("A40", pid("B1"), mrg("A1")))
    it.take(his.adt("A40", pid("B1"), mrg("A1", site="LSCH")))
    noted = Incidents(it.database, lambda: it.now)

    def look(later: timedelta) -> set[str]:
        Monitor(it.database, noted, it.catalog.sites, clock=lambda: it.now + later, data=tmp_path).look()
        noted.flush()
        return {kind for (kind,) in it.rows("SELECT kind FROM incident WHERE ended_at IS NULL")} - {"disk_low"}

    assert look(timedelta(hours=23)) == {"held", "merge_across_authorities"}
    assert look(timedelta(hours=25)) == {"held", "merge_across_authorities", "identity_overdue"}


def test_d12_d14_answer_that_waits_for_the_worker_says_condition_and_place(it: World, his: Sender) -> None:
    it.take(his.person("B1"), his.adt("A40", pid("B1"), mrg("A1")), his.adt("A40", pid("B1"), mrg("B1")))
    held = it.rows("SELECT cause_code, cause, mender FROM message WHERE state = 'held' ORDER BY id")
    faults = [Fault.held(*row) for row in held]
    assert [(one.condition, str(one.at)) for one in faults] == [("204", "MRG-1"), ("205", "MRG-1")]


def test_d13_merge_into_an_unknown_number_waits_and_keeps_back_nobody(it: World, his: Sender) -> None:
    it.take(his.person("A1"), his.adt("A40", pid("B1"), mrg("A1")))
    assert (it.states[-1], it.causes) == (("held", "H2F-3101"), ["PID-3: this number is not known"])
    it.take(his.person("B1"))
    assert {state for state, _ in it.states} == {"mapped"}
    assert linked(it, A) == {B: "replaced-by"}


def test_d14_merge_into_itself_is_held_and_changes_nothing(it: World, his: Sender) -> None:
    it.take(his.person("A1"))
    before = it.content()
    it.take(his.adt("A40", pid("A1"), mrg("A1")))
    assert it.states[-1] == ("held", "H2F-3102")
    assert it.content() == before


def test_d15_merge_against_an_earlier_one_is_held_and_changes_nothing(it: World, his: Sender) -> None:
    it.take(his.person("A1"), his.person("B1"), his.adt("A40", pid("B1"), mrg("A1")))
    before = it.content()
    it.take(his.adt("A40", pid("A1"), mrg("B1")))
    assert it.states[-1] == ("held", "H2F-3103")
    assert it.content() == before


def test_d16_chain_leads_to_its_end(it: World, his: Sender) -> None:
    it.take(*(his.person(number) for number in ("A1", "B1", "C1")), his.result("A1", "1", visit="V1"))
    it.take(his.adt("A40", pid("B1"), mrg("A1")), his.adt("A40", pid("C1"), mrg("B1")), his.result("A1", "2"))
    assert {state for state, _ in it.states} == {"mapped"}
    assert (linked(it, A), linked(it, B)) == ({C: "replaced-by"}, {A: "replaces", C: "replaced-by"})
    assert it.subjects() == it.subjects("Encounter") == {C}


def test_d17_same_merge_again_does_nothing_and_is_noted(it: World, his: Sender) -> None:
    it.take(his.person("A1"), his.person("B1"))
    it.take(his.adt("A40", pid("B1"), mrg("A1"), minute=30))
    before = it.content()
    it.take(his.adt("A40", pid("B1"), mrg("A1"), minute=30))
    assert it.states[-1] == ("mapped", "")
    assert it.content() == before
    assert ("MRG-1", "merged-again") in it.found
    assert it.rows("SELECT action FROM identity_journal ORDER BY id") == [("applied",), ("again",)]


def test_d18_number_that_was_merged_elsewhere_is_held(it: World, his: Sender) -> None:
    it.take(*(his.person(number) for number in ("A1", "B1", "C1")), his.adt("A40", pid("B1"), mrg("A1")))
    it.take(his.adt("A40", pid("C1"), mrg("A1")))
    assert it.states[-1] == ("held", "H2F-3104")
    assert linked(it, A) == {B: "replaced-by"}


@pytest.mark.parametrize(
    ("into", "ended"),
    [
        pytest.param("B1^^^FAHZU^MR", ("held", "H2F-3105"), id="two authorities"),
        pytest.param("B1^^^LSCH^MR~ATLI-901^^^TLI2017^ANON", ("held", "H2F-3105"), id="both another hospital's"),
        pytest.param("B1^^^LSCH^MR", ("rejected", "H2F-2107"), id="nothing of its own"),
    ],
)
def test_d19_merge_across_authorities_is_held_or_refused(
    it: World, his: Sender, into: str, ended: tuple[str, str]
) -> None:
    it.take(his.person("B1"), Sender("LSCH").person("A1"), Sender("LSCH", 1).person("B1"))
    before = it.content()
    it.take(his.adt("A40", f"PID|1||{into}||赵^试九〇一||19541202|M", mrg("A1", site="LSCH")))
    assert it.states[-1] == ended
    assert it.content() == before


def test_d20_one_bad_group_holds_the_whole_message(it: World, his: Sender) -> None:
    it.take(*(his.person(number) for number in ("A1", "B1", "C1")))
    before = it.content()
    it.take(his.adt("A40", pid("B1"), mrg("A1"), pid("C1"), mrg("X9")))
    assert it.causes == ["MRG[2]-1: this number is not known"]
    assert it.content() == before


def test_d21_what_comes_for_a_retired_number_goes_to_the_survivor(it: World, his: Sender) -> None:
    it.take(his.person("A1"), his.person("B1"), his.adt("A40", pid("B1"), mrg("A1")))
    it.take(his.result("A1", "1", visit="V1"))
    assert it.states[-1] == ("mapped", "")
    assert it.subjects() == it.subjects("Encounter") == {B}
    assert ("PID-3", "retired-id") in it.found
    assert it.rows("SELECT DISTINCT patient_id FROM resource WHERE resource_type = 'Observation'") == [(B,)]


@pytest.mark.parametrize("event", ["A24", "A37"])
def test_d25_link_of_an_unknown_number_waits(it: World, his: Sender, event: str) -> None:
    it.take(his.person("A1"), his.adt(event, pid("A1"), pid("B1")))
    assert it.states[-1] == ("held", "H2F-3101")
    it.take(his.person("B1"))
    assert {state for state, _ in it.states} == {"mapped"}


def test_d25_change_of_an_unknown_number_waits_and_the_new_number_need_not_be_known(it: World, his: Sender) -> None:
    it.take(his.adt("A47", pid("B1"), mrg("A1")))
    assert it.states == [("held", "H2F-3101")]
    it.take(his.result("A1", "1"))
    assert {state for state, _ in it.states} == {"mapped"}
    assert it.subjects() == {B}


def test_d26_move_of_an_unknown_visit_waits_for_it(it: World, his: Sender) -> None:
    it.take(his.person("A1"), his.adt("A45", pid("B1"), mrg("A1", visit="V1"), pv1("V1"), minute=50))
    assert it.states[-1] == ("held", "H2F-3107")
    assert it.causes == ["PV1-19: what moves is not known"]
    it.take(his.adt("A01", pid("A1"), pv1("V1")), his.result("A1", "1", visit="V1"))
    assert {state for state, _ in it.states} == {"mapped"}
    assert it.subjects("Encounter") == it.subjects() == {B}


def test_moved_visit_takes_its_results_with_it_and_leaves_the_others(it: World, his: Sender) -> None:
    it.take(his.adt("A01", pid("A1"), pv1("V1")), his.result("A1", "1", visit="V1"), his.result("A1", "2"))
    it.take(his.adt("A45", pid("B1"), mrg("A1", visit="V1"), pv1("V1")))
    assert it.subjects("Encounter") == {B}
    assert it.subjects() == {A, B}


def test_d27_visit_number_of_another_patient_is_held(it: World, his: Sender) -> None:
    it.take(his.adt("A01", pid("A1"), pv1("V1")), his.result("B1", "1", visit="V1"))
    assert it.states[-1] == ("held", "H2F-3108")
    assert it.causes == ["PV1-19: this is the number of another patient's visit"]
    assert it.all("Observation") == []
    assert it.read("Encounter", visit_id("V1"))["subject"] == {"reference": f"Patient/{A}"}


def test_linked_and_unlinked_records_both_stay(it: World, his: Sender) -> None:
    it.take(his.person("A1"), his.person("B1"), his.adt("A24", pid("A1"), pid("B1")))
    assert (linked(it, A), linked(it, B)) == ({B: "seealso"}, {A: "seealso"})
    it.take(his.adt("A37", pid("A1"), pid("B1")))
    assert (linked(it, A), linked(it, B)) == ({}, {})


def test_merged_visits_are_one(it: World, his: Sender) -> None:
    it.take(his.adt("A01", pid("A1"), pv1("V1")), his.adt("A01", pid("A1"), pv1("V2")))
    it.take(his.result("A1", "1", visit="V1"))
    it.take(
        his.adt("A42", pid("A1"), "MRG|A1^^^FAHZU^MR||||V1^^^FAHZU^VN", pv1("V2")), his.result("A1", "2", visit="V1")
    )
    assert {state for state, _ in it.states} == {"mapped"}
    assert {one["encounter"]["reference"] for one in it.all("Observation")} == {f"Encounter/{visit_id('V2')}"}
    assert it.read("Encounter", visit_id("V1"))["status"] == "entered-in-error"
