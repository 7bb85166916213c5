"""What a conversion used and what it left: computed from the plan when somebody asks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, NamedTuple, Protocol

from adapter.hl7v2.message import Message, Segment
from adapter.hl7v2.parse import byte_span
from adapter.mapper.compiled import Compiled, Reasons, sources
from adapter.mapper.paths import Path2, Place
from adapter.mapper.plan import Check, Entry, Plan, Read, fields_read
from adapter.mapper.rules import Rule


class Unread(NamedTuple):
    """A populated field, or component, that no rule read."""

    segment: str
    position: int
    field: int
    component: int = 0

    @property
    def path(self) -> str:
        """Without the occurrence, as it is counted: `PV1-10`, `PID-5.7`."""
        return str(Path2(self.segment, self.field, self.component))


@dataclass(frozen=True, slots=True)
class Lineage:
    """One FHIR element and where it came from; `span` is the place in the message's bytes."""

    resource: str
    element: str
    path: str
    position: int
    rule: str
    span: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Used:
    """A resource that was made: its plan entry, its map, its reference `Type/id`."""

    entry: Entry
    compiled: Compiled
    reference: str
    resource: Mapping[str, Any]


class Made(Protocol):
    """What the engine makes for an entry of the plan."""

    @property
    def resource(self) -> dict[str, Any]:
        """The resource."""
        ...


@dataclass(frozen=True, slots=True)
class Ledger:
    """The account of one conversion.

    `segments` are those that were mapped, after the site's fixes; `made` is what each entry of the plan became;
    `dropped` are the entries whose segment says nothing, on purpose (`never:` of the map): they count as read.
    """

    message: Message
    segments: Sequence[Segment]
    plan: Plan
    made: Sequence[Made | None]
    ignored: Reasons
    dropped: frozenset[int] = frozenset()

    def used(self) -> list[Used]:
        """The resources that were made."""
        return [
            Used(entry, entry.compiled, f"{entry.resource}/{made.resource['id']}", made.resource)
            for entry, made in zip(self.plan.entries, self.made, strict=True)
            if made
        ]

    def unmapped(self) -> tuple[Unread, ...]:
        """Every populated field that no rule read and no map names as ignored, in message order."""
        return tuple(one for _, one in self.unread())

    def unread(self) -> list[tuple[int, Unread]]:
        """As `unmapped`, each with the number of its segment in `segments`."""
        reads = self.plan.reads
        if None in self.made:
            made = compress(range(len(self.made)), self.made)
            reads = self.plan.reads_of(sorted([*made, *self.dropped]), self._read_by)
        left: list[tuple[int, Unread]] = []
        for index, (segment, read) in enumerate(zip(self.segments, reads, strict=True)):
            fields = segment.fields
            check = read[len(fields)]
            if any(check.get(fields)):
                left += [(index, one) for one in _unread(segment, check)]
        return left

    def _read_by(self, entries: Sequence[Entry]) -> Sequence[Read]:
        names = [segment.name for segment in self.segments]
        return fields_read(entries, self.plan.bases, names, ignored=self.ignored)

    def lineage(self) -> Iterator[Lineage]:
        """For every element that was made, the paths, rule and bytes it came from."""
        for used in self.used():
            for rule in used.compiled.map.rules:
                yield from self._of_rule(used, rule)
            yield from self._of_references(used)
            if used.compiled.names_identifier:
                yield from self._of_identity(used)

    def _of_rule(self, used: Used, rule: Rule) -> Iterator[Lineage]:
        if not _has(used.resource, rule.target) or (rule.unless and any(self.filled(used, rule.unless))):
            return
        for path, fields in sources(rule):
            for index in self.filled(used, path):
                for field in fields:
                    one = Path2(path.segment, field, path.component)
                    if self.segments[index].raw(field):
                        yield self._line(used, index, one, (".".join(rule.target), rule.place))

    def _of_references(self, used: Used) -> Iterator[Lineage]:
        """What stands beside a reference, from the segment of the resource that is referred to."""
        for reference in self.plan.bases[used.entry.base].references:
            details = used.compiled.details.get(reference.rule)
            for target, index in zip(reference.entries, reference.segments, strict=True) if details else ():
                for path in details.rule.sources if details and self.made[target] else ():
                    if self.segments[index].raw(path.field):
                        yield self._line(used, index, path, (reference.target[0], used.compiled.map.place))

    def _of_identity(self, used: Used) -> Iterator[Lineage]:
        identity = used.compiled.map.identity
        for alternatives in identity.paths:
            found = ((index, path) for path in alternatives for index in self.filled(used, path))
            for index, path in found:
                if path.field and self.segments[index].text(str(path)):
                    yield self._line(used, index, path, ("identifier", identity.place))
                    break

    def _line(self, used: Used, index: int, path: Path2, to: tuple[str, Place]) -> Lineage:
        position = self.segments[index].position
        text = str(path).replace(path.segment, self.plan.labels[index], 1)
        return Lineage(used.reference, to[0], text, position, str(to[1]), byte_span(self.message, position, path.field))

    def filled(self, used: Used, path: Path2) -> list[int]:
        """The numbers of the segments in `segments` that give a path of this map a value."""
        slot = used.compiled.slots.index((path.segment, not path.field))
        filled = self.plan.filled(used.entry, slot)
        return [one for one in filled if not path.field or self.segments[one].raw(path.field)]


def _unread(segment: Segment, check: Check) -> Iterator[Unread]:
    """The fields that no rule reads, then the components of those that are read in part."""
    for number in check.unread:
        if segment.fields[number]:
            yield Unread(segment.name, segment.position, number)
    for number, unread_of in check.parts:
        for component in unread_of[segment.fields[number]]:
            yield Unread(segment.name, segment.position, number, component)


def _has(resource: Mapping[str, Any], target: Sequence[str]) -> bool:
    """Whether a rule's element was written: a code without a row, for one, writes none."""
    *parents, last = target
    holder: Any = resource
    for parent in parents:
        holder = holder.get(parent, {})
        if isinstance(holder, list):  # items that refer: `diagnosis.condition`
            return True
    return any(name.startswith(last[:-3]) for name in holder) if last.endswith("[x]") else last in holder
