"""Who carries out a replay: this process where the database is free, else the program that has it."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from adapter.cli.running import client_of, post
from adapter.errors import ConfigurationError, DatabaseInUse
from adapter.operate import door
from adapter.operate.replays import Order, Replays, texts_of
from adapter.replay.run import Replayer
from adapter.settings import Settings
from adapter.stock import Stock
from adapter.store.database import open_database


@dataclass(frozen=True, slots=True)
class Remote:
    """Replays that a running program carries out."""

    client: httpx.Client

    def begin(self, order: Order) -> dict[str, Any]:
        """As `Replays.begin`."""
        body = {"filter": texts_of(order.selection), "mapping": order.mapping}
        return post(self.client, "replay", {**body, "actor": order.actor, "reason": order.reason})

    def go_on(self, number: int | None, mapping: str) -> dict[str, Any]:
        """As `Replays.go_on`."""
        return post(self.client, "replay", {"replay": number, "mapping": mapping})


@contextmanager
def replaying(settings: Settings, stock: Stock, *, url: str = "") -> Generator[Replays]:
    """What carries out replays.

    Args:
        settings: the data folder or the database.
        stock: the mappings of this installation.
        url: a program elsewhere, asked with ADAPTER_OPERATOR_TOKEN.

    Raises:
        ConfigurationError: the database is in use, and the program that has it cannot be asked.
    """
    if url:
        token = settings.operator_token
        with client_of(url, token.get_secret_value() if token else "") as client:
            yield Remote(client)
        return
    try:
        database = open_database(settings.database)
    except DatabaseInUse as held:
        found = door.find(settings.data)
        if found is None:
            raise ConfigurationError(f"{held.text}; give --url and ADAPTER_OPERATOR_TOKEN to ask it") from held
        with client_of(found.url, found.token) as client:
            yield Remote(client)
        return
    try:
        yield Replayer(database, stock.present(), lambda: datetime.now(UTC))
    finally:
        database.close()
