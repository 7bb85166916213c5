"""Finding messages among many: every documented filter walks an index, and pages are whole."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapter.store import browse, standing
from adapter.store.browse import Filter
from adapter.store.database import Database, micros, run_many
from adapter.store.forecast import forecast

MANY = 100_000
START = datetime(2026, 1, 1, tzinfo=UTC)
COLUMNS = (
    *("site", "channel", "transport", "peer", "control_id", "message_type", "event", "structure", "version"),
    *(
        "encoding",
        "lane",
        "sha256",
        "state",
        "cause_code",
        "cause",
        "mender",
        "ack_code",
        "received_at",
        "flags",
        "raw",
    ),
)
SITES = ("FAHZU", "YIWU", "JHAH", "LISHUI")
TYPES = (("ORU", "R01"), ("ADT", "A08"), ("ADT", "A01"))


def generated(count: int, *, first: int = 1) -> list[tuple[Any, ...]]:
    """Synthetic rows: mostly mapped, one in a thousand held, one in five hundred refused, one in a hundred flagged."""
    made: list[tuple[Any, ...]] = []
    for number in range(first, first + count):
        state, cause = ("held", "H2F-3001") if number % 1000 == 0 else ("mapped", "")
        if number % 500 == 7:
            state, cause = "rejected", "H2F-2005"
        kind, event = TYPES[number % 3]
        flags = "control_id_reused late" if number % 100 == 3 else ""
        lane = f"{SITES[number % 4]}|{number % 5000:016x}"
        when = micros(START + timedelta(seconds=number))
        made.append(
            (
                *(SITES[number % 4], "mllp", "mllp", "192.0.2.1:1", f"C{number // 2}", kind, event, "", "2.5.1"),
                *("utf-8", lane, number.to_bytes(32), state, cause, "", "", "AA", when, flags, b"MSH|"),
            )
        )
    return made


def fill(database: Database, made: Sequence[tuple[Any, ...]]) -> None:
    sql = f"INSERT INTO message ({','.join(COLUMNS)}) VALUES ({','.join('?' * len(COLUMNS))})"
    with database.write() as connection:
        run_many(connection, sql, made)


FILTERS = {
    "nothing": Filter(),
    "site": Filter(site="JHAH"),
    "state": Filter(state="held"),
    "type": Filter(message_type="ORU", event="R01"),
    "type without event": Filter(message_type="ADT"),
    "since and until": Filter(since=START + timedelta(hours=3), until=START + timedelta(hours=4)),
    "control id": Filter(control_id="C77"),
    "control id and state": Filter(control_id="C77", state="mapped"),
    "cause": Filter(cause="H2F-2005"),
    "cause and time": Filter(cause="H2F-2005", since=START + timedelta(hours=3)),
    "flag": Filter(flag="late"),
    "flag and site": Filter(flag="control_id_reused", site="LISHUI"),
    "lane and state": Filter(lane=f"FAHZU|{0:016x}", state="held"),
}


def fits(asked: Filter, row: dict[str, Any]) -> bool:
    names = ("site", "state", "message_type", "event", "control_id", "lane")
    plain = all(getattr(asked, name) in {"", row[name]} for name in names) and asked.cause in {"", row["cause_code"]}
    since = asked.since is None or row["received_at"] >= micros(asked.since)
    until = asked.until is None or row["received_at"] < micros(asked.until)
    return plain and since and until and (not asked.flag or asked.flag in row["flags"].split())


def test_h5_every_filter_gives_its_messages_newest_first_and_pages_are_whole(database: Database):
    made = [dict(zip(COLUMNS, row, strict=True)) | {"id": n} for n, row in enumerate(generated(4000), start=1)]
    fill(database, generated(4000))
    with database.read() as connection:
        for name, asked in FILTERS.items():
            expected = [row["id"] for row in reversed(made) if fits(asked, row)]
            seen: list[int] = []
            before: int | None = None
            while page := browse.page(connection, asked, before=before, limit=700):
                seen += [one.listed.id for one in page]
                before = seen[-1]
            assert seen == expected, name
            states = ("held", "mapped", "rejected")
            found = browse.ids(connection, asked, states, up_to=3000)
            assert found == sorted(one for one in expected if one <= 3000), name


def test_h5_no_documented_filter_scans_the_messages(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch):
    fill(sqlite_database, generated(MANY))
    asked: list[tuple[str, Sequence[Any]]] = []
    plain = browse.rows

    def listening(connection: Any, sql: str, values: Sequence[Any] = ()) -> Sequence[Any]:
        asked.append((sql, values))
        return plain(connection, sql, values)

    for module in (browse, standing):
        monkeypatch.setattr(module, "rows", listening)
    with sqlite_database.read() as connection:
        for one in FILTERS.values():
            page = browse.page(connection, one, before=None, limit=20)
            assert page
            browse.page(connection, one, before=page[-1].listed.id, limit=20)
            if not one.is_empty:
                browse.ids(connection, one, ("held", "unmapped"), up_to=MANY)
        standing.of_sites(connection)
        standing.stuck(connection, limit=20)
        standing.expired_leases(connection, seconds=60)
        assert len(asked) > len(FILTERS)
        for sql, values in asked:
            plan = [row[3] for row in plain(connection, f"EXPLAIN QUERY PLAN {sql}", values)]
            wide = [step for step in plan if step.startswith("SCAN") and not narrow(step)]
            assert wide == [], sql


def test_h5_a_page_costs_the_same_however_many_messages_there_are(sqlite_database: Database):
    def cost() -> int:
        """Hundreds of steps of SQLite's machine for all filters that end by themselves."""
        steps = 0

        def step() -> int:
            nonlocal steps
            steps += 1
            return 0

        with sqlite_database.read() as connection:
            driver: Any = connection.connection.driver_connection
            driver.set_progress_handler(step, 100)
            for name, asked in FILTERS.items():
                if name not in {"since and until", "lane and state"}:  # these walk what they are bound to
                    browse.page(connection, asked, before=None, limit=20)
            standing.last_received(connection)
            forecast(connection, now=START, free=10**9)
            driver.set_progress_handler(None, 0)
        return steps

    fill(sqlite_database, generated(10_000))
    few = cost()
    fill(sqlite_database, generated(MANY - 10_000, first=10_001))
    assert cost() < 2 * few


