"""Numbered messages of a few synthetic patients, each of which makes a new version of what the one before said."""

from datetime import UTC, datetime, timedelta

from tests.integration.intake_stand import header, message

REPORTS = 2
"""Reports of one patient that are corrected again and again."""

_BEGIN = datetime(2018, 1, 1, 8, tzinfo=UTC)


def numbered(number: int, *, patients: int) -> bytes:
    """Message `number`: the next correction of a report of one of so many patients."""
    patient, turn = number % patients, number // patients
    at = (_BEGIN + timedelta(minutes=number)).strftime("%Y%m%d%H%M%S+0800")
    report = f"L1801{patient:02}-{turn % REPORTS:04}^FAHZULIS"
    return message(
        header(msh_7=at, msh_10=f"LIS{number:08}"),
        f"PID|1||00A9{patient:04}^^^FAHZU&2.16.840.1.113883.3.9999.1.01.2&ISO^MR||试^九〇一^^^^^L^I||19541202|M",
        f"OBR|1||{report}|CBC^血常规^99ZJULIS|||20180101063000+0800|||||||||||||||{at}",
        f"OBX|1|NM|751-8^Neutrophils^LN||{number / 100:.2f}|10*9/L^^UCUM|2.0-7.0|L|||C|||20180101063000+0800",
    )
