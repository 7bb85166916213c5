"""Outcomes of a subject: response, relapse, death, and the times from diagnosis to them. Pure.

Definitions: ../shared/cohort/NOTES.md (those that make the published numbers come out) and the paper, Methods.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from adapter.trial.record import Statement, Subject
from adapter.trial.response import REPORTED

RESPONSES = ("CR", "CRi", "PR", "HI", "NR")
"""Best first: complete remission, the same with incomplete recovery, partial, haematologic improvement, none."""

IN_REMISSION = ("CR", "CRi")

EARLY = 60
"""Days after the first chemotherapy in which mortality is early (../shared/cohort/NOTES.md)."""

OF_DISEASE = "disease"
"""Answer to the category of death (tli-death-category) that names the disease as its cause."""


@dataclass(frozen=True, slots=True)
class Response:
    """The response that counts; `day` is None where no assessment was possible, which counts as none (NR)."""

    category: str
    day: date | None
    refs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Time:
    """Days to an event or to censoring; `cause` is 0 censored, 1 the event, 2 a competing event."""

    days: int
    cause: int
    refs: tuple[str, ...]


def best_response(subject: Subject) -> Response:
    """The best response of the inductions as it was reported, the earliest of equals (paper, Table 3).

    An answer that belongs to no course counts as well; one that belongs to a consolidation does not.
    """
    places = (subject.stated, *(course.stated for course in subject.courses if course.induction))
    answers = [one for stated in places for key in REPORTED.values() for one in stated.get(key, ())]
    known = [one for one in answers if one.text in RESPONSES]
    if not known:
        return Response("NR", None, (subject.ref,))
    best = min(known, key=lambda one: (RESPONSES.index(one.text), one.day or date.max, one.ref))
    return Response(best.text, best.day, (best.ref,))


@dataclass(frozen=True, slots=True)
class FollowUp:
    """The dated answers of a subject's follow-up; each None where it did not happen."""

    death: Statement | None
    last_contact: Statement | None
    relapse: Statement | None
    progression: Statement | None
    other_therapy: Statement | None
    transplant: Statement | None


def follow_up(subject: Subject) -> FollowUp:
    """What the answers say of the subject's course after treatment."""
    keys = ("DEATH-DATE", "LAST-CONTACT", "RELAPSE", "PROGRESSION", "NEWTX", "HSCT")
    return FollowUp(*(_dated(subject, key) for key in keys))


def _dated(subject: Subject, key: str) -> Statement | None:
    answer = subject.one(key)
    return answer if answer and answer.date() else None


def overall_survival(subject: Subject, origin: date | None) -> Time | None:
    """Days from the origin to death, else to the last contact; None where neither or no origin is known."""
    after = follow_up(subject)
    end = after.death or after.last_contact
    if origin is None or end is None:
        return None
    return _time(origin, end, cause=int(after.death is not None), refs=(subject.diagnosis or subject.ref, end.ref))


def progression_free_survival(subject: Subject, origin: date | None) -> Time | None:
    """Days from the origin to relapse, progression or death; censored when other therapy starts before."""
    after = follow_up(subject)
    event = _failure(after)
    end = event or after.other_therapy or after.last_contact
    if origin is None or end is None:
        return None
    return _time(origin, end, cause=int(event is not None), refs=(subject.diagnosis or subject.ref, end.ref))


def non_relapse_mortality(subject: Subject, origin: date | None) -> Time | None:
    """Days from the origin to death that neither relapse nor progression preceded or caused; these compete.

    Source: domain.md 3.8. Censored as progression-free survival is, so that the two say the same of every subject.
    """
    time, event = progression_free_survival(subject, origin), _failure(follow_up(subject))
    if time is None or event is None:
        return time
    return replace(time, cause=_cause(subject, event), refs=(*time.refs, *_category(subject, event)))


def early_mortality(subject: Subject) -> Time | None:
    """Days from the first chemotherapy to death within 60 days, relapse and progression competing (domain.md 3.8).

    Who is alive then is censored at 60 days, whatever comes later. Other therapy ends nothing: the paper counts deaths.
    """
    after = follow_up(subject)
    starts = [(course.start, course.ref) for course in subject.courses if course.start]
    event = _first((after.relapse, after.progression, after.death))
    end = event or after.last_contact
    if not starts or end is None:
        return None
    begun, course = min(starts)
    days = (_day(end) - begun).days
    if event is None or days > EARLY:
        return Time(min(days, EARLY), 0, (course, end.ref))
    return Time(days, _cause(subject, event), (course, end.ref, *_category(subject, event)))


def relapse_incidence(subject: Subject) -> Time | None:
    """Days from remission (CR, CRi) to relapse, death in remission competing; None without remission."""
    response, after = best_response(subject), follow_up(subject)
    if response.category not in IN_REMISSION or response.day is None:
        return None
    event = _first((after.relapse, after.death))
    if after.other_therapy and not (event and _day(event) < _day(after.other_therapy)):
        event = None
    end = event or after.other_therapy or after.last_contact
    if end is None:
        return None
    cause = 0 if event is None else 1 if after.relapse else 2
    return _time(response.day, end, cause=cause, refs=(*response.refs, end.ref))


def _time(origin: date, end: Statement, *, cause: int, refs: tuple[str, ...]) -> Time:
    return Time((_day(end) - origin).days, cause, refs)


def _failure(after: FollowUp) -> Statement | None:
    """Relapse, progression or death, unless other therapy starts before."""
    event = _first((after.relapse, after.progression, after.death))
    if after.other_therapy and (event is None or _day(after.other_therapy) < _day(event)):
        return None
    return event


def _cause(subject: Subject, event: Statement) -> int:
    """Cause of a time to death without relapse: 1 where it is a death of anything but the disease, else 2."""
    category = subject.one("DEATH-CATEGORY")
    return 1 if event.key == "DEATH-DATE" and (category is None or category.text != OF_DISEASE) else 2


def _category(subject: Subject, event: Statement) -> tuple[str, ...]:
    category = subject.one("DEATH-CATEGORY") if event.key == "DEATH-DATE" else None
    return (category.ref,) if category else ()


def _first(answers: Iterable[Statement | None]) -> Statement | None:
    """The earliest; of one day, the one that is named first."""
    return min((one for one in answers if one), key=_day, default=None)


def _day(answer: Statement) -> date:
    return answer.date() or date.max
