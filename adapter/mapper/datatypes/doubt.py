"""What a converter says when it is not sure."""

from dataclasses import dataclass, replace
from typing import Any

UNITS, SYSTEMS = "units", "systems"
"""Names of the tables of units and of coding systems, beside those of codes, where something sent has no row."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A code (unit, name of a coding system) as sent that has no row in `table`, with the words sent beside it."""

    table: str
    code: str
    display: str = ""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A value (or None) with an issue.

    Args:
        value: what is written all the same; None for nothing.
        code: HL7 table 0357 (101 missing, 102 data type error, 103 table value not found).
        text: for people; never holds a value of the message. Empty where only a row of
            ours is missing, and the message says nothing wrong.
        kind: short name that issues are counted by, such as `unmapped-code`.
        source: which of the sources of the rule is doubted; unless it is missing, the first from it on that is valued.
        sent: what has no row; for the worklist alone, never for a text.
    """

    value: Any
    code: str
    text: str
    kind: str
    source: int = 0
    sent: tuple[Sent, ...] = ()

    def of(self, value: Any, *, source: int | None = None) -> "Doubt":
        """The same doubt about another value, perhaps about another source of the rule."""
        return replace(self, value=value, source=self.source if source is None else source)


def without_doubt(made: Any) -> Any:
    """The value alone."""
    return made.value if isinstance(made, Doubt) else made


def doubted_as(made: Any, value: Any) -> Any:
    """A value that was made of another one, with the doubt about that."""
    return made.of(value) if isinstance(made, Doubt) else value


def about_source(made: Any, source: int) -> Any:
    """The same, where a doubt is about that source of the rule."""
    return made.of(made.value, source=source) if isinstance(made, Doubt) else made


CLEARED = Doubt(None, "0", "", "cleared")
"""Not doubtful: the message takes the element away, as HL7 null does."""
