"""An intake on a real database with the real mappings, and synthetic messages to give it."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from adapter.intake import EVERY_SITE, Answer, Intake, Origin
from adapter.mapper.catalog import Catalog
from adapter.store.database import Database, open_database
from adapter.store.incidents import Incidents
from tests import databases
from tests.mappings import catalog

SHARED = Path(__file__).parents[2].parent / "shared"

ORIGIN = Origin(EVERY_SITE, "mllp", "192.0.2.7:50000")

MSH = (
    "MSH|^~\\&|LIS|FAHZU|HUB|CENTRAL|20180101080000+0800||ORU^R01^ORU_R01|LIS18010100001|P|2.5.1"
    "|||AL|NE|CHN|UNICODE UTF-8"
)
PID = "PID|1||00A90001^^^FAHZU&2.16.840.1.113883.3.9999.1.01.2&ISO^MR||试^九〇一^^^^^L^I||19541202|M"
OBR = "OBR|1||L180101-0001^FAHZULIS|CBC^血常规^99ZJULIS|||20180101063000+0800"
OBX = "OBX|1|NM|751-8^Neutrophils^LN||0.70|10*9/L^^UCUM|2.0-7.0|L|||F"
JINHUA = "MSH|^~\\&|LIS|JHAH|HUB|CENTRAL|20180101080000||ORU^R01|LIS000001|P|2.3.1"
JINHUA_PID = "PID|1|0009000001|ZY00900001|990103194705096236|试九〇四"


def message(*segments: str, encoding: str = "utf-8", end: str = "\r") -> bytes:
    """A message of these segments."""
    return "".join(segment + end for segment in segments).encode(encoding)


def header(**changed: str) -> str:
    """MSH with fields changed: `header(msh_10="2")`."""
    values = {int(name.removeprefix("msh_")): value for name, value in changed.items()}
    return "|".join(values.get(number, field) for number, field in enumerate(MSH.split("|"), start=1))


def result(**changed: str) -> bytes:
    """A laboratory result of the synthetic patient."""
    return message(header(**changed), PID, OBR, OBX)


def intake_on(database: Database, mappings: Catalog, clock: Callable[[], datetime]) -> Intake:
    """An intake with its incidents."""
    return Intake(catalog=mappings, database=database, clock=clock, incidents=Incidents(database, clock))


@dataclass
class Stand:
    """An intake, and what it has stored."""

    database: Database
    intake: Intake

    async def receive(self, raw: bytes) -> Answer:
        """As from a listener."""
        return await self.intake.receive(raw, origin=ORIGIN)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """What a query gives."""
        with self.database.read() as connection:
            return [dict(row._mapping) for row in connection.exec_driver_sql(sql)]

    def messages(self) -> list[dict[str, Any]]:
        """The inbox, in the order of storing."""
        return self.rows("SELECT * FROM message ORDER BY id")


@contextmanager
def stand(where: Path | str) -> Generator[Stand]:
    """An intake on the database of this URL, or on SQLite in this folder."""
    database = open_database(where if isinstance(where, str) else databases.sqlite(where))
    now = datetime(2018, 1, 1, 9, 0, tzinfo=UTC)

    def clock() -> datetime:
        nonlocal now
        now += timedelta(milliseconds=1)
        return now

    try:
        yield Stand(database, intake_on(database, catalog(), clock))
    finally:
        database.close()


def run(scene: Callable[[], Awaitable[None]]) -> None:
    """Run a coroutine for at most a minute."""

    async def bounded() -> None:
        async with asyncio.timeout(60):
            await scene()

    asyncio.run(bounded())


def receive(where: Path | str, raws: Sequence[bytes]) -> tuple[list[Answer], list[dict[str, Any]]]:
    """Give messages one after the other; return the answers and the inbox."""
    with stand(where) as it:
        answers: list[Answer] = []

        async def scene() -> None:
            answers.extend([await it.receive(raw) for raw in raws])
            await it.intake.close()

        run(scene)
        return answers, it.messages()


def segments(ack: bytes | None, encoding: str = "utf-8") -> dict[str, list[str]]:
    """The segments of an acknowledgement, as fields."""
    assert ack is not None
    return {line.split("|")[0]: line.split("|") for line in ack.decode(encoding).rstrip("\r").split("\r")}
