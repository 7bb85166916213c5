"""Group E of the fault catalogue: what visit events mean over time, in whatever order they come."""

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from tests.integration.catalogue_stand import Outcome, pass_through
from tests.integration.intake_stand import OBR, OBX, PID, message

NAME = "试^九〇一"
WARD, OTHER, THIRD = "HEM3^0302^01^FAHZU", "HEM5^0501^02^FAHZU", "ICU1^0001^01^FAHZU"
STRUCTURES = {
    **dict.fromkeys(["A01", "A04", "A08", "A13"], "ADT_A01"),
    **dict.fromkeys(["A11"], "ADT_A09"),
    **dict.fromkeys(["A23", "A29"], "ADT_A21"),
}
ADMITTED, MOVED, AGAIN, LEFT, BACK, LAST = (f"201712{day:02d}100000+0800" for day in (1, 2, 3, 4, 5, 6))


def adt(event: str, time: str, *, place: str = WARD, end: str = "", start: str = ADMITTED, **how: str) -> bytes:
    """An event of the one visit; `sent` is MSH-7 where it is another time."""
    sent, structure = how.get("sent", time), STRUCTURES.get(event, f"ADT_{event}")
    head = f"MSH|^~\\&|HIS|FAHZU|HUB|CENTRAL|{sent}||ADT^{event}^{structure}|{event}{sent[:14]}|P|2.5.1|||AL|NE|CHN"
    visit = "V171201001^^^FAHZU&2.16.840.1.113883.3.9999.1.01.2&ISO^VN"
    pv1 = "|".join(["PV1", "1", "I", place, *[""] * 15, visit, *[""] * 24, start, end])
    return message(head, f"EVN|{event}|{time}", how.get("pid", PID), pv1)


def visit(outcome: Outcome) -> dict[str, Any]:
    return outcome.only("Encounter")


def places(outcome: Outcome) -> list[tuple[str, str, str]]:
    """Where the patient was: the ward, from when, until when (days of December 2017)."""
    return [
        (
            one["location"]["display"].partition(" ")[0],
            one.get("period", {}).get("start", "")[8:10],
            one.get("period", {}).get("end", "")[8:10],
        )
        for one in visit(outcome)["location"]
    ]


def flags(outcome: Outcome) -> list[str]:
    """The flags of each message; all are of last month."""
    return [one["flags"].removeprefix("late").strip() for one in outcome.messages]


def mapped(outcome: Outcome) -> bool:
    return {(one["ack_code"], one["state"]) for one in outcome.messages} == {("CA", "mapped")}


def test_e20_result_before_admission_makes_a_patient_and_a_visit_that_the_admission_fills(tmp_path: Path) -> None:
    head = "MSH|^~\\&|LIS|FAHZU|HUB|CENTRAL|20171201090000+0800||ORU^R01^ORU_R01|L1|P|2.5.1|||AL|NE|CHN|UNICODE UTF-8"
    pv1 = f"PV1|1|I|{'|' * 16}V171201001^^^FAHZU&2.16.840.1.113883.3.9999.1.01.2&ISO^VN"
    early = message(head, PID, pv1, OBR, OBX)
    alone = pass_through(tmp_path, early)
    assert alone.only("Encounter")["status"] == "unknown"
    assert flags(alone) == ["waits_for_adt"]
    (tmp_path / "both").mkdir()
    both = pass_through(tmp_path / "both", early, adt("A01", ADMITTED))
    assert (visit(both)["status"], visit(both)["period"]["start"]) == ("in-progress", "2017-12-01T10:00:00+08:00")
    assert both.only("Observation")["encounter"]["reference"] == f"Encounter/{visit(both)['id']}"
    assert mapped(both)


def test_e22_discharge_before_its_admission_stays_a_discharge(tmp_path: Path) -> None:
    outcome = pass_through(tmp_path, adt("A03", LEFT, end=LEFT, start=""), adt("A01", ADMITTED))
    expected = {"start": "2017-12-01T10:00:00+08:00", "end": "2017-12-04T10:00:00+08:00"}
    assert (visit(outcome)["status"], visit(outcome)["period"]) == ("finished", expected)
    assert flags(outcome) == ["", "stale"]


def test_e23_update_before_admission_is_kept(tmp_path: Path) -> None:
    alone = pass_through(tmp_path, adt("A08", ADMITTED))
    assert visit(alone)["status"] == "unknown"
    assert alone.only("Patient")["name"][0]["family"] == "试"
    (tmp_path / "both").mkdir()
    both = pass_through(tmp_path / "both", adt("A08", MOVED), adt("A01", ADMITTED))
    assert visit(both)["status"] == "in-progress"


def test_e24_cancelled_admission_is_a_cancelled_visit(tmp_path: Path) -> None:
    outcome = pass_through(tmp_path, adt("A01", ADMITTED), adt("A11", MOVED))
    assert visit(outcome)["status"] == "cancelled"
    assert flags(outcome) == ["", ""]


def test_e25_admission_that_comes_after_its_cancel_does_not_rise_again(tmp_path: Path) -> None:
    outcome = pass_through(tmp_path, adt("A11", MOVED), adt("A01", ADMITTED))
    assert visit(outcome)["status"] == "cancelled"
    assert visit(outcome)["period"] == {"start": "2017-12-01T10:00:00+08:00"}
    assert flags(outcome) == ["nothing_to_cancel", "stale"]
    assert mapped(outcome)


