"""The whole way of a message for the rows of the fault catalogue: real intake, real worker, real database."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from adapter.convert import Converted, convert
from adapter.data import data_folder
from adapter.fhir import json, search_params
from adapter.hl7v2.slim import stored
from adapter.intake import Answer
from adapter.mapper.catalog import Catalog, load_catalog
from adapter.stock import worker_rules
from adapter.store.database import Database, open_database
from adapter.store.lanes import Claimed
from adapter.worker import Rules, Worker
from tests import databases
from tests.integration.intake_stand import ORIGIN, Stand, intake_on, run, segments
from tests.mappings import catalog

NOW = datetime(2018, 1, 1, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Outcome:
    """What became of some messages: their answers, their rows, what was found, and the resources."""

    answers: list[Answer]
    messages: list[dict[str, Any]]
    findings: list[dict[str, Any]]
    resources: dict[str, list[dict[str, Any]]]
    incidents: list[dict[str, Any]]

    @property
    def message(self) -> dict[str, Any]:
        """The last one."""
        return self.messages[-1]

    @property
    def kinds(self) -> set[tuple[str, str]]:
        """Where something was found, and of what kind."""
        return {(one["path"], one["kind"]) for one in self.findings if one["kind"] != "unread"}

    def told(self) -> tuple[str, str, str]:
        """Of the last answer: code, condition, place (ERR as from HL7 2.5 on)."""
        ack = segments(self.answers[-1].ack)
        fault = ack.get("ERR", [""] * 4)
        return ack["MSA"][1], fault[3].partition("^")[0], fault[2]

    def only(self, resource_type: str) -> dict[str, Any]:
        """The one resource of this type."""
        (found,) = self.resources[resource_type]
        return found


@cache
def _index() -> search_params.SearchIndex:
    return search_params.load(data_folder("profiles"))


def rules_of(known: Catalog, source: Path | None = None) -> Rules:
    """What a worker follows with these mappings."""
    return worker_rules(source or data_folder("mappings"), known, _index())


def agreed(folder: Path, site: str, **agreements: str) -> Catalog:
    """The mappings of the project, with agreements added to the `intake:` block of one site."""
    mappings = folder / "mappings"
    shutil.copytree(data_folder("mappings"), mappings)
    file = mappings / "sites" / site / "site.yaml"
    said = "".join(f"  {name}: {value}\n" for name, value in agreements.items())
    file.write_text(f"{file.read_text(encoding='utf-8')}intake:\n{said}", encoding="utf-8")
    return load_catalog(mappings)


def pass_through(folder: Path, *raws: bytes, mappings: Catalog | None = None, source: Path | None = None) -> Outcome:
    """Give messages to an intake, then convert what was accepted; `source` is another folder of mappings."""
    known = mappings or (load_catalog(source) if source else catalog())
    database = open_database(databases.sqlite(folder))
    try:
        answers = received(database, known, raws)
        convert_all(database, known, source)
        it = Stand(database, intake_on(database, known, lambda: NOW))
        resources: dict[str, list[dict[str, Any]]] = {}
        for row in it.rows("SELECT body FROM resource ORDER BY id"):
            resource = json.loads(row["body"])
            resources.setdefault(resource["resourceType"], []).append(resource)
        return Outcome(
            answers, it.messages(), it.rows("SELECT * FROM finding"), resources, it.rows("SELECT * FROM incident")
        )
    finally:
        database.close()


def received(database: Database, known: Catalog, raws: tuple[bytes, ...]) -> list[Answer]:
    """Give messages to an intake, one after the other."""
    intake = intake_on(database, known, lambda: NOW)
    answers: list[Answer] = []

    async def scene() -> None:
        answers.extend([await intake.receive(raw, origin=ORIGIN) for raw in raws])
        await intake.close()

    run(scene)
    return answers


def convert_all(database: Database, known: Catalog, source: Path | None = None) -> None:
    """Let a worker do all that waits."""

    def converted(claimed: Claimed) -> Converted:
        raw = stored(claimed.raw) if claimed.large else claimed.raw
        return convert(raw, catalog=known, site=known.sites[claimed.site])

    worker = Worker(database, name="w", convert=converted, rules=rules_of(known, source), clock=lambda: NOW)
    while worker.run_once():
        pass
