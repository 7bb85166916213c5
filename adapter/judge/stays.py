"""A visit number that begins again after its visit has ended (catalogue E30): a new visit, or the same?"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from adapter.judge.verdict import Asked, Facts, Found, Hold, Name, Rule
from adapter.judged_errors import VisitNumberReused
from adapter.mapper.mapped import Mapped
from adapter.store.merge import instant_key
from adapter.store.repair import AS_SENT

_OPEN = frozenset({"planned", "in-progress", "onleave"})


def rule() -> Rule:
    """The rule."""
    return Rule(_needs, _judge)


def _needs(asked: Asked) -> Iterable[Name]:
    return [("Encounter", one.resource["id"]) for one in _opening(asked)]


def _judge(asked: Asked, facts: Facts) -> Iterator[Found | Hold]:
    for one in _opening(asked):
        stored = facts.content(("Encounter", one.resource["id"]))
        end = _end(stored) if stored else ""
        if end and instant_key(one.order) > instant_key(end):
            text = "the visit of this number has ended: only a cancelled discharge opens it again"
            yield Hold(VisitNumberReused(text, path="PV1-19"), answer=AS_SENT)
            return


def _opening(asked: Asked) -> list[Mapped]:
    """Visits that go on by this message; a cancel of their end is meant to do so."""
    return [
        one for one in asked.of("Encounter") if one.resource.get("status") in _OPEN and not (one.fill or one.cancels)
    ]


def _end(stored: Mapping[str, Any]) -> str:
    return stored.get("period", {}).get("end", "") if stored.get("status") == "finished" else ""
