"""What time alone changes in the inbox: fragments whose others do not come."""

import asyncio
import logging
from collections.abc import Sequence

from adapter import log
from adapter.errors import StorageUnavailable
from adapter.replies import owed
from adapter.store import fragments
from adapter.store.database import Database
from adapter.store.incidents import Incidents

_LOOK_SECONDS = 30.0


async def hold_late_fragments(database: Database, incidents: Incidents, sites: Sequence[str]) -> None:
    """Hold them until cancelled, by the clock of the database (B38)."""
    while True:
        try:
            for site in await asyncio.to_thread(hold_once, database, sites):
                incidents.note("fragments_missing", site=site)
        except StorageUnavailable as failure:
            log.event("fragments_not_held", level=logging.WARNING, failure=failure)
        await asyncio.sleep(_LOOK_SECONDS)


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
