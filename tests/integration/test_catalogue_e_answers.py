"""Group E of the fault catalogue: what a sender is told of values, where it wants to hear it, or promised better."""

from pathlib import Path

import pytest

from tests.integration.agreed_stand import hospital
from tests.integration.intake_stand import OBR, PID, header, message, segments

FINAL = "OBX|1|NM|751-8^Neutrophils^LN||0.70|10*9/L^^UCUM|2.0-7.0|L|||F"


def with_result(old: str = "", new: str = "", pid: str = PID) -> bytes:
    """A report with two results, of which the second differs from what is usual."""
    return message(header(), pid, OBR, FINAL, FINAL.replace("OBX|1", "OBX|2").replace(old, new, 1))


TOLD = {
    "E1 more than": (with_result("0.70", ">100"), "102", "OBX^2^5"),
    "E1 with an exponent": (with_result("0.70", "1e5"), "102", "OBX^2^5"),
    "E2 text": (with_result("0.70", "阴性"), "102", "OBX^2^5"),
    "E2 comma": (with_result("0.70", "12,5"), "102", "OBX^2^5"),
    "E3 no type": (with_result("|NM|", "||"), "101", "OBX^2^2"),
    "E5 no value": (with_result("0.70", ""), "101", "OBX^2^5"),
    "E8 caret in the unit": (with_result("10*9/L^^UCUM", "10^9/L"), "102", "OBX^2^6"),
    "E33 no such day": (with_result(pid=PID.replace("19541202", "20260230")), "102", "PID^1^7"),
    "E33 zeros": (with_result(pid=PID.replace("19541202", "00000000")), "102", "PID^1^7"),
    "E33 with hyphens": (with_result(pid=PID.replace("19541202", "2026-01-01")), "102", "PID^1^7"),
    "E33 hour 24": (with_result("|NM|751-8^Neutrophils^LN||0.70|", "|TS|8302-2^x^LN||202601012400|"), "102", "OBX^2^5"),
}
FINE = {
    "E33 month alone": with_result(pid=PID.replace("19541202", "202601")),
    "nothing odd": with_result(),
    "deleted": with_result("0.70", '""'),
    "no value yet": with_result("0.70|10*9/L^^UCUM|2.0-7.0|L|||F", "|10*9/L^^UCUM|2.0-7.0||||P"),
}


@pytest.mark.parametrize("case", TOLD)
def test_doubtful_value_is_told_beside_the_acceptance(tmp_path: Path, case: str):
    raw, condition, place = TOLD[case]
    with hospital(f"sqlite:///{tmp_path}/adapter.db", warnings=True) as it:
        ack = segments(it.give(raw)[0].ack)
        assert (ack["MSA"][1], it.states()) == ("CA", ["received"])
        assert (ack["ERR"][3].split("^")[0], ack["ERR"][2], ack["ERR"][4]) == (condition, place, "W")


@pytest.mark.parametrize("case", FINE)
def test_usual_value_is_not_spoken_of(tmp_path: Path, case: str):
    with hospital(f"sqlite:///{tmp_path}/adapter.db", warnings=True, strict=True) as it:
        ack = segments(it.give(FINE[case])[0].ack)
        assert (ack["MSA"][1], "ERR" in ack) == ("CA", False)


@pytest.mark.parametrize("case", [case for case in TOLD if case.startswith(("E2", "E33"))])
def test_strict_site_is_refused_what_is_no_number_and_no_date(tmp_path: Path, case: str):
    raw, condition, place = TOLD[case]
    with hospital(f"sqlite:///{tmp_path}/adapter.db", strict=True) as it:
        ack = segments(it.give(raw)[0].ack)
        assert (ack["MSA"][1], it.states()) == ("CE", ["rejected"])
        assert (ack["ERR"][3].split("^")[0], ack["ERR"][2], ack["ERR"][4]) == (condition, place, "E")


@pytest.mark.parametrize("case", [case for case in TOLD if not case.startswith(("E2", "E33"))])
def test_strict_site_is_not_refused_what_can_be_read(tmp_path: Path, case: str):
    with hospital(f"sqlite:///{tmp_path}/adapter.db", strict=True) as it:
        ack = segments(it.give(TOLD[case][0])[0].ack)
        assert (ack["MSA"][1], "ERR" in ack) == ("CA", False)


def test_no_more_than_twenty_places_are_named(tmp_path: Path):
    raw = message(header(), PID, OBR, *[FINAL.replace("OBX|1", f"OBX|{n}").replace("0.70", "x") for n in range(1, 40)])
    with hospital(f"sqlite:///{tmp_path}/adapter.db", warnings=True) as it:
        ack = it.give(raw)[0].ack
        assert ack is not None
        assert ack.count(b"\rERR|") == 20
