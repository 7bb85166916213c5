"""PostgreSQL restarts, waits for a standby, has no connection free, or finds a deadlock."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import ExitStack, contextmanager
from functools import partial

import psycopg
import pytest

from adapter.errors import StorageUnavailable
from adapter.intake.writer import Writer
from adapter.store import durability, inbox
from adapter.store.database import Database, open_database, rows
from tests import postgres
from tests.durability.feed import numbered
from tests.integration.intake_stand import Stand, run, segments, stand
from tests.store_stand import new_message


@pytest.fixture
def own_server() -> Generator[postgres.Server]:
    """A server that this test may kill or reconfigure."""
    folder = postgres.binaries()
    if folder is None:
        pytest.skip("PostgreSQL is not installed on this machine: no initdb was found")
    with postgres.running(folder) as server:
        yield server


def url_of(server: postgres.Server) -> str:
    return f"{server.url}/postgres"


def plain(url: str) -> str:
    """As psycopg wants it."""
    return url.replace("+psycopg", "")


async def accepted(it: Stand, number: int) -> bool:
    answer = await it.receive(numbered(number, patients=4))
    assert answer.close or segments(answer.ack)["MSA"][1] == "CA"
    return not answer.close


async def until(done: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(3000):
        if await done():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it took too long")


async def reached(acknowledged: list[int], wanted: int) -> bool:
    return len(acknowledged) >= wanted


def numbers(it: Stand) -> list[int]:
    return sorted(int(row["control_id"].removeprefix("LIS")) for row in it.rows("SELECT control_id FROM message"))


def test_f14_restarts_under_load_lose_nothing_that_was_acknowledged(own_server: postgres.Server):
    acknowledged: list[int] = []
    with stand(url_of(own_server)) as it:

        async def sender(mine: int) -> None:
            for number in range(mine, 400, 8):
                await until(partial(accepted, it, number))
                acknowledged.append(number)

        async def restarts() -> None:
            for wanted in (100, 200, 300):
                await until(partial(reached, acknowledged, wanted))
                own_server.kill()
                await asyncio.to_thread(start_again, own_server)

        async def scene() -> None:
            await asyncio.gather(restarts(), *map(sender, range(8)))
            await it.intake.close()

        run(scene)
        assert sorted(acknowledged) == numbers(it) == list(range(400))


def start_again(server: postgres.Server) -> None:
    """The children of the killed server hold its memory until they have noticed."""
    for _ in range(100):
        try:
            server.start()
        except RuntimeError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("PostgreSQL does not start again")


def test_f15_nothing_is_acknowledged_before_the_standby_that_is_asked_for_has_it(own_server: postgres.Server):
    with stand(url_of(own_server)) as it:
        assert told(it.database)["synchronous_standby_names"].advice

        async def scene() -> None:
            assert await accepted(it, 0)
            await asyncio.to_thread(ask_for, own_server, "far")
            assert not await accepted(it, 1)
            await asyncio.to_thread(ask_for, own_server, "")
            assert await accepted(it, 1)
            await it.intake.close()

        run(scene)


def ask_for(server: postgres.Server, standby: str) -> None:
    with psycopg.connect(plain(url_of(server)), autocommit=True) as connection:
        connection.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{standby}'".encode())
        connection.execute("SELECT pg_reload_conf()")
        due = time.monotonic() + 20
        while connection.execute("SHOW synchronous_standby_names").fetchone() != (standby,) and time.monotonic() < due:
            time.sleep(0.05)


def told(database: Database) -> dict[str, durability.Fact]:
    return {one.name: one for one in durability.facts(database)}


def test_f15_doctor_is_told_what_commits_wait_for(own_server: postgres.Server):
    with psycopg.connect(plain(url_of(own_server)), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET synchronous_standby_names = 'near'")
        connection.execute("ALTER DATABASE postgres SET synchronous_commit = 'local'")  # or the migration would wait
        connection.execute("SELECT pg_reload_conf()")
    database = open_database(url_of(own_server))
    facts = told(database)
    database.close()
    assert facts["synchronous_standby_names"] == durability.Fact("synchronous_standby_names", "near")
    assert facts["full_page_writes"] == durability.Fact("full_page_writes", "on")
    assert facts["fsync"].advice  # servers of tests do without
    assert facts["synchronous_commit"].advice


def test_f5_commits_wait_for_the_disk_even_where_the_database_does_without(postgres_url: str):
    name = postgres_url.rpartition("/")[2]
    with psycopg.connect(plain(postgres_url), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off".encode())
    database = open_database(postgres_url)
    with database.write() as connection:
        assert rows(connection, "SHOW synchronous_commit")[0][0] == "on"
    database.close()


def test_f16_readers_that_take_every_connection_leave_intake_its_own(postgres_url: str):
    with stand(postgres_url) as it, ExitStack() as readers:
        for _ in range(32):
            readers.enter_context(it.database.read())
        with pytest.raises(StorageUnavailable, match="no connection"), it.database.read():
            pass

        async def scene() -> None:
            assert await accepted(it, 1)
            await it.intake.close()

        run(scene)


def test_f17_deadlock_is_tried_again_inside_the_budget(postgres_url: str, caplog: pytest.LogCaptureFixture):
    a, b = new_message("a"), new_message("b")
    with other_intake(postgres_url) as other:
        with other.write() as connection:
            rows(connection, "SELECT set_config('deadlock_timeout', '60s', true)")  # the other one notices
            inbox.insert(connection, [b])
            storing = Storing(postgres_url, [a, b])
            storing.wait_until_it_waits(other)
            inbox.insert(connection, [a])
        storing.join()
    assert storing.stored == 2
    assert [record.message for record in caplog.records].count("transaction_repeated") == 1


def test_f17_serialization_failure_is_tried_again(postgres_url: str, caplog: pytest.LogCaptureFixture):
    name = postgres_url.rpartition("/")[2]
    with psycopg.connect(plain(postgres_url), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'".encode())
    a = new_message("a")
    with other_intake(postgres_url) as other:
        with other.write() as connection:
            inbox.insert(connection, [a])
            storing = Storing(postgres_url, [a])
            storing.wait_until_it_waits(other)
        storing.join()
    assert storing.stored == 1
    assert [record.message for record in caplog.records].count("transaction_repeated") == 1


@contextmanager
def other_intake(url: str) -> Generator[Database]:
    database = open_database(url)
    yield database
    database.close()


class Storing(threading.Thread):
    """The writer of an intake, storing messages in one transaction."""

    def __init__(self, url: str, messages: list[inbox.NewMessage]) -> None:
        super().__init__()
        self.stored, self._url, self._messages = 0, url, messages
        self.start()

    def run(self) -> None:
        database = open_database(self._url)

        async def scene() -> None:
            writer = Writer(database)
            stored = await asyncio.gather(*map(writer.put, self._messages))
            self.stored = len({one.message_id for one in stored})
            await writer.close()

        run(scene)
        database.close()

    @staticmethod
    def wait_until_it_waits(database: Database) -> None:
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        for _ in range(1000):
            with database.read() as connection:
                if rows(connection, waiting)[0][0]:
                    return
            time.sleep(0.02)
        raise AssertionError("nobody waits")


def test_message_that_the_database_cannot_hold_keeps_no_other_out(postgres_url: str):
    database = open_database(postgres_url)

    async def scene() -> None:
        writer = Writer(database)
        some = [new_message(text) for text in ("a", "W" * 2_000_000, "b")]
        stored = await asyncio.gather(*map(writer.put, some), return_exceptions=True)
        assert [isinstance(one, StorageUnavailable) for one in stored] == [False, True, False]
        await writer.close()

    run(scene)
    with database.read() as connection:
        assert rows(connection, "SELECT raw FROM message ORDER BY id") == [(b"a",), (b"b",)]
    database.close()
