"""What a person should know of a conversion: issues, and what was sent that has no row in a table."""

from collections.abc import Sequence
from typing import NamedTuple

from adapter.hl7v2.message import new_tuple
from adapter.mapper.compiled import Slots, Source
from adapter.mapper.datatypes.doubt import Doubt, Sent
from adapter.mapper.makers import CLEARED, DEFAULTED, Doubts
from adapter.mapper.plan import Entry, Plan

MISSING = "101"
"""HL7 table 0357: what is missing is named itself, and not the first source that is there."""

_CLEARED = CLEARED.kind


class Issue(NamedTuple):
    """Something that a person should know; `text` never holds a value of the message."""

    severity: str
    code: str
    path: str
    text: str
    rule: str
    kind: str


class Missing(NamedTuple):
    """What was sent at a path and has no row; `kind` is that of the issue. It holds values of the message."""

    path: str
    kind: str
    sent: Sent


class Issues:
    """Those of one conversion, in the order in which they were found."""

    def __init__(self, plan: Plan) -> None:
        """Begin without any."""
        self._plan, self._labels = plan, plan.labels
        self.found: list[Issue] = []
        self.missing: list[Missing] = []

    def clear(self) -> None:
        """Begin anew."""
        self.found.clear()
        self.missing.clear()

    def of_entry(self, entry: Entry, severity: str, code: str, text: str, kind: str) -> None:
        """Tell something of a whole resource."""
        self.found.append(Issue(severity, code, self._labels[entry.index], text, entry.map, kind))

    def doubted(self, doubt: Doubt, path: str, rule: str) -> None:
        """Tell a doubt about what was read at a path; one without a text is for the worklist alone."""
        kind, text = doubt.kind, doubt.text
        if text:
            self.found.append(new_tuple(Issue, ("warning", doubt.code, path, text, rule, kind)))
        for sent in doubt.sent:
            self.missing.append(new_tuple(Missing, (path, kind, sent)))

    def of_rules(self, entry: Entry, slots: Slots, doubts: Doubts) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Tell what is doubtful; return the elements that were set by default, and those that were cleared."""
        defaults = cleared = ()
        told, own_label = entry.compiled.told, self._labels[entry.index]
        for number, doubt in doubts:
            place, target, sources = told[number]
            if doubt is DEFAULTED:
                defaults = (*defaults, target)
            elif doubt.kind == _CLEARED:
                element = entry.compiled.map.rules[number].cleared
                cleared = (*cleared, f"{element}.{doubt.text}" if doubt.text else element)
            else:
                slot, _, suffix = sources[0] if len(sources) == 1 else _meant(sources, slots, doubt)
                self.doubted(doubt, (self._label(entry, slot) if slot else own_label) + suffix, place)
        return defaults, cleared

    def _label(self, entry: Entry, slot: int) -> str:
        """The segment of a slot with its occurrence: `OBX[3]`."""
        filled = self._plan.filled(entry, slot)
        return self._labels[filled[0]] if filled else entry.compiled.slots[slot][0]


def _meant(sources: Sequence[Source], slots: Slots, doubt: Doubt) -> Source:
    """The first source that the message has: of several that a rule takes the others may be absent."""
    first = doubt.source
    meant = sources[first : first + 1] if doubt.code == MISSING else sources[first:]
    for source in meant:
        slot, field, _ = source
        if slots[slot] and (not field or slots[slot][field]):
            return source
    return meant[0] if meant else sources[0]
