"""The listeners are open while messages can be stored: a full disk closes them, room opens them again (F6, F9)."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from adapter import log
from adapter.store.database import Database
from adapter.store.incidents import Incidents
from adapter.wire.listener import Listener

PAUSE_SECONDS = 1.0
GRACE_SECONDS = 1.0


async def mind(
    listeners: Sequence[Listener], database: Database, incidents: Incidents, *, pause: float = PAUSE_SECONDS
) -> None:
    """Close and open the listeners with the storage, until cancelled. The API goes on reading."""
    addresses = [listener.address for listener in listeners]
    is_open = True
    while True:
        await asyncio.sleep(pause)
        accepting = await asyncio.to_thread(lambda: database.accepting)
        if accepting == is_open:
            continue
        if accepting:
            is_open = await _open(listeners, addresses)
            incidents.end("disk_full")
            continue
        is_open = False
        incidents.note("disk_full")
        log.event("listeners_closed", level=logging.ERROR, reason="the disk is full or cannot be written")
        for listener in listeners:
            await listener.stop(grace=GRACE_SECONDS)


def heed_descriptors(loop: asyncio.AbstractEventLoop, incidents: Incidents) -> None:
    """Note it where no connection can be accepted for want of file descriptors (F28).

    asyncio waits a second and tries again; it would tell so a hundred times.
    """

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        told = str(context.get("message", ""))
        if told.startswith("socket.accept() out of system resource"):
            incidents.note("no_descriptors")
        elif "_start_serving" in told and isinstance(context.get("exception"), ValueError):
            return  # the listener was closed before it could try again
        else:
            loop.default_exception_handler(context)

    loop.set_exception_handler(handle)


async def _open(listeners: Sequence[Listener], addresses: Sequence[tuple[str, int]]) -> bool:
    """Listen again on the same addresses; what could not be opened is tried again."""
    try:
        for listener, address in zip(listeners, addresses, strict=True):
            await listener.start(*address)
    except OSError as error:
        log.event("listeners_not_opened", level=logging.ERROR, failure=error)
        return False
    log.event("listeners_opened")
    return True
