"""Days of the protocol and of the submission. Pure."""

from datetime import date


def protocol_day(day: date, infusion: date) -> int:
    """Day of the protocol: the day of the infusion is 0, chemotherapy before it is negative (paper, Methods)."""
    return (day - infusion).days


def completed_years(born: date, day: date) -> int:
    """The age on a day, in whole years."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def study_day(day: date, reference: date) -> int:
    """Day of SDTM (--DY): the reference date is day 1, the day before it -1; there is no day 0 (SDTMIG 3.4, 4.4.4)."""
    days = (day - reference).days
    return days + 1 if days >= 0 else days
