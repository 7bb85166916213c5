"""What a conversion used and what it left: computed from the plan when somebody asks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from adapter.hl7v2.message import NULL, Message, Segment, split_field
from adapter.hl7v2.parse import byte_span
from adapter.mapper.compiled import STANDARD, Compiled, Reasons
from adapter.mapper.datatypes import CONVERTERS
from adapter.mapper.plan import Entry, Plan, fields_read
from adapter.mapper.rules import Path2, Place, Rule


@dataclass(frozen=True, slots=True)
class Unread:
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


@dataclass(frozen=True, slots=True)
class Ledger:
    """The account of one conversion. `segments` are those that were mapped, after the site's fixes."""

    message: Message
    segments: Sequence[Segment]
    plan: Plan
    used: tuple[Used, ...]
    ignored: Reasons

    def unmapped(self) -> tuple[Unread, ...]:
        """Every populated field that no rule read and no map names as ignored, in message order."""
        return tuple(unread for _, unread in self.unread())

    def unread(self) -> Iterator[tuple[int, Unread]]:
        """As `unmapped`, each with the number of its segment in `segments`."""
        reads = self.plan.reads
        if len(self.used) < len(self.plan.entries):
            names = [segment.name for segment in self.segments]
            reads = fields_read([(one.entry, one.compiled) for one in self.used], names, self.ignored)
        for index, (segment, (whole, parts)) in enumerate(zip(self.segments, reads, strict=True)):
            for number, raw in enumerate(segment.fields):
                if raw and number not in whole:
                    yield from ((index, one) for one in _left(segment, number, raw, parts.get(number)))

    def lineage(self) -> Iterator[Lineage]:
        """For every element that was made, the paths, rule and bytes it came from."""
        for used in self.used:
            for rule in used.compiled.map.rules:
                yield from self._of_rule(used, rule)
            if used.compiled.names_identifier:
                yield from self._of_identity(used)

    def _of_rule(self, used: Used, rule: Rule) -> Iterator[Lineage]:
        if not _has(used.resource, rule.target) or (rule.unless and any(self.filled(used, rule.unless))):
            return
        for path in rule.sources:
            fields = (path.field,) if path.field else CONVERTERS[rule.converter].fields
            for index in self.filled(used, path):
                for field in fields:
                    one = Path2(path.segment, field, path.component)
                    if self.segments[index].raw(field):
                        yield self._line(used, index, one, (".".join(rule.target), rule.place))

    def _of_identity(self, used: Used) -> Iterator[Lineage]:
        identity = used.compiled.map.identity
        for alternatives in identity.paths:
            found = ((index, path) for path in alternatives for index in self.filled(used, path))
            for index, path in found:
                if self.segments[index].text(str(path)):
                    yield self._line(used, index, path, ("identifier", identity.place))
                    break

    def _line(self, used: Used, index: int, path: Path2, to: tuple[str, Place]) -> Lineage:
        position = self.segments[index].position
        text = str(path).replace(path.segment, self.plan.labels[index], 1)
        return Lineage(used.reference, to[0], text, position, str(to[1]), byte_span(self.message, position, path.field))

    def filled(self, used: Used, path: Path2) -> list[int]:
        """The numbers of the segments in `segments` that give a path of this map a value."""
        slot = used.compiled.slots.index((path.segment, not path.field))
        index = used.entry.slots[slot]
        if index is None:
            return []
        indices = index if isinstance(index, tuple) else (index,)
        return [one for one in indices if not path.field or self.segments[one].raw(path.field)]


def _has(resource: Mapping[str, Any], target: Sequence[str]) -> bool:
    """Whether a rule's element was written: a code without a row, for one, writes none."""
    *parents, last = target
    holder: Any = resource
    for parent in parents:
        holder = holder.get(parent, {})
    return any(name.startswith(last[:-3]) for name in holder) if last.endswith("[x]") else last in holder


def _left(segment: Segment, number: int, raw: str, components: frozenset[int] | None) -> list[Unread]:
    if components is None:
        return [Unread(segment.name, segment.position, number)]
    if raw == NULL or ("^" not in raw and 1 in components):
        return []
    return [
        Unread(segment.name, segment.position, number, component)
        for component in _valued(raw)
        if component not in components
    ]


@lru_cache(maxsize=20_000)
def _valued(raw: str) -> tuple[int, ...]:
    field = split_field(raw, STANDARD)
    return tuple(sorted({n for repetition in field for n, component in enumerate(repetition, 1) if any(component)}))
