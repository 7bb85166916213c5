"""What there is most of in the rows, in few bytes: plotted points, and the doses of a course."""

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from sys import intern

from adapter.trial.points import POINTS, Points
from adapter.trial.record import Dose

_VALUES = struct.Struct(f"{len(POINTS)}d")


@dataclass(frozen=True, slots=True)
class PackedPoints:
    """Points (adapter/trial/points.py) in little memory: nine doubles, NaN for what is missing, and one text."""

    numbers: bytes
    joined: str

    @property
    def values(self) -> tuple[float | None, ...]:
        """One value for each of POINTS; None where there is none."""
        return tuple(None if math.isnan(value) else value for value in _VALUES.unpack(self.numbers))

    @property
    def refs(self) -> list[str]:
        """The measurements that they are."""
        return self.joined.split()

    @property
    def whole(self) -> bool:
        """Whether no point is missing."""
        return None not in self.values


def packed(points: Points) -> PackedPoints:
    """Pack the points of one measurement."""
    values = (math.nan if value is None else value for value in points.values)
    return PackedPoints(_VALUES.pack(*values), " ".join(points.refs))


@dataclass(frozen=True, slots=True)
class Treatment:
    """The doses of one drug in a course, given and held; `amounts` says how those given were calculated."""

    first: date
    last: date
    days: int
    amounts: tuple[str, ...]
    joined: str

    @property
    def refs(self) -> list[str]:
        """The administrations."""
        return self.joined.split()


def treatment(doses: Sequence[Dose]) -> Treatment:
    """Sum up the doses of one drug, of which there is one at least."""
    days = {dose.day for dose in doses}
    amounts = tuple(map(intern, sorted(_amounts(doses))))
    return Treatment(min(days), max(days), len(days), amounts, " ".join(dose.ref for dose in doses))


def _amounts(doses: Sequence[Dose]) -> set[str]:
    """Per m2 or kg as stated; flat ones by how often a day they are due."""
    often = max(sum(one.day == dose.day for one in doses) for dose in doses)
    every = {1: "/day", 2: " q12h"}.get(often, f" {often} times a day")
    given = [dose for dose in doses if dose.given]
    stated = {f"{dose.normalised[0]:g} {dose.normalised[1]}" for dose in given if dose.normalised}
    flat = {f"{dose.amount:g} {dose.unit}{every}" for dose in given if dose.amount and not dose.normalised}
    return stated | flat
