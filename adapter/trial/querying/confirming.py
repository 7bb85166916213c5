"""Queries about confirmations: a fact that is not what was confirmed any more."""

from collections.abc import Iterator

from adapter.trial.confirmations import confirmations, words
from adapter.trial.elements import identifier, own
from adapter.trial.proposals import IDENTIFIERS
from adapter.trial.querying.case import Case, Finding


def outdated(case: Case) -> Iterator[Finding]:
    """What was confirmed is what the rules derive now."""
    facts = {number: one for one in case.of_type("Observation") if (number := identifier(one, IDENTIFIERS))}
    courses = {course.phase: course for course in case.subject.courses}
    for number, said in sorted(confirmations(case.of_type("Observation")).items()):
        fact = facts.get(number)
        now = words(fact) if fact else ""
        if now != said.words:
            _, _, short = number.partition("/")
            values = {"fact": short, "confirmed": said.words, "computed": now or "nothing"}
            refs = (own(fact), said.ref) if fact else (said.ref,)
            yield Finding("confirmation-outdated", number, refs, values, courses.get(short.partition("/")[0]))


RULES = (outdated,)
