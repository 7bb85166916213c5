"""What a person should know of a conversion: issues, and what was sent that has no row in a table."""

from collections.abc import Sequence
from typing import NamedTuple

from adapter.hl7v2.message import Segment
from adapter.mapper.compiled import Told
from adapter.mapper.datatypes.doubt import Doubt, Sent
from adapter.mapper.makers import CLEARED, DEFAULTED, Doubts
from adapter.mapper.plan import Entry, Plan

MISSING = "101"
"""HL7 table 0357: what is missing is named itself, and not the first source that is there."""


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

    def __init__(self, segments: Sequence[Segment], plan: Plan) -> None:
        """Begin without any."""
        self._segments, self._plan = segments, plan
        self.found: list[Issue] = []
        self.missing: list[Missing] = []

    def clear(self) -> None:
        """Begin anew."""
        self.found.clear()
        self.missing.clear()

    def of_entry(self, entry: Entry, severity: str, code: str, text: str, kind: str) -> None:
        """Tell something of a whole resource."""
        self.found.append(Issue(severity, code, self._plan.labels[entry.index], text, entry.map, kind))

    def doubted(self, doubt: Doubt, path: str, rule: str) -> None:
        """Tell a doubt about what was read at a path."""
        self.found.append(Issue("warning", doubt.code, path, doubt.text, rule, doubt.kind))
        for sent in doubt.sent:
            self.missing.append(Missing(path, doubt.kind, sent))

    def of_rules(self, entry: Entry, doubts: Doubts) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Tell what is doubtful; return the elements that were set by default, and those that were cleared."""
        defaults: list[str] = []
        cleared: list[str] = []
        for number, doubt in doubts:
            told = entry.compiled.told[number]
            if doubt is CLEARED:
                cleared.append(told.target)
            elif doubt is DEFAULTED:
                defaults.append(told.target)
            else:
                self.doubted(doubt, self._path(entry, told, doubt), told.place)
        return tuple(defaults), tuple(cleared)

    def _path(self, entry: Entry, told: Told, doubt: Doubt) -> str:
        """The first source that the message has: of several that a rule takes the others may be absent."""
        slot, _, suffix = told.sources[0] if len(told.sources) == 1 else self._meant(entry, told, doubt)
        filled = self._plan.filled(entry, slot)
        return (self._plan.labels[filled[0]] if filled else entry.compiled.slots[slot][0]) + suffix

    def _meant(self, entry: Entry, told: Told, doubt: Doubt) -> tuple[int, int, str]:
        first = doubt.source
        meant = told.sources[first : first + 1 if doubt.code == MISSING else None] or told.sources
        return next((one for one in meant if self._valued(entry, *one[:2])), meant[0])

    def _valued(self, entry: Entry, slot: int, field: int) -> bool:
        filled = self._plan.filled(entry, slot)
        return bool(filled) and (not field or bool(self._segments[filled[0]].raw(field)))
