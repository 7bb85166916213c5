"""All rules, in the order in which they are asked: the first that holds a message is the one that is told."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from adapter.judge import demographics, enrolled_twice, enrolment, identities, key_dates, orders, stays, visits
from adapter.judge.verdict import Rule
from adapter.mapper.placeholders import Placeholders


@dataclass(frozen=True, slots=True)
class Known:
    """What rules follow besides what is stored.

    `organizations` by site, as its identifiers are assigned by; `holding`: sites that hold what is of nobody in the
    study (`intake: {unenrolled: hold}`); `lifelong`: systems of numbers that one person has for life; `number`: a
    Patient's own number in the study.
    """

    placeholders: Placeholders
    organizations: Mapping[str, str]
    holding: frozenset[str]
    lifelong: frozenset[str]
    number: Callable[[Mapping[str, Any]], str | None]


def rules(known: Known) -> tuple[Rule, ...]:
    """The rules of an installation."""
    return (
        enrolment.rule(known.holding, known.number),
        identities.rule(known.organizations),
        demographics.rule(known.placeholders),
        visits.rule(),
        stays.rule(),
        key_dates.rule(),
        *orders.rules(),
        enrolled_twice.rule(known.lifelong),
    )
