"""Dates that cannot be, on which the study rests (catalogue E32): a birth to come, a death before the birth."""

from collections.abc import Iterable, Iterator
from datetime import timedelta

from adapter.judge.verdict import Asked, Facts, Found, Hold, Name, Rule
from adapter.judged_errors import ImpossibleKeyDate
from adapter.mapper.mapped import Mapped
from adapter.store.repair import AS_SENT

_BIRTH, _DEATH = "birthDate", "deceasedDateTime"
_AHEAD = timedelta(days=1)  # it may be tomorrow already where the hospital is


def rule() -> Rule:
    """The rule."""
    return Rule(_needs, _judge)


def _needs(asked: Asked) -> Iterable[Name]:
    return [("Patient", one.resource["id"]) for one in _dated(asked)]


def _judge(asked: Asked, facts: Facts) -> Iterator[Found | Hold]:
    latest = (asked.received_at + _AHEAD).date().isoformat()
    for one in _dated(asked):
        stored = facts.content(("Patient", one.resource["id"])) or {}
        birth, death = (one.resource.get(name) or stored.get(name, "") for name in (_BIRTH, _DEATH))
        if birth > latest:
            yield Hold(ImpossibleKeyDate("the date of birth is in the future", path="PID-7"), answer=AS_SENT)
        elif death and birth and _before(death, birth):
            yield Hold(ImpossibleKeyDate("the death is before the birth", path="PID-29"), answer=AS_SENT)


def _before(one: str, other: str) -> bool:
    """As far as both are precise."""
    length = min(len(one), len(other), len("2018-05-09"))
    return one[:length] < other[:length]


def _dated(asked: Asked) -> list[Mapped]:
    return [one for one in asked.of("Patient") if _BIRTH in one.resource or _DEATH in one.resource]
