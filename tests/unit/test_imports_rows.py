"""The rows of the historical controls: every mistake is told with its column, and costs no other row."""

import pytest

from adapter.imports.rows import ANALYST, MAKER
from tests.import_stand import ALIVE, DEAD, checked, csv_of, faults


def test_rows_that_are_right_are_accepted():
    found = checked(csv_of(DEAD, ALIVE))
    assert ([row.key for row in found.accepted], found.faults) == (["HC-901", "HC-902"], ())


def test_what_may_be_unknown_may_be_empty():
    assert faults(response="", regimen="", anc_recovery_days="", plt_recovery_days="") == []


@pytest.mark.parametrize(
    ("column", "value", "text"),
    [
        ("control_id", "", "is empty"),
        ("site", "", "is empty"),
        ("site", "ZZZZ", "is not one of FAHZU"),
        ("sex", "m", "is not one of M, F"),
        ("birth_date", "1948/01/15", "is not written YYYY-MM-DD"),
        ("birth_date", "1949-02-30", "is a day that does not exist"),
        ("birth_date", "0948-01-15", "is before 1900"),
        ("birth_date", "1948-01-15\t ", ""),
        ("data_cutoff", "2027-01-01", "is in the future"),
        ("risk_group", "adverse", "is not one of good, intermediate, poor"),
        ("response", "CR!", "is not one of CR, CRi, PR, NR"),
        ("vital_status", "unknown", "is not one of alive, dead, lost to follow-up"),
        ("age", "62.5", "is not a whole number"),
        ("age", "-62", "is not a whole number"),
        ("age", "\uff16\uff12", "is not a whole number"),
        ("age", "121", "is more than 120"),
        ("os_months", "5,5", "cells, and the header"),
        ("anc_recovery_days", "1e1", "is not a number such as 16.1"),
        ("regimen", "x" * 201, "is longer than 200 characters"),
        ("regimen", "IA\x07", "control characters"),
    ],
)
def test_cell_is_refused_for_what_it_is(column: str, value: str, text: str):
    found = faults(**{column: value})
    assert [bool(text) and text in told for _, told in found] == ([True] if text else [])


@pytest.mark.parametrize(
    ("cells", "column", "text"),
    [
        ({"birth_date": "2010-08-31"}, "birth_date", "is after enrolment_date"),
        ({"age": "63"}, "age", "is not the age at enrolment_date"),
        ({"birth_date": "1948-08-31"}, "age", "is not the age at enrolment_date"),
        ({"death_date": "2010-08-29"}, "death_date", "is before enrolment_date"),
        ({"death_date": ""}, "death_date", "and vital_status contradict"),
        ({"vital_status": "alive", "os_event": "0"}, "death_date", "and vital_status contradict"),
        ({"last_followup_date": "2011-02-13"}, "last_followup_date", "is after death_date"),
        ({"last_followup_date": "2010-08-29"}, "last_followup_date", "is before enrolment_date"),
        ({"data_cutoff": "2011-02-11"}, "data_cutoff", "is before death_date"),
        ({"os_event": "0"}, "os_event", "is not 1 for dead"),
        ({"os_days": "165"}, "os_days", "is not the days from enrolment_date"),
        ({"os_months": "5.6"}, "os_months", "is not os_days divided by 30.4375"),
        ({"plt_recovery_days": "166.5"}, "plt_recovery_days", "is after the end of the follow-up"),
    ],
)
def test_columns_that_contradict_each_other_are_named(cells: dict[str, str], column: str, text: str):
    assert [at for at, told in faults(**cells) if text in told] == [column]


def test_survival_of_who_lives_is_counted_to_the_last_follow_up():
    assert checked(csv_of({**ALIVE, "last_followup_date": "2021-08-20"})).faults[0].column == "os_days"


def test_number_that_stands_twice_refuses_both_rows_and_no_other():
    found = checked(csv_of(DEAD, ALIVE, {**DEAD, "sex": "F"}))
    assert [row.key for row in found.accepted] == ["HC-902"]
    assert [(fault.row, fault.column) for fault in found.faults] == [(2, "control_id"), (4, "control_id")]
    assert "stands in row 4 too" in found.faults[0].text


def test_row_of_another_length_is_refused_as_a_whole():
    content = csv_of(DEAD, ALIVE)
    found = checked(content.replace(b",2021-08-21\n", b"\n", 1))
    assert [(fault.row, fault.key, fault.text) for fault in found.faults] == [
        (2, "HC-901", "has 17 cells, and the header 18")
    ]


def test_what_is_told_of_a_row_holds_its_number_and_no_other_value():
    found = checked(csv_of({**DEAD, "control_id": "试某某"}, {**ALIVE, "sex": "女", "birth_date": "1951-13-07"}))
    told = " ".join(f"{fault.key} {fault.text}" for fault in found.faults)
    assert [fault.key for fault in found.faults] == ["", "HC-902", "HC-902"]
    assert not any(value in told for value in ("试某某", "女", "1951"))


def test_who_mends_it_is_told():
    found = checked(csv_of({**DEAD, "risk_group": "adverse", "age": ""}))
    assert {fault.column: fault.mender for fault in found.faults} == {"risk_group": ANALYST, "age": MAKER}
