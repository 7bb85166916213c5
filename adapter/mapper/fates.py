"""What became of every populated field of a message: mapped, ignored with a reason, or read by no rule."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from adapter.hl7v2.message import Message
from adapter.mapper.compiled import Reasons, sources
from adapter.mapper.ledger import Ledger, Used
from adapter.mapper.paths import Path2

MAPPED, PARTLY, IGNORED, UNMAPPED = "mapped", "partly", "ignored", "unmapped"
KINDS = (MAPPED, PARTLY, IGNORED, UNMAPPED)

_Where = tuple[int, int]
"""A field: the number of its segment, its own number."""


@dataclass(frozen=True, slots=True)
class Fate:
    """One populated field. `label` names its segment with the occurrence, `left` holds components that no rule read."""

    segment: str
    position: int
    field: int
    label: str
    kind: str
    reason: str = ""
    left: tuple[int, ...] = ()

    @property
    def unread(self) -> tuple[str, ...]:
        """The paths that no rule read, without occurrence: `PV1-10`, or the components of a field read in part."""
        if self.kind == UNMAPPED:
            return (str(Path2(self.segment, self.field)),)
        return tuple(str(Path2(self.segment, self.field, component)) for component in self.left)


def fates(ledger: Ledger) -> Iterator[Fate]:
    """Every populated field of a converted message, in message order."""
    left: dict[_Where, list[int]] = defaultdict(list)
    for index, one in ledger.unread():
        left[index, one.field].append(one.component)
    read, reasons = _read(ledger), _reasons(ledger)
    for index, segment in enumerate(ledger.segments):
        for number, raw in enumerate(segment.fields):
            if not (number and raw):
                continue
            at, kind, reason = (index, number), MAPPED, ""
            parts = tuple(left.get(at, ()))
            if parts:
                kind, parts = (UNMAPPED, ()) if parts == (0,) else (PARTLY, parts)
            elif at not in read:
                reason = reasons.get(at) or ledger.ignored.get(segment.name, {}).get(number, "")
                # Without a reason it is read for a resource that refers to that of its segment.
                kind = IGNORED if reason else MAPPED
            label = f"{ledger.plan.labels[index]}-{number}"
            yield Fate(segment.name, segment.position, number, label, kind, reason, parts)


def without_map(message: Message, ignored: Reasons) -> Iterator[Fate]:
    """The same for a message that has no map: what the envelope reads is ignored, all else is unmapped."""
    for segment in message.segments:
        known: Mapping[int, str] = ignored.get(segment.name, {})
        for number, raw in enumerate(segment.fields):
            if number and raw:
                kind, reason = (IGNORED, known[number]) if number in known else (UNMAPPED, "")
                yield Fate(segment.name, segment.position, number, f"{segment.name}-{number}", kind, reason)


def _read(ledger: Ledger) -> set[_Where]:
    """The fields that some rule or identity of a made resource reads."""
    return {
        (index, field)
        for used in ledger.used()
        for path, fields in _paths(used)
        for index in ledger.filled(used, path)
        for field in fields
    }


def _paths(used: Used) -> Iterator[tuple[Path2, Sequence[int]]]:
    segment_map = used.compiled.map
    for rule in segment_map.rules:
        yield from sources(rule)
    for alternatives in segment_map.identity.paths:
        for path in alternatives:
            yield path, (path.field,)


def _reasons(ledger: Ledger) -> dict[_Where, str]:
    """What the maps say of the fields that they leave out; of a field left out in parts the first reason."""
    found: dict[_Where, str] = {}
    for used in ledger.used():
        for path, reason in used.compiled.map.ignored.items():
            for index in ledger.filled(used, path):
                found.setdefault((index, path.field), reason)
    return found
