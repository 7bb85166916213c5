"""The worker: takes messages from the inbox, converts them, and writes what they say. Here core and store meet.

Resources, index rows and the final state of a message are one transaction: whatever dies between two steps, the
message is converted again, and converting it again changes nothing.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from adapter import failpoints
from adapter.convert import Converted
from adapter.converting import Bug, Done, bounded, converted, findings
from adapter.done import identified, judged
from adapter.errors import AdapterError, Held, StorageUnavailable
from adapter.judge.verdict import Rule
from adapter.log import event
from adapter.mapper.ids import resource_id
from adapter.replies import owed
from adapter.store import inbox, lanes, worklist
from adapter.store.database import Connection, Database, refused
from adapter.store.index import SearchIndex
from adapter.store.lanes import Claimed, Finished
from adapter.store.members import Study
from adapter.store.merge import MergeRule
from adapter.store.resources import ResourceWriter
from adapter.store.revise import Writing
from adapter.tally import Work
from adapter.telling import told
from adapter.trial.study import DEPENDENT, StudyRules, subject_number, tie, untie

ATTEMPTS = 5
"""A message that fails this often without a named reason is held (F24)."""

LEASE_SECONDS = 30.0

_SHARED_SECONDS = 0.008  # so long a transaction may last while intake waits for its turn
_ALONE_SECONDS = 0.25  # and so long when nobody waits: what a transaction costs is shared by more messages
_MOST = 250  # messages at once
_FIRST = 10
_RETRIES = 3  # of a transaction: deadlock, another process's write (F17)
_PAUSE = 1.0  # seconds between looks at an empty inbox, or at a storage that failed


@dataclass(frozen=True, slots=True)
class Rules:
    """What a worker follows when it writes: search parameters, merge.yaml, study.yaml, and what is judged before.

    `mapping` is the version of the mappings.
    """

    search_index: SearchIndex
    merge: Mapping[str, MergeRule]
    study: StudyRules
    mapping: str = ""
    judged: Sequence[Rule] = ()

    @property
    def tied(self) -> Study:
        """What ties resources to the study."""
        return Study(
            partial(subject_number, study=self.study),
            partial(tie, study=self.study, identify=resource_id),
            partial(untie, study=self.study),
            DEPENDENT,
        )

    def writer(self, connection: Connection, now: datetime) -> ResourceWriter:
        """What writes resources by these rules, tied to the study."""
        return ResourceWriter(connection, self.search_index, self.merge, now, study=self.tied)

    def writing(self, connection: Connection, now: datetime) -> Writing:
        """What carries out identity events by these rules."""
        return Writing(connection, self.search_index, self.merge, self.tied, 0, now)


class Worker:
    """One worker; several may share a PostgreSQL inbox, each with a name of its own."""

    def __init__(
        self,
        database: Database,
        *,
        name: str,
        convert: Callable[[Claimed], Converted],
        rules: Rules,
        clock: Callable[[], datetime],
    ) -> None:
        """Make a worker.

        Args:
            database: inbox and store.
            name: the owner of its leases, used by no other worker, alive or dead.
            convert: the core: one message in, resources and the account out.
            rules: what it follows when it writes.
            clock: the time in UTC, for lastUpdated.
        """
        self._database, self._name, self._convert, self._rules, self._clock = database, name, convert, rules, clock
        self._batch, self._failed = _FIRST, False
        self.work = Work()
        self.spare: Callable[[], int] = lambda: 0
        """What to do a piece of when no message waits; 0 where there was nothing to do."""

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; a storage that fails is tried again after a pause."""
        while not stop.is_set():
            try:
                if not self.run_once() and not self.spare():
                    self._database.wait(_PAUSE)
            except StorageUnavailable as failure:
                event("worker_paused", level=logging.ERROR, failure=failure, worker=self._name)
                stop.wait(_PAUSE)

    def run_once(self) -> int:
        """Convert and write the next messages.

        Returns:
            How many reached a state; 0 when none could be taken.

        Raises:
            StorageUnavailable: the database failed; nothing of these messages was written.
        """
        if self._failed:
            with self._database.write() as connection:
                lanes.forgive(connection, worker=self._name)
            self._failed = False
        claimed = lanes.claim(self._database, limit=self._batch, worker=self._name, lease_seconds=LEASE_SECONDS)
        if not claimed:
            return 0
        failpoints.reach("claimed")
        done, untried = self._convert_all(claimed)
        failpoints.reach("converted")
        self._failed = True
        written = self._tried(done, untried)
        if isinstance(written, Bug):
            self._blame(done, written)
        self._failed = False
        return len(claimed)

    def _convert_all(self, claimed: list[Claimed]) -> tuple[list[Done], list[int]]:
        """Convert in order; what follows a message of its lane that failed is not tried.

        A message with identity events is written alone: it changes what is stored of others.
        """
        done: list[Done] = []
        untried: list[int] = []
        blocked: set[str] = set()
        for place, one in enumerate(claimed):
            if one.lane in blocked:
                untried.append(one.id)
                continue
            result = self._converted(one)
            if result.identities and done:
                return done, [*untried, *(late.id for late in claimed[place:])]
            if result.finished.state in {"held", "received"}:
                blocked.add(one.lane)
            done.append(result)
            if result.identities:
                return done, [*untried, *(late.id for late in claimed[place + 1 :])]
        return done, untried

    def _converted(self, claimed: Claimed) -> Done:
        """Convert one message, whatever happens."""
        if claimed.attempts > ATTEMPTS:
            return _poison(claimed, "its worker died")
        made = converted(claimed, self._convert)
        if isinstance(made, Done):
            return made
        event("conversion_failed", level=logging.ERROR, failure=made.exception, message_id=claimed.id)
        if claimed.attempts < ATTEMPTS:
            return Done(claimed, Finished(claimed.id, "received"))
        return _poison(claimed, type(made.exception).__name__)

    def _tried(self, done: Sequence[Done], untried: Sequence[int]) -> Bug | None:
        """Write, again where the database was only in a bad moment (F17).

        Returns:
            Why one of these messages cannot be written at all, or None: they are.
        """
        for attempt in range(1, _RETRIES + 1):
            try:
                return bounded(partial(self._write, done, untried))
            except StorageUnavailable as failure:
                if refused(failure):
                    return Bug(failure)
                if attempt == _RETRIES:
                    raise
        return None

    def _blame(self, done: Sequence[Done], bug: Bug) -> None:
        """Return messages of which one cannot be written: taken one by one (F24), it shows which it is."""
        event("writing_failed", level=logging.ERROR, failure=bug.exception, messages=len(done))
        with self._database.write() as connection:
            if len(done) == 1 and done[0].claimed.attempts >= ATTEMPTS:
                held = _poison(done[0].claimed, type(bug.exception).__name__)
                lanes.finish(connection, [held.finished], worker=self._name)
                owed.write(connection, [held.finished.id])
            lanes.release(connection, worker=self._name)

    def _write(self, done: Sequence[Done], untried: Sequence[int]) -> None:
        with self._database.write() as connection:
            started = time.monotonic()
            now = self._clock()
            writer = self._rules.writer(connection, now)
            done, kept_back = judged(connection, done, self._rules.judged)
            untried = [*untried, *kept_back]
            for one in done:
                for mapped in one.resources:
                    writer.put(mapped, site=one.claimed.site, message_id=one.claimed.id)
            writer.flush()
            done = told(connection, done, writer.effects, now=now)
            inbox.add_findings(connection, findings(done))
            worklist.write(connection, [(one.claimed.id, one.lacking) for one in done])
            ended = [one.finished for one in done if one.finished.state != "received"]
            lanes.finish(connection, ended, worker=self._name, mapping=self._rules.mapping)
            owed.write(connection, [one.id for one in ended])
            # What waits may have been held just now, before what it waits for.
            identified(self._rules.writing(connection, now), done)
            lanes.give_back(connection, untried, worker=self._name)
            lanes.release(connection, worker=self._name)
            waiting = self._database.others_wait
            failpoints.reach("before_write")
        failpoints.reach("after_write")
        seconds = time.monotonic() - started
        self.work.batch(seconds, [one.finished.state for one in done])
        self._adapt(seconds / max(1, len(done)), _SHARED_SECONDS if waiting else _ALONE_SECONDS)
        for one in done:
            if one.finished.state == "held":
                event("message_held", level=logging.WARNING, message_id=one.claimed.id, code=one.finished.cause_code)

    def _adapt(self, each: float, seconds: float) -> None:
        """Take as many messages next time as fit into one transaction; many more only little by little."""
        self._batch = max(1, min(round(seconds / each), self._batch * 2, _MOST))


def _poison(claimed: Claimed, reason: str) -> Done:
    text = f"converting failed {ATTEMPTS} times: {reason}"
    return Done(claimed, Finished(claimed.id, "held", Held.code, text, AdapterError.mender))