def narrow(step: str) -> bool:
    """A walk that ends with LIMIT, or is over a partial index alone, costs as much as it gives."""
    partial = ("ix_message_held", "ix_message_ready", "ix_message_leased", "ix_message_flags")
    return any(name in step for name in partial) or "USING COVERING INDEX ix_message_state" in step


def test_standing_counts_what_waits_behind_a_held_message(database: Database):
    made = [list(row) for row in generated(3)]
    for row, state in zip(made, ("held", "received", "received"), strict=True):
        row[COLUMNS.index("site")], row[COLUMNS.index("lane")], row[COLUMNS.index("state")] = "FAHZU", "FAHZU|1", state
    fill(database, [tuple(row) for row in made])
    with database.read() as connection:
        (stuck,) = standing.stuck(connection, limit=10)
        assert (stuck.id, stuck.behind, stuck.oldest_behind) == (1, 2, START + timedelta(seconds=2))
        (site,) = standing.of_sites(connection)
        assert (site.held, site.waiting, site.last_received) == (1, 2, START + timedelta(seconds=3))


def test_forecast_counts_the_days_from_what_came_lately(database: Database):
    fill(database, generated(20_000))
    now = START + timedelta(seconds=20_000)
    with database.read() as connection:
        seen = forecast(connection, now=now, free=10**9)
        assert seen.messages == pytest.approx(20_000 / 7)
        assert seen.days == pytest.approx(10**9 / seen.bytes)
        later = forecast(connection, now=now + timedelta(days=30), free=10**9)
        assert (later.messages, later.days) == (0, None)
        some = forecast(connection, now=now + timedelta(days=7) - timedelta(seconds=5000), free=10**9)
        assert some.messages * 7 == pytest.approx(5000, abs=2)
