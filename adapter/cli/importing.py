"""Who takes what is made here: this process where the database is free, else the program that has it."""

import asyncio
import os
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import httpx

from adapter.cli.running import ask, post, reached
from adapter.deriving import QUIET, Deriver
from adapter.intake import Intake, receive_made
from adapter.operate import messages
from adapter.operate.asked import asked_for
from adapter.operate.confirming import Confirmer, Order
from adapter.operate.imports import Given, Importer, Rows
from adapter.settings import Settings
from adapter.stock import Stock
from adapter.store.database import Database
from adapter.store.incidents import Incidents
from adapter.worker import Worker

_SHOWN = 1000
_POLL_SECONDS = 0.2


class Taking(Protocol):
    """Takes rows or confirmations, and tells what became of their messages."""

    def take(self, order: Rows) -> dict[str, Any]:
        """As `Imports.take`."""
        ...

    def confirm(self, order: Order) -> dict[str, Any]:
        """As `Confirms.confirm`; the program that does it derives the facts anew."""
        ...

    def go_on(self) -> None:
        """Convert some messages, or wait a moment for who does."""
        ...

    def listed(self, site: str, state: str) -> list[dict[str, Any]]:
        """The messages of a site in a state, up to a thousand."""
        ...


@dataclass(frozen=True, slots=True)
class Remote:
    """A running program, whose worker converts."""

    client: httpx.Client

    def take(self, order: Rows) -> dict[str, Any]:
        """As `Taking.take`."""
        said = {"kind": order.kind, "text": order.text, "numbers": list(order.numbers), "actor": order.actor}
        return post(self.client, "import", said)

    def confirm(self, order: Order) -> dict[str, Any]:
        """As `Taking.confirm`."""
        return post(self.client, "confirm", {"facts": list(order.facts), "by": order.by, "reason": order.reason})

    def go_on(self) -> None:
        """The program converts them."""
        time.sleep(_POLL_SECONDS)

    def listed(self, site: str, state: str) -> list[dict[str, Any]]:
        """As `Taking.listed`."""
        return ask(self.client, "messages", {"site": site, "state": state, "limit": str(_SHOWN)})["messages"]


class Local:
    """This process, with a worker of its own."""

    def __init__(self, database: Database, stock: Stock) -> None:
        """Work on a database that no other process has, or that many may share."""
        self._database, self._stock = database, stock
        stock.present().define(database, _now())
        self._importer = Importer(database, stock.sheets, self._give, _now)
        self._confirmer = Confirmer(database, self._give, _now)
        name = f"import-{os.getpid()}"
        self._worker = Worker(database, name=name, convert=stock.convert, rules=stock.rules, clock=_now)

    def take(self, order: Rows) -> dict[str, Any]:
        """As `Taking.take`."""
        return self._importer.take(order)

    def confirm(self, order: Order) -> dict[str, Any]:
        """As `Taking.confirm`: converted and derived before it returns."""
        told = self._confirmer.confirm(order)
        while self._worker.run_once():
            pass
        # Nobody else writes here: there is nothing to wait for.
        deriver = Deriver(self._database, self._stock.rules, self._stock.asking.trial, lambda: _now() + 2 * QUIET)
        while deriver.run_once():
            pass
        return told

    def go_on(self) -> None:
        """Convert some; another worker of the same database may have taken all."""
        if not self._worker.run_once():
            time.sleep(_POLL_SECONDS)

    def listed(self, site: str, state: str) -> list[dict[str, Any]]:
        """As `Taking.listed`."""
        asked = asked_for({"site": site, "state": state})
        with self._database.read() as connection:
            return messages.page(connection, asked, before=None, limit=_SHOWN)

    def _give(self, raws: Sequence[bytes], site: str, actor: str) -> list[Given]:
        async def giving() -> list[Given]:
            incidents = Incidents(self._database, _now)
            intake = Intake(catalog=self._stock.catalog, database=self._database, clock=_now, incidents=incidents)
            try:
                answers = await receive_made(intake, raws, site=site, actor=actor)
            finally:
                await intake.close()
            return [Given(answer.state, answer.message_id) for answer in answers]

        return asyncio.run(giving())


@contextmanager
def taking(settings: Settings, stock: Stock, *, url: str = "") -> Generator[Taking]:
    """What takes rows.

    Args:
        settings: the data folder or the database.
        stock: the mappings of this installation.
        url: a program elsewhere, asked with ADAPTER_OPERATOR_TOKEN.

    Raises:
        ConfigurationError: the database is in use, and the program that has it cannot be asked.
    """
    with reached(settings, url) as reach:
        yield Local(reach, stock) if isinstance(reach, Database) else Remote(reach)


def _now() -> datetime:
    return datetime.now(UTC)
