"""What a converter says when it is not sure."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Doubt:
    """A value (or None) with an issue.

    Args:
        value: what is written all the same; None for nothing.
        code: HL7 table 0357 (101 missing, 102 data type error, 103 table value not found).
        text: for people; never holds a value of the message.
        kind: short name that issues are counted by, such as `unmapped-code`.
        source: which of the sources of the rule is doubted; unless it is missing, the first from it on that is valued.
    """

    value: Any
    code: str
    text: str
    kind: str
    source: int = 0


def without_doubt(made: Any) -> Any:
    """The value alone."""
    return made.value if isinstance(made, Doubt) else made


CLEARED = Doubt(None, "0", "", "cleared")
"""Not doubtful: the message takes the element away, as HL7 null does."""
