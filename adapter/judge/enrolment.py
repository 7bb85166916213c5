"""Who is in the study (catalogue D10): sites may have agreed that what is of nobody in it is held, not stored."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from adapter.judge.verdict import ENROLLED, Asked, Awaited, Facts, Found, Hold, Name, Rule
from adapter.judged_errors import NotEnrolled


def rule(holding: frozenset[str], number: Callable[[Mapping[str, Any]], str | None]) -> Rule:
    """The rule: `holding` are the sites that hold, `number` a Patient's own number in the study."""

    def needs(asked: Asked) -> Iterable[Name]:
        return [("Patient", one) for one in _patients(asked)] if asked.site in holding else ()

    def judge(asked: Asked, facts: Facts) -> Iterator[Found | Hold]:
        patients = _patients(asked)
        if asked.site not in holding or not patients:
            return
        numbered = any(number(one.resource) for one in asked.of("Patient"))
        if not numbered and not any(facts.is_member(one) for one in patients):
            awaits = tuple(Awaited(ENROLLED, ("Patient", one)) for one in patients)
            yield Hold(NotEnrolled("the patient is not in the study", path="PID-3"), awaits)

    return Rule(needs, judge)


def _patients(asked: Asked) -> list[str]:
    """The Patients of a message, and those that they are linked to."""
    return list(dict.fromkeys(one.resource["id"] for one in asked.of("Patient")))
