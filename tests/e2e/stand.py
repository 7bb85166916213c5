"""The real program as a process, real sockets, its database file read by sqlite3, its commands as processes."""

import asyncio
import json
import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import dict_row

from adapter.demo.program import Program, running
from tests import databases

SECONDS = 20.0


@dataclass(frozen=True)
class Adapter:
    """A running `adapter serve`; `url` is its database, empty for SQLite in its folder; `headers` let read all."""

    program: Program
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def converse(self, sent: bytes) -> list[bytes]:
        """Send bytes over a new connection, half-close it, return the payloads that come back until it is closed."""
        with socket.create_connection(self.program.mllp, timeout=SECONDS) as line:
            line.sendall(sent)
            line.shutdown(socket.SHUT_WR)
            return payloads(line)

    def wait_until_closed(self, sent: bytes) -> list[bytes]:
        """Send bytes and wait, without closing, until the other side closes the connection."""
        with socket.create_connection(self.program.mllp, timeout=SECONDS) as line:
            line.sendall(sent)
            return payloads(line)

    def post(self, raw: bytes, content_type: str = "application/hl7-v2") -> httpx.Response:
        """HL7 over HTTP."""
        return httpx.post(f"{self.program.base}/hl7", content=raw, headers={"Content-Type": content_type}, timeout=60)

    def get(self, path: str) -> dict[str, Any]:
        """The resources of a FHIR search, or one resource."""
        answer = httpx.get(f"{self.program.base}/fhir/{path}", headers=self.headers, timeout=SECONDS)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        """What the database holds, read beside the program."""
        if self.url:
            with psycopg.connect(self.url.replace("+psycopg", "")) as connection:
                cursor = connection.cursor(row_factory=dict_row)
                return cursor.execute(sql.replace("?", "%s").encode(), values).fetchall()
        with closing(sqlite3.connect(f"file:{self.program.data / 'adapter.db'}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(sql, values)]

    def row(self, raw: bytes) -> dict[str, Any]:
        """The one message with exactly these bytes."""
        (row,) = self.rows("SELECT * FROM message WHERE raw = ?", raw)
        return row

    def events(self, raw: bytes) -> list[str]:
        """The kinds of the connection events with exactly these bytes; they are recorded beside the answers."""
        due = time.monotonic() + SECONDS
        sql = "SELECT kind FROM connection_event WHERE raw = ?"
        while not (found := self.rows(sql, raw)) and time.monotonic() < due:
            time.sleep(0.05)
        return [row["kind"] for row in found]

    def converted(self, raw: bytes) -> dict[str, Any]:
        """The message after its worker has done with it."""
        due = time.monotonic() + SECONDS
        while (row := self.row(raw))["state"] == "received" and time.monotonic() < due:
            time.sleep(0.05)
        return row

    def settled(self, control_id: str) -> dict[str, Any]:
        """The message of this MSH-10 after its worker has done with it."""
        due = time.monotonic() + 3 * SECONDS
        sql = "SELECT id, state, part_bytes FROM message WHERE control_id = ?"
        while (row := self.rows(sql, control_id)[0])["state"] == "received" and time.monotonic() < due:
            time.sleep(0.1)
        return row

    def listing(self) -> dict[int, str]:
        """What `adapter messages` says of each message, by its number."""
        printed = command("messages", "--data", str(self.program.data), "--limit", "1000")
        entries = re.split(r"^ *(\d+)  (?=\d{4}-\d\d-\d\d )", printed, flags=re.MULTILINE)
        return {int(number): entry for number, entry in zip(entries[1::2], entries[2::2], strict=True)}


def command(*arguments: str) -> str:
    """What a command of the adapter prints."""
    environment = {**os.environ, "COLUMNS": "400"}
    done = subprocess.run(
        [sys.executable, "-m", "adapter", *arguments], capture_output=True, text=True, env=environment, check=True
    )
    return done.stdout


def converted_offline(raw: bytes, folder: Path) -> dict[str, Any]:
    """What `adapter convert --explain --json` says of one message."""
    file = folder / "message.hl7"
    file.write_bytes(raw)
    return json.loads(command("convert", "--explain", "--json", str(file)))


def payloads(line: socket.socket) -> list[bytes]:
    """The answers that come until the other side closes."""
    received = b""
    while data := line.recv(65536):
        received += data
    assert not received or received.endswith(b"\x1c\r")
    return [frame.removeprefix(b"\x0b") for frame in received.split(b"\x1c\r")[:-1]]


@contextmanager
def adapter(data: Path, **settings: str) -> Generator[Adapter]:
    """Start the program with these settings (`max_message_bytes="100000"`), stop it at the end."""
    if not settings.get("database_url"):
        databases.sqlite(data)  # starts that find nothing are tried by test_demo, test_cohort and test_wheel
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner() as runner:
        for name, value in ({"database_url": ""} | settings).items():
            patch.setenv(f"ADAPTER_{name.upper()}", value)
        program = running(data)
        it = runner.run(program.__aenter__())
        try:
            yield Adapter(it, settings.get("database_url", ""), it.headers("data-manager"))
        finally:
            runner.run(program.__aexit__(None, None, None))
