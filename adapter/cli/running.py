"""The running program, asked by a command: on SQLite one process writes, so that it must do what changes anything."""

import getpass
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from adapter.access.audit import Access, Trail
from adapter.errors import ConfigurationError, DatabaseInUse
from adapter.fhir import json
from adapter.operate import door, repairs
from adapter.operate.asked import as_texts
from adapter.operate.repairs import Chosen
from adapter.request_errors import AuditUnavailable, BadParameter, NotFound
from adapter.settings import Settings
from adapter.store.database import Database, open_database
from adapter.store.incidents import Incidents
from adapter.store.repair import Doing

SECONDS = 120.0

Plan = Callable[[], dict[str, Any]]
CarryOut = Callable[[str, Doing], dict[str, Any]]


@contextmanager
def reached(settings: Settings, url: str = "") -> Generator[httpx.Client | Database]:
    """The database where it is free, else a client of the program that has it.

    Args:
        settings: the data folder or the database.
        url: a program elsewhere, asked with ADAPTER_OPERATOR_TOKEN.

    Raises:
        ConfigurationError: the database is in use, and the program that has it cannot be asked.
    """
    if url:
        token = settings.operator_token
        with client_of(url, token.get_secret_value() if token else "") as client:
            yield client
        return
    try:
        database = open_database(settings.database)
    except DatabaseInUse as held:
        found = door.find(settings.data)
        if found is None:
            raise ConfigurationError(f"{held.text}; give --url and ADAPTER_OPERATOR_TOKEN to ask it") from held
        with client_of(found.url, found.token) as client:
            yield client
        return
    try:
        yield database
    finally:
        database.close()


@contextmanager
def repairing(settings: Settings, chosen: Chosen, *, url: str = "") -> Generator[tuple[Plan, CarryOut]]:
    """How to plan and carry out: in the database where it is free, else through the program that has it.

    Args:
        settings: the data folder or the database.
        chosen: which messages.
        url: a program elsewhere, asked with ADAPTER_OPERATOR_TOKEN.

    Raises:
        ConfigurationError: the database is in use, and the program that has it cannot be asked.
    """
    with reached(settings, url) as reach:
        if isinstance(reach, httpx.Client):
            yield _asked(reach, chosen)
            return
        yield (
            lambda: repairs.plan(reach, chosen),
            lambda token, doing: repairs.carry_out(reach, chosen, token=token, doing=doing),
        )


def user() -> str:
    """Who gives the command: the name of the system's user, or its number where it has none (in a container)."""
    try:
        return getpass.getuser()
    except KeyError:
        return str(os.getuid())


def recorded(settings: Settings, database: Database, number: int) -> None:
    """Return when the access audit has it that the user of this machine reads a message.

    The program that runs on this data folder writes the audit; where none runs, we do.

    Args:
        settings: the data folder.
        database: as it is looked into.
        number: of the message.

    Raises:
        ConfigurationError: it cannot be recorded, so nothing may be shown.
        NotFound: there is no such message.
    """
    name = f"{user()}-{uuid4().hex[:8]}"
    found = door.find(settings.data)
    if found is None:
        _record(settings.data / "audit", database, number, name)
        return
    with client_of(found.url, found.token) as client:
        try:
            answer = client.get(f"/operator/messages/{number}", headers={"X-Request-Id": name})
        except httpx.HTTPError:
            # It was killed, or hangs: then it holds the audit's lock.
            _record(settings.data / "audit", database, number, name)
            return
        if answer.status_code == 404:
            raise NotFound(f"there is no message {number}")
        if not answer.is_success:
            raise ConfigurationError(f"the program at {client.base_url} refused: {_reason(answer)}")


def _record(folder: Path, database: Database, number: int, name: str) -> None:
    access = Access(datetime.now(UTC), "local", "", "CLI", "operator", "messages", str(number), 200, 0, name)
    # Its incidents are not stored: the user hears of a failure at once.
    trail = Trail(folder, Incidents(database, lambda: datetime.now(UTC)))
    try:
        trail.put(access).result(SECONDS)
    except AuditUnavailable as error:
        raise ConfigurationError(f"{folder} cannot be written: {error.text}") from error
    finally:
        trail.close()


def _asked(client: httpx.Client, chosen: Chosen) -> tuple[Plan, CarryOut]:
    body: dict[str, Any] = {"filter": as_texts(chosen.asked), "message": chosen.number}

    def carry_out(token: str, doing: Doing) -> dict[str, Any]:
        return post(client, chosen.kind, {**body, "plan": token, "actor": doing.actor, "reason": doing.reason})

    return lambda: post(client, chosen.kind, body), carry_out


def client_of(url: str, token: str) -> httpx.Client:
    """A client of a program's operator interface."""
    headers = {"Authorization": f"Bearer {token}"}
    # What environments say of proxies is not for a program of this machine.
    return httpx.Client(base_url=url, headers=headers, timeout=SECONDS, trust_env=False)


def post(client: httpx.Client, kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """What the program answers to `POST /operator/kind`.

    Raises:
        BadParameter: it does not understand.
        ConfigurationError: it does not answer, or refuses.
    """
    return _answer(client, client.build_request("POST", f"/operator/{kind}", content=json.dumps(body)))


def ask(client: httpx.Client, kind: str, said: dict[str, str]) -> dict[str, Any]:
    """What the program answers to `GET /operator/kind`.

    Raises:
        BadParameter: it does not understand.
        ConfigurationError: it does not answer, or refuses.
    """
    return _answer(client, client.build_request("GET", f"/operator/{kind}", params=said))


def _answer(client: httpx.Client, request: httpx.Request) -> dict[str, Any]:
    try:
        answer = client.send(request)
    except httpx.HTTPError as error:
        raise ConfigurationError(f"the program at {client.base_url} does not answer: {type(error).__name__}") from error
    if answer.is_success:
        return json.loads(answer.content)
    text = _reason(answer)
    if answer.status_code == 400:
        raise BadParameter(text)
    raise ConfigurationError(f"the program at {client.base_url} refused: {text}")


def _reason(answer: httpx.Response) -> str:
    """What an OperationOutcome says; its status where it is none."""
    try:
        return str(json.loads(answer.content)["issue"][0]["diagnostics"])
    except (ValueError, LookupError, TypeError):
        return f"HTTP {answer.status_code}"
