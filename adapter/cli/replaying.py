"""Who carries out a replay: this process where the database is free, else the program that has it."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx

from adapter.cli.running import post, reached
from adapter.operate.replays import Order, Replays, texts_of
from adapter.replay.run import Replayer
from adapter.settings import Settings
from adapter.stock import Stock


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
    with reached(settings, url) as reach:
        if isinstance(reach, httpx.Client):
            yield Remote(reach)
        else:
            yield Replayer(reach, stock.present(), lambda: datetime.now(UTC))
