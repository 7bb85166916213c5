"""A database that cannot be used yet: nobody is let in who could not be answered."""

import asyncio
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from adapter.demo.program import Program, _start, running
from adapter.wire.mllp import encode
from tests.integration.intake_stand import result


def tries(program: Program) -> Iterator[bool]:
    """Whether somebody listens, asked again and again until the program ends."""
    while program.process.poll() is None:
        with socket.socket() as line:
            line.settimeout(0.2)
            yield line.connect_ex(program.mllp) == 0


def test_a29_nothing_listens_while_the_database_is_locked(tmp_path: Path):
    with closing(sqlite3.connect(tmp_path / "adapter.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        program = _start(tmp_path)
        try:
            seen = list(tries(program))
        finally:
            program.process.kill()
        assert seen
        assert not any(seen)
        assert program.process.wait() == 2
        assert "database" in (tmp_path / "adapter.log").read_text()

    async def afterwards() -> None:
        async with running(tmp_path) as ready:
            reader, writer = await asyncio.open_connection(*ready.mllp)
            writer.write(encode(result()))
            assert b"MSA|CA" in await reader.readuntil(b"\x1c\r")
            writer.close()

    asyncio.run(afterwards())
