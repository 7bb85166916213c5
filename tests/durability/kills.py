"""`kill -9` between every pair of steps, while senders send the same bytes until they are acknowledged.

    python -m tests.durability.kills sqlite|postgresql [--kills N] [--whole] [--seed S]

At the end the store is compared with that of an undisturbed run of the same messages.
"""

import argparse
import asyncio
import random
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from adapter.failpoints import POINTS
from adapter.fhir.json import loads
from adapter.store.database import look_into, open_database, rows
from adapter.store.database import run as run_sql
from tests import postgres
from tests.durability.feed import numbered
from tests.durability.lives import Forked, Life, Whole, kill

PATIENTS = 24
SENDERS = 4
PACE = 0.02  # seconds between two messages of a sender
PATIENCE = 10.0
INTAKE_POINTS = sorted(point for point in POINTS if "commit" in point or "ack" in point)
WORKER_POINTS = sorted(POINTS.difference(INTAKE_POINTS))
Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Senders:
    """Four hospitals' engines: each sends its next message when the one before is acknowledged."""

    port: int
    acknowledged: list[int] = field(default_factory=list[int])
    sent_again: int = 0
    stopped: bool = False

    async def send(self, upto: int | None = None) -> None:
        """Send until `stopped`, or all numbers below `upto`."""
        await asyncio.gather(*(self._sender(mine, upto) for mine in range(SENDERS)))

    async def _sender(self, mine: int, upto: int | None) -> None:
        number, line = mine, None
        while not self.stopped and (upto is None or number < upto):
            line = await self._until_acknowledged(line, numbered(number, patients=PATIENTS))
            self.acknowledged.append(number)
            number += SENDERS
            if upto is None:
                await asyncio.sleep(PACE)
        if line:
            line[1].close()

    async def _until_acknowledged(self, line: Line | None, raw: bytes) -> Line:
        while True:
            try:
                line = line or await asyncio.open_connection("127.0.0.1", self.port)
                async with asyncio.timeout(PATIENCE):
                    await _exchange(line, raw)
            except (OSError, EOFError, TimeoutError):
                self.sent_again += 1
                if line:
                    line[1].close()
                line = None
                await asyncio.sleep(PACE)
            else:
                return line


