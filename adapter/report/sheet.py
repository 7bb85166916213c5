"""The numbers of the report: each with its place in the paper, its printed form, and the resources that it rests on."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from adapter.report.resting import Rests, Shelf

UNKNOWN = "NA"
"""Printed for what is not computable."""

_TIE = 1e-9
SMALLEST_P = 0.001


@dataclass(frozen=True, slots=True)
class Number:
    """One number; `note` says how it was made where the label does not."""

    where: str
    label: str
    computed: str
    resources: Rests
    note: str = ""


class Sheet:
    """Numbers in the order in which they were added."""

    def __init__(self, shelf: Shelf) -> None:
        """Begin empty; what the numbers rest on is put on the shelf."""
        self.numbers: list[Number] = []
        self._shelf = shelf

    def add(self, where: str, label: str, computed: object, resources: Iterable[str], note: str = "") -> None:
        """Add one number."""
        self.numbers.append(Number(where, label, str(computed), self._shelf.put(resources), note))


def rounded(value: float | None, digits: int = 0) -> str:
    """Half away from zero, as papers round: 62.5 is printed 63. NA for what is no number."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    scale = 10**digits
    whole = math.floor(abs(value) * scale + 0.5 + _TIE) / scale
    return f"{math.copysign(whole, value) if whole else 0.0:.{digits}f}"


def share(count: int, of: int) -> str:
    """Percent, without decimals; NA of nothing."""
    return rounded(100 * count / of) if of else UNKNOWN


def p_value(p: float) -> str:
    """Three decimals, or <0.001."""
    return "<0.001" if p < SMALLEST_P else rounded(p, 3)


def yes(what: bool) -> str:  # noqa: FBT001
    """The word for it."""
    return "yes" if what else "no"
