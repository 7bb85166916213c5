"""Outcomes of a subject: response, relapse, death, and the times from diagnosis to them. Pure.

Definitions: ../shared/cohort/NOTES.md (those that make the published numbers come out) and the paper, Methods.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from adapter.trial.record import Statement, Subject

RESPONSES = ("CR", "CRi", "PR", "HI", "NR")
"""Best first: complete remission, the same with incomplete recovery, partial, haematologic improvement, none."""

IN_REMISSION = ("CR", "CRi")


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
    """The best response of the inductions, the earliest of equals (paper, Table 3)."""
    answers = [*subject.all("RESP-IWG2003"), *subject.all("RESP-IWG2006")]
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
    event = _first((after.relapse, after.progression, after.death))
    if after.other_therapy and (event is None or _day(after.other_therapy) < _day(event)):
        event = None
    end = event or after.other_therapy or after.last_contact
    if origin is None or end is None:
        return None
    return _time(origin, end, cause=int(event is not None), refs=(subject.diagnosis or subject.ref, end.ref))


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


def _first(answers: Iterable[Statement | None]) -> Statement | None:
    return min((one for one in answers if one), key=lambda one: (_day(one), one.ref), default=None)


def _day(answer: Statement) -> date:
    return answer.date() or date.max
