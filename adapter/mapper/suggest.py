"""The nearest valid name for one that an analyst misspelt; asked only when a mistake is told."""

import difflib
from collections.abc import Iterable

from adapter.hl7v2 import grammar


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean X?`, or nothing where no known name is near."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else ""


def nearest_path(path: str) -> str:
    """For a v2 path that no version has: the nearest segment, or how many fields or components there are."""
    segment, _, rest = path.partition("-")
    if not grammar.has_path(segment):
        return nearest(segment, grammar.segments())
    field = rest.partition(".")[0]
    if not grammar.has_path(f"{segment}-{field}"):
        return f"; {segment} has the fields 1 to {_last(segment)}"
    return f"; {segment}-{field} has the components 1 to {_last(f'{segment}-{field}')}"


def _last(path: str) -> int:
    """The greatest number below a path, in any version."""
    join = "." if "-" in path else "-"
    return max(number for number in range(1, 100) if grammar.has_path(f"{path}{join}{number}"))
