"""A curve in the terminal: one column a day, logarithmic."""

import math
from collections.abc import Sequence
from datetime import datetime

from adapter.demo.questions import Point

HEIGHT = 12
MARGIN = 11


def chart(points: Sequence[Point], *, width: int, marks: Sequence[str] = (), threshold: float = 0.5) -> list[str]:
    """Draw the points, newest of a day, with a dotted line at the threshold and `▲` under the marked days.

    Args:
        points: in order of time, values above 0.
        width: of the whole drawing, in characters.
        marks: instants to mark, here the infusions.
        threshold: in the unit of the points.
    """
    days = {_day(point.instant): point.value for point in points if point.value > 0}
    if not days:
        return ["no results"]
    first, last = min(days), max(days)
    step = max(1, math.ceil((last - first + 1) / (width - MARGIN)))
    low, high = math.log10(min(*days.values(), threshold)), math.log10(max(*days.values(), threshold))
    columns = (last - first) // step + 1
    rows = [[" "] * columns for _ in range(HEIGHT)]

    def row(value: float) -> int:
        return HEIGHT - 1 - round((math.log10(value) - low) / ((high - low) or 1) * (HEIGHT - 1))

    rows[row(threshold)] = ["·"] * columns
    for day, value in days.items():
        rows[row(value)][(day - first) // step] = "●"
    lines = [f"{_label(index, low, high):>{MARGIN - 2}} ┤{''.join(cells)}" for index, cells in enumerate(rows)]
    marked = {(_day(mark) - first) // step for mark in marks}
    lines.append(" " * (MARGIN - 1) + "└" + "".join("▲" if column in marked else "─" for column in range(columns)))
    return lines


def _day(instant: str) -> int:
    return datetime.fromisoformat(instant).toordinal()


def _label(index: int, low: float, high: float) -> str:
    if index not in {0, HEIGHT // 2, HEIGHT - 1}:
        return ""
    return f"{10 ** (high - (high - low) * index / (HEIGHT - 1)):.2f}"
