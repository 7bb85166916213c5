"""Merges, changes of a number, links, moves: are both sides known, and does it fit what was merged before?

Catalogue D12 to D21, D25, D26. All or nothing: one group that cannot be done holds the whole message (D20).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from adapter.judge.verdict import STORED, Asked, Awaited, Facts, Found, Hold, Name, Rule
from adapter.judged_errors import (
    AcrossAuthorities,
    MergedElsewhere,
    MergeIntoItself,
    MergeLoop,
    UnknownIdentity,
    UnknownVisit,
    VisitOfAnother,
)
from adapter.mapper.events import CHANGE, LINK, MERGE, MOVE, UNLINK, IdentityEvent

RETIRED_ID, AGAIN = "retired-id", "merged-again"

Said = Iterator[Found | Hold]


def rule(organizations: Mapping[str, str]) -> Rule:
    """The rule; `organizations` by site, as its identifiers are assigned by."""

    def needs(asked: Asked) -> Iterable[Name]:
        # Both sides of every event are read anyway.
        return () if asked.identities else [("Patient", one.resource["id"]) for one in asked.of("Patient")]

    def judge(asked: Asked, facts: Facts) -> Said:
        if not asked.identities:
            yield from _retired(asked, facts)
            return
        organization = organizations.get(asked.site, "")
        seen = _Seen(facts, asked.message_id)
        for event in asked.identities:
            for step in _STEPS[event.kind]:
                yield from step(event, seen, organization)
            seen.note(event)

    return Rule(needs, judge)


def _retired(asked: Asked, facts: Facts) -> Said:
    """D21: what comes for a retired number goes to the survivor."""
    for one in asked.of("Patient"):
        name = ("Patient", one.resource["id"])
        if facts.survivor(name) != name[1]:
            yield Found("PID-3", RETIRED_ID, "this number was merged into another one, which the message goes to")


class _Seen:
    """What is stored, with the groups of the message that came before."""

    def __init__(self, facts: Facts, message_id: int) -> None:
        self.facts, self.message_id = facts, message_id
        self._merged: dict[Name, str] = {}

    def note(self, event: IdentityEvent) -> None:
        if event.kind in {MERGE, CHANGE}:
            self._merged[event.resource_type, event.source_id] = event.target_id

    def knows(self, name: Name) -> bool:
        return self.facts.content(name) is not None

    def next_of(self, name: Name) -> str | None:
        return self._merged.get(name) or self.facts.next_of(name)

    def survivor(self, name: Name) -> str:
        kind, number = name[0], self.facts.survivor(name)
        passed: set[str] = set()
        while number not in passed and (kind, number) in self._merged:
            passed.add(number)
            number = self.facts.survivor((kind, self._merged[kind, number]))
        return number


def _itself(event: IdentityEvent, _: _Seen, __: str) -> Said:
    if event.source_id == event.target_id:
        yield Hold(MergeIntoItself("both numbers are the same", path=event.path))


def _authorities(event: IdentityEvent, _: _Seen, organization: str) -> Said:
    """D19: only the authority that gives the numbers may say that two of them are one."""
    assigners = {one.get("assigner", {}).get("reference", "") for one in (event.source, event.target)}
    foreign = organization and bool(assigners - {"", organization})
    if event.source.get("system") != event.target.get("system"):
        yield Hold(AcrossAuthorities("the two numbers are of different authorities", path=event.path))
    elif foreign:
        yield Hold(AcrossAuthorities("the numbers are those of another hospital", path=event.path))


def _before(event: IdentityEvent, seen: _Seen, _: str) -> Said:
    """D15 to D18, D21: what was merged before."""
    source, target = (event.resource_type, event.source_id), (event.resource_type, event.target_id)
    done = seen.next_of(source)
    if done is not None:
        if event.target_id != done and seen.survivor(source) != seen.survivor(target):
            yield Hold(MergedElsewhere("this number was merged into another one before", path=event.path))
        elif seen.facts.merged_by(source) != seen.message_id:
            yield Found(event.path, AGAIN, "was merged into this one before: nothing to do")
    elif seen.survivor(target) == event.source_id:
        yield Hold(MergeLoop("the surviving number was merged into this one before", path=event.path))
    elif seen.survivor(target) != event.target_id:
        yield Found(event.target_path, RETIRED_ID, "was merged into another number, which this goes to")


def _known(event: IdentityEvent, seen: _Seen, _: str) -> Said:
    """D12, D13, D25: held until the numbers come that are not known."""
    sides = [(event.source_id, event.path)]
    if event.kind != CHANGE:  # there the new number is new
        sides.append((event.target_id, event.target_path))
    unknown = [(number, path) for number, path in sides if not seen.knows((event.resource_type, number))]
    if unknown:
        awaits = tuple(Awaited(STORED, (event.resource_type, number)) for number, _ in unknown)
        yield Hold(UnknownIdentity("this number is not known", path=unknown[0][1]), awaits)


def _moved(event: IdentityEvent, seen: _Seen, _: str) -> Said:
    """D26: the visit or account must be known, and of the patient from whom it is taken."""
    if not event.moved:
        if event.source_id and not seen.knows(("Patient", event.source_id)):
            awaits = (Awaited(STORED, ("Patient", event.source_id)),)
            yield Hold(UnknownIdentity("this number is not known", path=event.path), awaits)
        return
    kind, _, number = event.moved.partition("/")
    name = (kind, number)
    if not seen.knows(name):
        yield Hold(UnknownVisit("what moves is not known", path=event.path), (Awaited(STORED, name),))
        return
    owner = seen.facts.patient_of(name)
    both = {seen.survivor(("Patient", one)) for one in (event.source_id, event.target_id) if one}
    if event.source_id and owner is not None and owner not in both:
        yield Hold(VisitOfAnother("what moves is another patient's than that of MRG-1", path=event.path))


_MERGES = (_itself, _authorities, _before, _known)
_STEPS: Mapping[str, tuple[Callable[[IdentityEvent, _Seen, str], Said], ...]] = {
    MERGE: _MERGES,
    CHANGE: _MERGES,
    LINK: (_itself, _known),
    UNLINK: (_known,),
    MOVE: (_moved,),
}
