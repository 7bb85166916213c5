"""The form of every converter, and how its function reaches the parts of what it is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from adapter.hl7v2.message import NULL, Component, Field, Repetition
from adapter.mapper.sites import Site

Bound = Callable[..., Any]


class Need(Enum):
    """What is asked, in Python, of the raw text of a source before a converter is: else it would make nothing."""

    VALUE = "{}"
    REPETITIONS = "'~' in {}"
    NO_TEXT = "not {}[:1].isalnum()"
    """Empty, blank, or something else that has to be looked at: what begins with a letter or a digit is a text."""


@dataclass(frozen=True, slots=True)
class Converter:
    """One way from a v2 data type to a FHIR type.

    Args:
        name: as in `as:` of a rule, v2 type and FHIR type.
        makes: the FHIR type of the element that it can be written to; `value[x]` for a dict with that one element.
        bind: called once per rule and site with the v2 paths of the rule; gives the function for messages.
        sources: 1: the function takes one repetition; more: that many whole fields; 0: the tuple of segments.
        reads: components that it reads, for the account of unread data; None for all.
        whole: with one source, the function takes the whole field (the rule says `from: [OBX-8]`).
        clears: with several sources, whether HL7 null in the first alone takes the element away.
        parts: with several sources, the part of the element that HL7 null in each takes away.
        needs: with several sources, what the first must have for anything to be made; nothing by default.
        fields: of sources that are segments, the fields that it reads.
        fields_by: the same by the name of the segment, where the converter reads several.
    """

    name: str
    makes: str
    bind: Callable[[Site, tuple[str, ...]], Bound]
    sources: int = 1
    reads: frozenset[int] | None = None
    whole: bool = False
    fields: tuple[int, ...] = ()
    clears: bool = False
    parts: tuple[str, ...] = ()
    needs: Need | None = None
    fields_by: Mapping[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])

    def fields_of(self, segment: str) -> tuple[int, ...]:
        """The fields that it reads of a segment that is a source as a whole."""
        return self.fields_by.get(segment, self.fields)


def plain(function: Bound) -> Callable[[Site, tuple[str, ...]], Bound]:
    """`bind` of a converter that needs neither site nor path."""

    def bind(_site: Site, _paths: tuple[str, ...]) -> Bound:
        return function

    return bind


def part(repetition: Repetition, component: int, subcomponent: int = 1) -> str:
    """One value, without blanks around it; empty where it is absent or HL7 null."""
    if len(repetition) < component:
        return ""
    parts: Component = repetition[component - 1]
    if len(parts) < subcomponent:
        return ""
    value = parts[subcomponent - 1].strip()
    return "" if value == NULL else value


def first(field: Field, component: int = 1) -> str:
    """One component of the first repetition of a field."""
    return part(field[0], component) if field else ""


def whole_text(repetition: Repetition) -> str:
    """All of a repetition as one text, for types without components (an unescaped delimiter is part of the text)."""
    if len(repetition) == 1 and len(repetition[0]) == 1:
        value = repetition[0][0].rstrip()
    else:
        value = "^".join("&".join(component) for component in repetition).rstrip("^& ")
    return "" if value == NULL else value


def lines(field: Field) -> str:
    """All repetitions of a text field, one a line (FT and TX, HL7 v2.5.1 §2.A.31)."""
    return "\n".join(whole_text(repetition) for repetition in field).strip("\n")
