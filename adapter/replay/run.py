"""A replay in parts: each part is some transactions, so that it can be stopped at any moment and go on."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from adapter import log
from adapter.converting import findings
from adapter.errors import StorageUnavailable
from adapter.operate.replays import Order, selected, texts_of
from adapter.replay import account
from adapter.replay.batch import Batch, Batches, write
from adapter.replay.present import Present
from adapter.replay.said import Conversions
from adapter.request_errors import BadParameter
from adapter.store import inbox, replays, worklist
from adapter.store.browse import last_id
from adapter.store.database import Database
from adapter.store.replays import Ended, Run

AT_ONCE = 100
"""Messages that are looked at together."""

PART_SECONDS = 1.0
"""A part lasts about so long: whoever asked for it sees progress, and can stop."""

_RETRIES = 5


class Replayer:
    """Carries out replays on one database, by the mappings of one start."""

    def __init__(self, database: Database, present: Present, clock: Callable[[], datetime]) -> None:
        """Make one; `clock` is the time in UTC."""
        self._database, self._rules, self._clock = database, present.rules, clock
        self._batches = Batches(database, Conversions(present.convert, present.own))

    def begin(self, order: Order) -> dict[str, Any]:
        """As `Replays.begin`."""
        self._same(order.mapping)
        if not order.reason.strip() or not order.actor.strip():
            raise BadParameter("whoever changes resources says who and why: actor and reason")
        asked = texts_of(order.selection)
        with self._database.write() as connection:
            newest = last_id(connection)
            up_to = min(order.selection.last or newest, newest)
            selection = replace(order.selection, last=up_to)
            found = {"selected": replays.count(connection, selection), "held": replays.held(connection, selection)}
            run = Run(
                0, asked, order.mapping, order.actor, order.reason, replays.OPEN, up_to, 0, self._clock(), None, found
            )
            run = replays.begin(connection, run)
        log.event("replay_began", replay_id=run.id, mapping=run.mapping)
        return self._told(run)

    def go_on(self, number: int | None, mapping: str) -> dict[str, Any]:
        """As `Replays.go_on`."""
        with self._database.read() as connection:
            chosen = replays.last_open(connection) if number is None else number
            run = replays.find(connection, chosen) if chosen else None
        if run is None:
            raise BadParameter("there is no replay to go on with")
        self._same(mapping)
        self._same(run.mapping)
        until = time.monotonic() + PART_SECONDS
        while run.state == replays.OPEN:
            run = self._step(run)
            if time.monotonic() >= until:
                break
        return self._told(run)

    def _step(self, run: Run) -> Run:
        """The next transaction of a replay."""
        selection = replace(selected(run.asked), last=run.up_to)
        with self._database.read() as connection:
            chosen = replays.choose(connection, selection, after=run.last, limit=AT_ONCE)
        if not chosen:
            return self._end(run)
        for attempt in range(1, _RETRIES + 1):
            batch = self._batches.make(chosen, {}, {one.claimed.id for one in chosen if one.replay_id == run.id})
            try:
                return self._write(run, batch)
            except StorageUnavailable:
                # A worker wrote the same resources meanwhile, or has one of the messages: look again.
                if attempt == _RETRIES:
                    raise
                time.sleep(0.05 * attempt)
        return run

    def _write(self, run: Run, batch: Batch) -> Run:
        ended = [Ended(one.done.finished, one.before) for one in batch.differ]
        mapped = [one.done for one in batch.differ if one.before == "unmapped"]
        with self._database.write() as connection:
            if batch.targets:
                changes = write(connection, batch, self._rules, self._clock()).changes()
                replays.note(connection, run.id, changes)
            replays.touch(connection, run.id, batch.touched)
            replays.end(connection, ended, mapping=self._rules.mapping, replay_id=run.id)
            inbox.add_findings(connection, findings(mapped))
            worklist.write(connection, [(one.done.claimed.id, one.done.lacking) for one in batch.differ])
            return replays.advance(connection, run, last=batch.last, tally=tally(run.tally, batch))

    def _end(self, run: Run) -> Run:
        now = self._clock()
        with self._database.write() as connection:
            run = replays.finish(connection, run, now)
            account.write(connection, run, self._rules, now)
        log.event("replay_ended", replay_id=run.id, mapping=run.mapping, messages=run.tally.get("messages", 0))
        return run

    def _same(self, mapping: str) -> None:
        if mapping != self._rules.mapping:
            here = self._rules.mapping
            raise BadParameter(f"the mappings are {mapping}, but those in force here are {here}: restart the program")

    def _told(self, run: Run) -> dict[str, Any]:
        with self._database.read() as connection:
            return {
                "replay": run.id,
                "state": run.state,
                "messages": run.tally["selected"],
                "done": run.tally.get("messages", 0),
                "tally": dict(run.tally),
                "changed": replays.changed(connection, run.id),
            }


def tally(before: Mapping[str, int], batch: Batch) -> dict[str, int]:
    """Count what became of the messages of a batch, in addition to what was counted."""
    counted = Counter(before)
    counted["messages"] += batch.count
    counted["differ"] += len(batch.differ)
    counted["left"] += len(batch.left)
    counted.update(one.done.finished.state for one in batch.differ if one.done.finished.state != one.before)
    counted.update(batch.failed.values())
    return dict(counted)
