"""Days of the protocol and of the submission, and the labels of visits. Pure."""

from datetime import date

from adapter.trial.record import Course


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


def after_chemotherapy(day: date, infusion: date) -> int:
    """Days since the end of chemotherapy, which is the day before the infusion (../shared/design/domain.md 3.1)."""
    return protocol_day(day, infusion) + 1


def visit_label(course: Course, day: date) -> str:
    """`C1D-10`, `C2D0`: number of the course and day of the protocol (../shared/interface/README.md section 3).

    Returns:
        The label; empty where the course has no infusion yet, because its days then have no origin.
    """
    return f"C{course.number}D{protocol_day(day, course.infusion.day)}" if course.infusion else ""
