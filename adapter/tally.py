"""Counting on the way of a message: plain numbers of one process, read when somebody asks for metrics.

Nothing here knows a message: labels are sites, listeners, accepted types, states and codes. Adding costs less than a
microsecond; no lock is needed, since each number is written by one thread alone.
"""

import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.sharedctypes import RawArray
from typing import Any

OTHER = "other"
"""A type that is not accepted: senders must not make labels."""

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""The upper bounds of the histograms."""

_ENDED = ("mapped", "unmapped", "held")


@dataclass(slots=True)
class Histogram:
    """How long something took: how often up to each of `SECONDS`, then longer; and the sum."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(SECONDS) + 1))
    total: float = 0.0


class Tally:
    """What the intake of one process counts."""

    def __init__(self, types: frozenset[str] = frozenset()) -> None:
        """Count from nothing; `types` are those that may become labels."""
        self._types = types
        self.messages: dict[tuple[str, str, str, str, str], int] = {}
        """By site, channel, type, state, code of the answer."""
        self.resends: Counter[tuple[str, str]] = Counter()
        """By site and channel."""
        self.notices: Counter[tuple[str, str]] = Counter()
        """By channel and kind: noise, empty frames, refused connections."""
        self.latency: dict[str, Histogram] = {}
        """By channel: from the whole message to its answer."""
        self.begun: dict[str, int] = {}
        """By channel: messages that came; those of `latency` are answered."""

    def begin(self, channel: str) -> float:
        """A message is whole; returns what `end` needs."""
        begun = self.begun
        begun[channel] = begun.get(channel, 0) + 1
        return time.perf_counter()

    def end(self, channel: str, began: float) -> None:
        """Its answer is on the way."""
        seconds = time.perf_counter() - began
        try:
            histogram = self.latency[channel]
        except KeyError:
            histogram = self.latency[channel] = Histogram()
        histogram.counts[bisect_left(SECONDS, seconds)] += 1
        histogram.total += seconds

    def in_flight(self, channel: str) -> int:
        """How many messages wait for their answer."""
        done = self.latency.get(channel)
        return self.begun.get(channel, 0) - (sum(done.counts) if done else 0)

    def stored(self, key: tuple[str, str, str, str, str]) -> None:
        """A message was stored and answered: its site, channel, type, state, code."""
        counted = self.messages
        counted[key] = counted.get(key, 0) + 1

    def label(self, kind: str) -> str:
        """The type as it may stand in a label."""
        return kind if kind in self._types else OTHER


class Work:
    """What one worker counts, in memory that its process shares with the service."""

    def __init__(self, cells: Any = None) -> None:
        """Count from nothing, or in the cells of another process's `Work`."""
        self.cells = cells or RawArray("d", len(_ENDED) + len(SECONDS) + 2)

    def batch(self, seconds: float, states: Sequence[str]) -> None:
        """Messages were converted and written in one transaction."""
        for state in states:
            if state in _ENDED:
                self.cells[_ENDED.index(state)] += 1
        self.cells[len(_ENDED)] += seconds
        self.cells[len(_ENDED) + 1 + bisect_left(SECONDS, seconds)] += 1

    @property
    def ended(self) -> dict[str, int]:
        """Messages by the state in which they ended."""
        return {state: int(self.cells[number]) for number, state in enumerate(_ENDED)}

    @property
    def batches(self) -> Histogram:
        """How long the transactions took."""
        return Histogram([int(one) for one in self.cells[len(_ENDED) + 1 :]], self.cells[len(_ENDED)])
