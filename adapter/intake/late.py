"""What time alone changes in the inbox: fragments whose others do not come, patients who never enrol."""

import asyncio
import logging
from collections.abc import Sequence

from adapter import log
from adapter.errors import StorageUnavailable
from adapter.replies import owed
from adapter.store import awaited, fragments
from adapter.store.awaited import ENROLLED
from adapter.store.database import Database, now_micros
from adapter.store.incidents import Incidents

_LOOK_SECONDS = 30.0
_WINDOW_MICROS = 7 * 24 * 3600 * 1_000_000
"""So long what is of nobody in the study waits for an enrolment."""


async def hold_late_fragments(database: Database, incidents: Incidents, sites: Sequence[str]) -> None:
    """Hold them until cancelled, by the clock of the database (B38)."""
    while True:
        try:
            for site in await asyncio.to_thread(hold_once, database, sites):
                incidents.note("fragments_missing", site=site)
            await asyncio.to_thread(minimise_once, database)
        except StorageUnavailable as failure:
            log.event("fragments_not_held", level=logging.WARNING, failure=failure)
        await asyncio.sleep(_LOOK_SECONDS)


def minimise_once(database: Database) -> int:
    """Keep only header and hash of what waited for an enrolment in vain; return of how many messages (D10).

    Raises:
        StorageUnavailable: the database failed.
    """
    with database.read() as connection:
        if ENROLLED not in awaited.kinds(connection):
            return 0
    with database.write() as connection:
        minimised = awaited.minimise(connection, now_micros(connection) - _WINDOW_MICROS)
    if minimised:
        log.event("messages_minimised", count=minimised)
    return minimised


def hold_once(database: Database, sites: Sequence[str]) -> list[str]:
    """Hold what is late now, and answer for it where that was asked; return the sites.

    Raises:
        StorageUnavailable: the database failed.
    """
    with database.read() as connection:
        if not fragments.any_late(connection, sites):
            return []
    with database.write() as connection:
        held = fragments.hold_late(connection, sites)
        owed.write(connection, [number for number, _ in held])
    return [site for _, site in held]
