"""The state before treatment: the latest values up to the first day of the first course. Pure."""

from datetime import date

from adapter.trial.record import Measurement, Subject


def first_day(subject: Subject) -> date | None:
    """The day on which treatment began: of the first dose that was given, else the first course's own first day."""
    doses = [dose.day for course in subject.courses for dose in course.doses if dose.given]
    starts = [course.start for course in subject.courses if course.start]
    return min(doses or starts, default=None)


def before_treatment(subject: Subject, key: str) -> Measurement | None:
    """The latest value of one kind up to the first day of treatment, on which blood is drawn before the first dose.

    Returns:
        The value; None where there is none, or treatment has not begun.
    """
    begun = first_day(subject)
    if begun is None:
        return None
    of_courses = (one for course in subject.courses for one in course.measured.get(key, ()))
    known = [one for one in (*subject.measured.get(key, ()), *of_courses) if one.day <= begun]
    return max(known, key=lambda one: (one.day, one.at.timestamp() if one.at else 0.0, one.ref), default=None)
