"""A visit number under two patients (catalogue D27): one of the two is wrong, and nobody can tell which."""

from collections.abc import Iterable, Iterator

from adapter.judge.verdict import Asked, Facts, Found, Hold, Name, Rule
from adapter.judged_errors import VisitOfAnother
from adapter.mapper.mapped import Mapped

MOVED = "moved-visit"


def rule() -> Rule:
    """The rule."""
    return Rule(_needs, _judge)


def _needs(asked: Asked) -> Iterable[Name]:
    for one in _visits(asked):
        yield "Encounter", one.resource["id"]
        yield "Patient", one.patient_id or ""


def _judge(asked: Asked, facts: Facts) -> Iterator[Found | Hold]:
    moving = {event.moved for event in asked.identities}
    for one in _visits(asked):
        name = ("Encounter", one.resource["id"])
        owner, said = facts.patient_of(name), facts.survivor(("Patient", one.patient_id or ""))
        if owner in {None, said} or "/".join(name) in moving:
            continue
        if one.order < facts.moved_until(name):
            yield Found("PV1-19", MOVED, "the visit was moved to another patient, who gets this")
        else:
            yield Hold(VisitOfAnother("this is the number of another patient's visit", path="PV1-19"))


def _visits(asked: Asked) -> list[Mapped]:
    return [one for one in asked.of("Encounter") if one.patient_id]
