"""What the columns of a row say of each other, by the name in `rules:` of a sheet.

A rule sees a row whose cells are each right by themselves.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import cast

Value = str | date | Decimal | None
Row = Mapping[str, Value]
Rule = Callable[[Row], Iterator[tuple[str, str]]]
"""The columns that contradict others, each with what is wrong; no values."""

MONTH_DAYS = Decimal("30.4375")
"""Days of a month of survival, as the reference cohort has it (its README, Choices that reproduce the paper)."""

_ROUNDING = Decimal("0.05")  # os_months has one decimal


def historical_control(row: Row) -> Iterator[tuple[str, str]]:
    """The life of a control: born, enrolled, died or last seen, cutoff; and what was computed from these dates."""
    born, enrolled = _date(row, "birth_date"), _date(row, "enrolment_date")
    died, seen = cast("date | None", row["death_date"]), _date(row, "last_followup_date")
    if born > enrolled:
        yield "birth_date", "is after enrolment_date"
    elif row["age"] != _years(born, enrolled):
        yield "age", "is not the age at enrolment_date that birth_date gives"
    if died and died < enrolled:
        yield "death_date", "is before enrolment_date"
    if died and seen > died:
        yield "last_followup_date", "is after death_date"
    if seen < enrolled:
        yield "last_followup_date", "is before enrolment_date"
    if max(seen, died or seen) > _date(row, "data_cutoff"):
        yield "data_cutoff", "is before death_date or last_followup_date"
    if (row["vital_status"] == "dead") != (died is not None):
        yield "death_date", "and vital_status contradict each other: dead has a death_date, nobody else has one"
    yield from _survival(row, (died or seen) - enrolled)


def _survival(row: Row, lived: timedelta) -> Iterator[tuple[str, str]]:
    days = Decimal(lived.days)
    if row["os_event"] != int(row["vital_status"] == "dead"):
        yield "os_event", "is not 1 for dead and 0 for all others, as vital_status has it"
    if row["os_days"] != days:
        yield "os_days", "is not the days from enrolment_date to death_date, or to last_followup_date"
    elif abs(cast("Decimal", row["os_months"]) - days / MONTH_DAYS) > _ROUNDING:
        yield "os_months", "is not os_days divided by 30.4375, with one decimal"
    for name in ("anc_recovery_days", "plt_recovery_days"):
        recovered = cast("Decimal | None", row[name])
        if recovered is not None and recovered > days:
            yield name, "is after the end of the follow-up"


def _date(row: Row, name: str) -> date:
    return cast("date", row[name])


def _years(born: date, at: date) -> int:
    return at.year - born.year - ((at.month, at.day) < (born.month, born.day))


RULES: Mapping[str, Rule] = {"historical-control": historical_control}
