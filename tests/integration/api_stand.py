"""A database with a few synthetic resources, and the API over it on a free port."""

import socket
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import uvicorn

from adapter.access.compiler import Compiler
from adapter.access.guard import Guard
from adapter.access.roles import load_roles
from adapter.api.canonical import DEFAULT
from adapter.api.exchange import Made
from adapter.api.guide_pages import Pages
from adapter.api.hl7_over_http import Entrance, endpoint
from adapter.api.routes import Auditing, create_app
from adapter.data import data_folder
from adapter.fhir import profiles, search_params
from adapter.fhir.pseudonymised import load_projection
from adapter.operate.first_tokens import EVERYTHING, Order, give
from adapter.store.database import Database, open_database
from adapter.store.merge import MergeRule
from adapter.store.reach import IDENTIFIED, PSEUDONYMISED
from adapter.store.resources import ResourceWriter
from tests import databases

PROFILES = data_folder("profiles")
INDEX = search_params.load(PROFILES)
PROJECTION = load_projection(PROFILES, INDEX.parameters, profiles.definitions(PROFILES))
VIEW_INDEX = PROJECTION.index(INDEX)
COMPILER = Compiler(load_roles(PROFILES, INDEX.parameters), {IDENTIFIED.name: INDEX, PSEUDONYMISED.name: VIEW_INDEX})
LARGEST = 16 * 1024 * 1024
LAB = "https://example.org/lab"
STUDY = {
    "url": "http://hl7.org/fhir/StructureDefinition/workflow-researchStudy",
    "valueReference": {"reference": "ResearchStudy/tli-trial"},
}
NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


class Rules(dict[str, MergeRule]):
    """The whole resource is replaced, for every type."""

    def __missing__(self, key: str) -> MergeRule:
        return MergeRule(whole=True, union={}, parts=frozenset(), choices=())


@dataclass(frozen=True)
class Statement:
    """What a message would say of a resource."""

    resource: dict[str, Any]
    order: str
    fill: bool = False
    defaults: tuple[str, ...] = ()
    cleared: tuple[str, ...] = ()
    patient_id: str | None = None
    map: str = "OBX-Observation"
    undone: tuple[str, ...] = ()
    cancels: bool = False


def put(database: Database, resources: Sequence[dict[str, Any]], *, message: int = 1, site: str = "FAHZU") -> None:
    """Store resources as the worker does."""
    with database.write() as connection:
        writer = ResourceWriter(connection, INDEX, Rules(), NOW)
        for resource in resources:
            writer.put(Statement(resource, f"2026-01-01T00:00:{message:02d}Z"), site=site, message_id=message)
        writer.flush()


def observation(identity: str, code: str = "WBC", when: str | None = None, **others: Any) -> dict[str, Any]:
    """A result of the synthetic patient p1."""
    return {
        "resourceType": "Observation",
        "id": identity,
        "status": "final",
        "code": {"coding": [{"system": LAB, "code": code}]},
        "subject": {"reference": "Patient/p1"},
        **({"effectiveDateTime": when} if when else {}),
        **others,
    }


def patient(identity: str = "p1", **others: Any) -> dict[str, Any]:
    """A synthetic patient."""
    return {
        "resourceType": "Patient",
        "id": identity,
        "identifier": [{"system": "https://example.org/mrn", "value": f"00X-{identity}"}],
        "name": [{"text": "试甲", "family": "试", "given": ["甲"]}, {"family": "SHI", "given": ["JIÁ"]}],
        "gender": "female",
        "birthDate": "1950-02-03",
        **others,
    }


def definitions() -> list[dict[str, Any]]:
    """The store's own resources."""
    return profiles.definitions(PROFILES)


def empty_database(kind: str, request: pytest.FixtureRequest, folders: pytest.TempPathFactory) -> Database:
    """An open, empty database for the tests of one module: `sqlite` or `postgresql`."""
    if kind == "sqlite":
        return open_database(databases.sqlite(folders.mktemp("api")))
    return open_database(databases.postgresql(request.getfixturevalue("postgres_server")))


def bearer(database: Database, role: str, *, site: str = "", scope: str = EVERYTHING) -> str:
    """The header of a request in a role, for one hospital or for all."""
    given = give(database, COMPILER.roles, Order(role, site, scope), datetime.now(UTC))
    return f"Bearer {given['access_token']}"


@contextmanager
def served(
    database: Database,
    *,
    role: str = "data-manager",
    entrance: Entrance | None = None,
    auditing: Auditing | None = None,
    made: Mapping[str, Made] | None = None,
    base: str = DEFAULT,
    pages: Pages | None = None,
) -> Generator[httpx.Client]:
    """The API as a server of its own thread; yields a client of it in a role."""
    guard = Guard(database, COMPILER, lambda: datetime.now(UTC))
    post_hl7 = endpoint(entrance, maximum=LARGEST) if entrance else None
    app = create_app(
        guard=guard,
        profiles=PROFILES,
        post_hl7=post_hl7,
        auditing=auditing,
        made=made,
        base=base,
        pages=pages,
    )
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        with httpx.Client(base_url=f"http://127.0.0.1:{listening.getsockname()[1]}") as client:
            client.headers["Authorization"] = bearer(database, role)
            yield client
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