async def _exchange(line: Line, raw: bytes) -> None:
    reader, writer = line
    writer.write(b"\x0b" + raw + b"\x1c\r")
    answer = await reader.readuntil(b"\x1c\r")
    control_id = raw.split(b"|", 10)[9]
    assert b"|CA|" + control_id in answer.replace(b"MSA|CA", b"|CA"), answer


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run left."""

    acknowledged: int
    sent_again: int
    kills: Counter[str]
    suspected: int
    wrong: list[str]


def run(url: str, undisturbed_url: str, folder: Path, *, kills: int, whole: bool, seed: int = 0) -> Outcome:
    """Kill so many times, then compare."""
    chance, log = random.Random(seed), folder / "log"
    nemesis = Nemesis(url, _free_port(), log, chance, whole=whole)
    senders = Senders(nemesis.port)
    asyncio.run(_disturbed(senders, nemesis, kills))
    quiet = Nemesis(undisturbed_url, _free_port(), log, chance, whole=False)
    asyncio.run(_undisturbed(quiet, max(senders.acknowledged) + 1, set(senders.acknowledged)))
    wrong = compare(url, undisturbed_url, senders.acknowledged)
    return Outcome(len(senders.acknowledged), senders.sent_again, nemesis.kills, nemesis.suspected, wrong)


class Nemesis:
    """Starts the program, and kills it."""

    def __init__(self, url: str, port: int, log: Path, chance: random.Random, *, whole: bool) -> None:
        """On PostgreSQL the intake and the worker live and die apart."""
        self.url, self.port, self.log, self.chance = url, port, log, chance
        self.kills: Counter[str] = Counter()
        self.suspected = 0
        self._whole = whole
        self._parts = ["all"] if whole or url.startswith("sqlite") else ["intake", "worker"]

    async def rage(self, times: int) -> None:
        """Kill so many times."""
        async with asyncio.TaskGroup() as tasks:
            for part in self._parts:
                tasks.create_task(self._rage(part, times))

    async def peace(self, done: Callable[[], bool]) -> None:
        """Let it live until all is done."""
        lives = [self.start(part) for part in self._parts]
        try:
            async with asyncio.timeout(600):
                while not await asyncio.to_thread(done):
                    assert not any(life.ended for life in lives), self.log.read_text()[-2000:]
                    await asyncio.sleep(0.1)
        finally:
            for life in lives:
                life.kill()

    def start(self, part: str, failpoint: str = "") -> Life:
        """Begin a life."""
        if self._whole:
            return Whole(self.url, port=self.port, failpoint=failpoint, log=self.log)
        return Forked(part, self.url, port=self.port, failpoint=failpoint, log=self.log)

    async def _rage(self, part: str, times: int) -> None:
        points = {"all": sorted(POINTS), "intake": INTAKE_POINTS, "worker": WORKER_POINTS}[part]
        while self.kills.total() < times:
            point = self.chance.choice([*points, "any moment"])
            # A whole program starts its workers again; each must come far enough that no message looks like poison.
            times_reached = self.chance.randint(*((3, 9) if self._whole else (1, 6)))
            failpoint = "" if point == "any moment" else f"{point}:{times_reached}"
            life = self.start(part, failpoint)
            if part != "worker":
                await self._until_it_listens(life)
            due = time.monotonic() + (PATIENCE if failpoint else self._any_moment())
            while not life.ended and time.monotonic() < due:
                await asyncio.sleep(0.005)
                if isinstance(life, Whole) and self._worker_killed(life):
                    self.kills["only a worker"] += 1
            self.kills[point if life.ended else "any moment"] += 1
            await asyncio.to_thread(life.kill)

    async def _until_it_listens(self, life: Life) -> None:
        due = time.monotonic() + 60
        while not life.ended and time.monotonic() < due:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            await asyncio.sleep(0.02)

    def _any_moment(self) -> float:
        return self.chance.uniform(0.2, 6.0) if self._whole else self.chance.uniform(0.05, 1.5)

    def _worker_killed(self, life: Whole) -> bool:
        if self.url.startswith("sqlite") or self.chance.random() > 0.002 or life.ended:
            return False
        workers = life.children
        for worker in workers[:1]:
            kill(worker)
        return bool(workers)


async def _disturbed(senders: Senders, nemesis: Nemesis, kills: int) -> None:
    await asyncio.to_thread(lambda: open_database(nemesis.url).close())
    sending = asyncio.create_task(senders.send())
    await nemesis.rage(kills)
    senders.stopped = True
    nemesis.suspected = await asyncio.to_thread(_release, nemesis.url)
    # Whoever still waits for an answer gets it in peace.
    await nemesis.peace(lambda: sending.done() and _finished(nemesis.url))
    await sending


async def _undisturbed(quiet: Nemesis, upto: int, numbers: set[int]) -> None:
    senders = Senders(quiet.port)
    await asyncio.to_thread(lambda: open_database(quiet.url).close())
    sending = asyncio.create_task(_send_these(senders, upto, numbers))
    await quiet.peace(lambda: sending.done() and _finished(quiet.url))
    await sending


async def _send_these(senders: Senders, upto: int, numbers: set[int]) -> None:
    """The numbers of each sender have no gaps, but not all senders came equally far."""
    async with asyncio.TaskGroup() as tasks:
        for mine in range(SENDERS):
            reached = max((one for one in numbers if one % SENDERS == mine), default=-1)
            tasks.create_task(senders._sender(mine, min(upto, reached + 1)))


def _release(url: str) -> int:
    """As an operator does with a message that was there at five deaths and is therefore held (F24); how many were."""
    database = open_database(url)
    try:
        with database.write() as connection:
            held = run_sql(connection, "UPDATE message SET state = 'received' WHERE state = 'held'")
            run_sql(connection, "UPDATE message SET attempts = 0, cause = '' WHERE state = 'received'")
            return held
    finally:
        database.close()


def _finished(url: str) -> bool:
    database = look_into(url)
    try:
        with database.read() as connection:
            return rows(connection, "SELECT count(*) FROM message WHERE state = 'received'")[0][0] == 0
    finally:
        database.close()


def compare(url: str, undisturbed_url: str, acknowledged: list[int]) -> list[str]:
    """What is not as it must be."""
    stored, calm = content(url), content(undisturbed_url)
    wanted = Counter(f"LIS{number:08}" for number in acknowledged)
    wrong = [
        f"{name}: acknowledged, and {stored.messages[name]} times in the inbox"
        for name in wanted
        if stored.messages[name] != 1
    ]
    wrong += [f"{name}: in the inbox {count} times" for name, count in stored.messages.items() if count != 1]
    wrong += [f"{count} messages are {state}" for state, count in stored.states.items() if state != "mapped"]
    for name in stored.versions.keys() | calm.versions.keys():
        mine, other = stored.versions.get(name, []), calm.versions.get(name, [])
        if mine != other:
            wrong.append(f"{name}: {len(mine)} versions, undisturbed {len(other)}")
    return wrong


@dataclass(frozen=True, slots=True)
class Content:
    """The inbox and the store, without what differs from run to run."""

    messages: Counter[str]
    states: dict[str, int]
    versions: dict[tuple[str, str], list[Any]]


def content(url: str) -> Content:
    """Read it."""
    database = look_into(url)
    try:
        with database.read() as connection:
            messages = Counter(row[0] for row in rows(connection, "SELECT control_id FROM message"))
            states = {row[0]: row[1] for row in rows(connection, "SELECT state, count(*) FROM message GROUP BY state")}
            found = rows(
                connection,
                """SELECT resource_type, id, version, body FROM resource UNION ALL SELECT r.resource_type, r.id,
                    h.version, h.body FROM resource_history AS h JOIN resource AS r ON r.key = h.key""",
            )
    finally:
        database.close()
    versions: dict[tuple[str, str], list[Any]] = {}
    for kind, number, version, body in sorted(found, key=lambda row: row[2]):
        versions.setdefault((kind, number), []).append((version, _comparable(bytes(body))))
    return Content(messages, states, versions)


def _comparable(body: bytes) -> dict[str, Any]:
    resource = loads(body)
    for name in ("lastUpdated", "source"):
        resource["meta"].pop(name, None)
    return resource


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def databases(kind: str, folder: Path, stack: ExitStack) -> tuple[str, str]:
    """Two empty databases."""
    if kind == "sqlite":
        return f"sqlite:///{folder}/disturbed/adapter.db", f"sqlite:///{folder}/quiet/adapter.db"
    binaries = postgres.binaries()
    assert binaries, "PostgreSQL is not installed"
    server = stack.enter_context(postgres.server(binaries))
    with psycopg.connect(server.replace("+psycopg", "") + "/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE disturbed")
        connection.execute("CREATE DATABASE quiet")
    return f"{server}/disturbed", f"{server}/quiet"


def main() -> None:
    """Print what was done and what is wrong."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=["sqlite", "postgresql"])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    began = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        urls = databases(chosen.kind, folder, stack)
        outcome = run(*urls, folder, kills=chosen.kills, whole=chosen.whole, seed=chosen.seed)
    print(f"{chosen.kind}{' whole' if chosen.whole else ''}: {outcome.kills.total()} kills, seed {chosen.seed}")
    print(", ".join(f"{name} {count}" for name, count in sorted(outcome.kills.items())))
    print(f"{outcome.acknowledged} messages acknowledged, {outcome.sent_again} times sent again")
    print(f"{outcome.suspected} were held, since five workers had died with them, and were released")
    print(f"{time.monotonic() - began:.0f} s; wrong: {len(outcome.wrong)}", *outcome.wrong[:20], sep="\n  ")


if __name__ == "__main__":
    main()