def test_e26_cancelled_transfer_leaves_the_history(tmp_path: Path) -> None:
    moves = [adt("A01", ADMITTED), adt("A02", MOVED, place=OTHER), adt("A02", AGAIN, place=THIRD)]
    outcome = pass_through(tmp_path, *moves, adt("A12", LEFT, place=OTHER))
    assert places(outcome) == [("HEM3", "01", "02"), ("HEM5", "02", "")]
    assert flags(outcome) == [""] * 4


def test_e26_cancelled_transfer_leaves_the_history_in_every_order(tmp_path: Path) -> None:
    said = [adt("A01", ADMITTED), adt("A02", MOVED, place=OTHER), adt("A12", AGAIN), adt("A02", LEFT, place=THIRD)]
    for number, order in enumerate(permutations(said)):
        (tmp_path / str(number)).mkdir()
        outcome = pass_through(tmp_path / str(number), *order)
        assert places(outcome) == [("HEM3", "01", "04"), ("ICU1", "04", "")]


def test_e27_cancelled_discharge_opens_the_visit_again(tmp_path: Path) -> None:
    outcome = pass_through(tmp_path, adt("A01", ADMITTED), adt("A03", LEFT, end=LEFT), adt("A13", BACK))
    assert (visit(outcome)["status"], visit(outcome)["period"]) == (
        "in-progress",
        {"start": "2017-12-01T10:00:00+08:00"},
    )
    assert flags(outcome) == ["", "", ""]


@pytest.mark.parametrize("event", ["A13", "A12"])
def test_e28_cancel_of_what_has_not_happened_changes_nothing_and_is_told(tmp_path: Path, event: str) -> None:
    before = pass_through(tmp_path, adt("A01", ADMITTED))
    (tmp_path / "both").mkdir()
    after = pass_through(tmp_path / "both", adt("A01", ADMITTED), adt(event, MOVED))
    assert visit(after)["status"] == visit(before)["status"] == "in-progress"
    assert (visit(after)["location"], visit(after)["period"]) == (visit(before)["location"], visit(before)["period"])
    assert flags(after) == ["", "nothing_to_cancel"]
    assert ("PV1", "nothing-to-cancel") in after.kinds


def test_e29_transfers_out_of_order_stand_in_their_order(tmp_path: Path) -> None:
    moves = [adt("A02", AGAIN, place=THIRD), adt("A01", ADMITTED), adt("A02", MOVED, place=OTHER)]
    outcome = pass_through(tmp_path, *moves)
    assert places(outcome) == [("HEM3", "01", "02"), ("HEM5", "02", "03"), ("ICU1", "03", "")]
    assert [one["status"] for one in visit(outcome)["location"]] == ["completed", "completed", "active"]


def test_e30_admission_with_the_number_of_a_visit_that_has_ended_is_held(tmp_path: Path) -> None:
    again = adt("A01", LAST, start=LAST)
    outcome = pass_through(tmp_path, adt("A01", ADMITTED), adt("A03", LEFT, end=LEFT), again)
    assert (outcome.message["ack_code"], outcome.message["state"]) == ("CA", "held")
    assert outcome.message["cause"].startswith("PV1-19: ")
    assert visit(outcome)["status"] == "finished"


@pytest.mark.parametrize(("event", "kind"), [("A23", "Encounter"), ("A29", "Patient")])
def test_e31_deletion_destroys_nothing_and_alarms_the_data_manager(tmp_path: Path, event: str, kind: str) -> None:
    outcome = pass_through(tmp_path, adt("A01", ADMITTED), adt(event, MOVED))
    assert flags(outcome) == ["", "deletion_asked"]
    assert [(one["kind"], one["site"]) for one in outcome.incidents] == [("deletion_asked", "FAHZU")]
    assert outcome.only("Patient")["name"][0]["family"] == "试"
    if kind == "Patient":
        assert outcome.only("Patient")["active"] is False
        assert visit(outcome)["status"] == "in-progress"
    else:
        assert visit(outcome)["status"] == "entered-in-error"
        assert visit(outcome)["meta"]["tag"][0]["code"] == "deleted-by-sender"


def test_e32_end_before_the_start_is_not_written_and_told(tmp_path: Path) -> None:
    outcome = pass_through(tmp_path, adt("A03", LEFT, start=LEFT, end=ADMITTED))
    assert visit(outcome)["period"] == {"start": "2017-12-04T10:00:00+08:00"}
    assert any(path in {"PV1-44", "PV1-45"} for path, _ in outcome.kinds)


@pytest.mark.parametrize(
    ("pid", "where"),
    [
        (PID.replace("19541202", "20991202"), "PID-7"),
        (PID + "|" * 21 + "19501202", "PID-29"),
    ],
    ids=["birth in the future", "death before birth"],
)
def test_e32_impossible_key_date_is_held(tmp_path: Path, pid: str, where: str) -> None:
    outcome = pass_through(tmp_path, adt("A01", ADMITTED, pid=pid))
    assert (outcome.message["ack_code"], outcome.message["state"]) == ("CA", "held")
    assert outcome.message["cause"].startswith(f"{where}: ")
    assert outcome.resources == {}


def test_e41_update_to_another_person_is_held(tmp_path: Path) -> None:
    other = PID.replace(NAME, "王^试二").replace("19541202", "19900101")
    outcome = pass_through(tmp_path, adt("A01", ADMITTED), adt("A08", MOVED, pid=other))
    assert (outcome.message["ack_code"], outcome.message["state"]) == ("CA", "held")
    assert outcome.message["cause_code"] == "H2F-3106"
    assert outcome.only("Patient")["name"][0]["family"] == "试"
