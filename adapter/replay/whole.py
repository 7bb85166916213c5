"""The whole log into an empty store: is what is stored what the messages say by the present mappings?"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from adapter.errors import ConfigurationError
from adapter.replay.present import Present
from adapter.store import copying
from adapter.store.database import Database
from adapter.store.fingerprint import differing, fingerprint
from adapter.worker import Worker

SHOWN = 20
"""Resources that are named where two stores differ."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Two stores: how many messages were converted, the fingerprints, and the first resources that differ."""

    messages: int
    source: str
    target: str
    differing: list[str]

    @property
    def same(self) -> bool:
        """Whether both hold the same."""
        return self.source == self.target


def into(
    source: Database,
    target: Database,
    present: Present,
    *,
    clock: Callable[[], datetime],
    progress: Callable[[int], object],
) -> Compared:
    """Convert the log of one store into another.

    Args:
        source: only read.
        target: empty.
        present: the mappings.
        clock: the time in UTC.
        progress: is told how many messages were copied or converted since.

    Raises:
        ConfigurationError: the target holds something.
        StorageUnavailable: a database failed.
    """
    if not copying.is_empty(target):
        raise ConfigurationError("the store to replay into is not empty: give a new folder")
    present.define(target, clock())
    copied = copying.copy(source, target, replayed=True, progress=progress)
    worker = Worker(target, name="replay", convert=present.convert, rules=present.rules, clock=clock)
    while done := worker.run_once():
        progress(done)
    copying.forget_replies(target)
    here, there = fingerprint(source), fingerprint(target)
    found = differing(source, target, limit=SHOWN) if here != there else []
    copying.copy(source, target, replayed=False, progress=lambda _: None)
    return Compared(copied, here, there, found)
