"""Messages about who is who, and a world that takes them one by one: real intake, real worker, real database."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapter.fhir import json
from adapter.intake import Answer
from adapter.mapper.catalog import Catalog
from adapter.mapper.ids import resource_id
from adapter.store.database import Database, open_database, rows
from adapter.store.database import run as execute
from adapter.store.repair import Doing, carry_out
from tests import databases
from tests.integration.catalogue_stand import convert_all
from tests.integration.intake_stand import ORIGIN, intake_on, message, run
from tests.mappings import catalog

NAMING = "https://fhir.tli-trial.example.org/NamingSystem"
AUTHORITIES = {"FAHZU": "fahzu-mrn", "LSCH": "lsch-mrn", "YWCH": "ywch-mrn"}
NOW = datetime(2018, 3, 1, 9, 0, tzinfo=UTC)


def patient_id(number: str, site: str = "FAHZU") -> str:
    """The id of the Patient with this record number."""
    return resource_id("Patient", f"{NAMING}/{AUTHORITIES[site]}", number)


def visit_id(number: str) -> str:
    """The id of the Encounter with this visit number, at FAHZU."""
    return resource_id("Encounter", f"{NAMING}/fahzu-visit", number)


def pid(number: str, *, name: str = "赵^试九〇一", born: str = "19541202", sex: str = "M", site: str = "FAHZU") -> str:
    """A person."""
    name = f"{name}^^^^^L^I" if name else ""
    return f"PID|1||{number}^^^{site}^MR||{name}||{born}|{sex}"


def pv1(visit: str) -> str:
    """A visit."""
    return f"PV1|1|I|||||||||||||||||{visit}^^^FAHZU^VN"


def mrg(number: str, *, visit: str = "", site: str = "FAHZU") -> str:
    """What is merged into the PID before it."""
    return f"MRG|{number}^^^{site}^MR||||{visit}" if visit else f"MRG|{number}^^^{site}^MR"


@dataclass
class Sender:
    """Numbers messages, and lets the clock go on: each event is a minute after the one before."""

    site: str = "FAHZU"
    sent: int = 0

    def head(self, kind: str, minute: int | None = None) -> str:
        """The next MSH."""
        self.sent += 1
        at = self.sent if minute is None else minute
        moment = f"20180301{8 + at // 60:02}{at % 60:02}00+0800"
        number = f"{self.site}{self.sent:06}"
        return f"MSH|^~\\&|HIS|{self.site}|HUB|CENTRAL|{moment}||{kind}|{number}|P|2.5.1|||AL|NE|CHN|UNICODE UTF-8"

    def adt(self, event: str, *segments: str, minute: int | None = None) -> bytes:
        """An ADT message; `minute` is when it happened, by default one after the last."""
        msh = self.head(f"ADT^{event}", minute)
        return message(msh, f"EVN|{event}|{msh.split('|')[6]}", *segments)

    def person(self, number: str, *, minute: int | None = None, **person: str) -> bytes:
        """A person is made known, or another than before."""
        return self.adt("A31", pid(number, site=self.site, **person), "PV1|1|N", minute=minute)

    def result(self, number: str, order: str, *, visit: str = "", minute: int | None = None, **person: str) -> bytes:
        """A laboratory result."""
        seen = (pv1(visit),) if visit else ()
        obr = f"OBR|1||{order}^LIS|CBC^血常规^99ZJULIS|||20180301063000+0800"
        obx = "OBX|1|NM|751-8^Neutrophils^LN||0.70|10*9/L^^UCUM|2.0-7.0|L|||F"
        return message(self.head("ORU^R01", minute), pid(number, **person), *seen, obr, obx)


@dataclass
class World:
    """A store, and everything that went in."""

    database: Database
    catalog: Catalog
    now: datetime = NOW
    answers: list[Answer] = field(default_factory=list[Answer])

    def take(self, *raws: bytes) -> None:
        """Receive messages, and convert after each one."""
        for raw in raws:
            self.receive(raw)
            self.convert()

    def receive(self, *raws: bytes) -> None:
        """Receive messages."""
        intake = intake_on(self.database, self.catalog, lambda: self.now)

        async def scene() -> None:
            self.answers.extend([await intake.receive(raw, origin=ORIGIN) for raw in raws])
            await intake.close()

        run(scene)

    def convert(self) -> None:
        """Let a worker do all that waits."""
        convert_all(self.database, self.catalog)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a query gives."""
        with self.database.read() as connection:
            return [tuple(row) for row in rows(connection, sql, values)]

    @property
    def states(self) -> list[tuple[str, str]]:
        """State and cause of every message."""
        return [(state, cause) for state, cause in self.rows("SELECT state, cause_code FROM message ORDER BY id")]

    @property
    def causes(self) -> list[str]:
        """Why messages are held, in words."""
        return [cause for (cause,) in self.rows("SELECT cause FROM message WHERE state = 'held' ORDER BY id")]

    @property
    def found(self) -> set[tuple[str, str]]:
        """Where something was found, and of what kind."""
        return {(path, kind) for path, kind in self.rows("SELECT path, kind FROM finding WHERE kind <> 'unread'")}

    def read(self, kind: str, number: str) -> dict[str, Any]:
        """A resource without `meta`."""
        ((body,),) = self.rows("SELECT body FROM resource WHERE resource_type = ? AND id = ?", kind, number)
        resource = json.loads(bytes(body))
        del resource["meta"]
        return resource

    def all(self, kind: str) -> list[dict[str, Any]]:
        """All resources of a type."""
        ids = self.rows("SELECT id FROM resource WHERE resource_type = ? ORDER BY id", kind)
        return [self.read(kind, number) for (number,) in ids]

    def subjects(self, kind: str = "Observation") -> set[str]:
        """Whose the resources of a type are."""
        return {one["subject"]["reference"].removeprefix("Patient/") for one in self.all(kind)}

    def content(self) -> dict[str, bytes]:
        """Everything that is stored, without versions, by `Type/id`; with whose it is."""
        found = self.rows("SELECT resource_type, id, patient_id FROM resource")
        return {f"{kind}/{number} {whose}": json.canonical(self.read(kind, number)) for kind, number, whose in found}

    def do_all(self, sql: str, *values: Any) -> None:
        """Change rows, as only a test may."""
        with self.database.write() as connection:
            execute(connection, sql, values)

    def do(self, kind: str, number: int, actor: str, reason: str = "as agreed on the telephone") -> int:
        """What a person does with a message; how many it changed."""
        with self.database.write() as connection:
            return carry_out(connection, [number], Doing(kind, actor, reason))


@contextmanager
def world(folder: Path, mappings: Catalog | None = None) -> Generator[World]:
    """An empty world."""
    database = open_database(databases.sqlite(folder))
    try:
        yield World(database, mappings or catalog())
    finally:
        database.close()
