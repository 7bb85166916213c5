"""One resident number at two hospitals (catalogue D6): two Patients, whom only the trial may know as one person.

The records are never joined by the number: whether somebody was enrolled twice is for the trial's data manager to say.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from adapter.judge.verdict import Asked, Facts, Found, Hold, Name, Rule

TWICE = "possible-double-enrolment"


def rule(systems: frozenset[str]) -> Rule:
    """The rule; `systems` are those of numbers that one person has for life."""

    def needs(asked: Asked) -> Iterable[Name]:
        return [("Patient", one.resource["id"]) for one in asked.of("Patient") if _numbers(one.resource)]

    def judge(asked: Asked, facts: Facts) -> Iterator[Found | Hold]:
        linked = {event.source_id for event in asked.identities} | {event.target_id for event in asked.identities}
        for one in asked.of("Patient"):
            own = one.resource["id"]
            new = _numbers(one.resource) - _numbers(facts.content(("Patient", own)) or {})
            if any(facts.holders(system, value) - facts.linked(own) - linked - {own} for system, value in new):
                yield Found("PID-3", TWICE, "another record, not linked to this one, has the same resident number")

    def _numbers(patient: Mapping[str, Any]) -> set[tuple[str, str]]:
        found: list[dict[str, Any]] = patient.get("identifier", [])
        return {(one["system"], one["value"]) for one in found if one.get("system") in systems}

    return Rule(needs, judge)
