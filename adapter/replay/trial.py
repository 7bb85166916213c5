"""A dry run: everything that a replay does, except that it writes nothing; from reading alone, beside any program."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from adapter.replay.batch import Batch, Batches
from adapter.replay.differences import Differences
from adapter.replay.present import Present
from adapter.replay.run import AT_ONCE, tally
from adapter.replay.said import Conversions
from adapter.store import replays
from adapter.store.browse import last_id
from adapter.store.database import Database
from adapter.store.replays import Selection


class DryRun:
    """One dry run. What would have been made anew is kept in mind, since it is not written."""

    def __init__(self, database: Database, present: Present) -> None:
        """Begin."""
        self._database, self._rules = database, present.rules
        self._batches = Batches(database, Conversions(present.convert, present.own))
        self._assumed: dict[tuple[str, str], tuple[int, ...]] = {}
        self._touched: set[int] = set()
        self._tied: set[tuple[str, str]] = set()
        self._found = Differences()
        self._tally: dict[str, int] = {}

    def run(
        self, selection: Selection, now: datetime, *, progress: Callable[[int, int], object], values: bool = False
    ) -> dict[str, Any]:
        """Look at every selected message.

        Args:
            selection: which.
            now: the time.
            progress: is told how many are done, and of how many.
            values: also tell values, which may be patients' data.

        Returns:
            `messages`, `differ`, `patients`, `resources`, `types`, `elements`, `states`, `failed`, `left`, `held`.
        """
        with self._database.read() as connection:
            newest = last_id(connection)
            selection = replace(selection, last=min(selection.last or newest, newest))
            total, held = replays.count(connection, selection), replays.held(connection, selection)
        after = 0
        while True:
            with self._database.read() as connection:
                chosen = replays.choose(connection, selection, after=after, limit=AT_ONCE)
            if not chosen:
                return self._told(held, values=values)
            batch = self._batches.make(chosen, self._assumed, self._touched)
            self._look(batch, now)
            after = batch.last
            self._tally = tally(self._tally, batch)
            progress(self._tally["messages"], total)

    def _look(self, batch: Batch, now: datetime) -> None:
        with self._database.read() as connection:
            writer = self._rules.writer(connection, now)
            batch.put_into(writer)
            writer.settle()
            changes = {change.name: change for change in writer.changes()}
        self._tied |= changes.keys() - batch.targets.keys()
        for name in batch.targets.keys() - changes.keys() - self._tied:
            self._found.forget(name)
        for change in changes.values():
            # What was only tied to the study is counted once; and not where an earlier batch would have removed it.
            if change.name in batch.targets or change.name not in self._found.kinds:
                self._found.add(change)
        self._assumed |= batch.speakers
        self._touched |= batch.touched

    def _told(self, held: int, *, values: bool) -> dict[str, Any]:
        counted = Counter(self._tally)
        states = {name: counted[name] for name in replays.STATES if counted[name]}
        known = {"messages", "differ", "left", *replays.STATES}
        return {
            "mapping": self._rules.mapping,
            "messages": counted["messages"],
            "differ": counted["differ"],
            **self._found.told(values=values),
            "states": states,
            "failed": {code: number for code, number in counted.items() if code not in known},
            "left": counted["left"],
            "held": held,
        }
