"""Writes the pseudonymised view behind the workers: of the participants of the study alone, what it may show of them.

It is a representation of its own, so that no way of asking can reach what it does not hold. Its ids are made with a key
of the installation: without it nobody can tell whose they are, with it a rebuilt store has the same ones.
"""

import hmac
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache, partial
from hashlib import sha256
from typing import Any

from adapter.converting import Bug, bounded
from adapter.fhir.json import loads
from adapter.fhir.pseudonymised import Projection
from adapter.fhir.search_params import SearchIndex
from adapter.log import event
from adapter.store import due, subjects, viewing
from adapter.store.database import Database
from adapter.store.secret import secret
from adapter.store.viewing import Source, ViewWriter

QUIET = timedelta(seconds=5)
"""So long nothing of a subject must have changed: what is written is then not written again at once."""

_KEY = "pseudonyms"
_DIGITS = 32
_REMEMBERED = 10_000  # ids: those of a patient and of stays come again and again


class Viewer:
    """Writes a piece at a time; several may share a database."""

    def __init__(
        self, database: Database, projection: Projection, search_index: SearchIndex, clock: Callable[[], datetime]
    ) -> None:
        """Keep the store, what the view shows, by what it can be searched, and the time in UTC."""
        self._database, self._projection, self._index, self._clock = database, projection, search_index, clock
        self._key = secret(database, _KEY)
        self._reached = ("", 0)  # the number, and the last key of it that was written
        self.name = lru_cache(maxsize=_REMEMBERED)(self._name)

    def begin(self) -> None:
        """Write the study and its definitions, and let all be written anew if the rules are others than before.

        Raises:
            StorageUnavailable: the database failed.
        """
        with self._database.write() as connection:
            if viewing.follow_rules(connection, self._projection.digest):
                event("view_due", view="pseudonymised")
        with self._database.read() as connection:
            found = viewing.stale_definitions(connection, self._projection.definitions)
        self._write(found)

    def run_once(self) -> int:
        """Write a piece of what the number that waits longest has.

        Returns:
            How many waited: 1, or 0 where none is ready.

        Raises:
            StorageUnavailable: the database failed; the number waits on.
        """
        with self._database.read() as connection:
            found = due.following(connection, due.VIEW, self._clock() - QUIET)
            if found is None:
                return 0
            number, after = found[0], self._reached[1] if found[0] == self._reached[0] else 0
            patients = subjects.patients_of(connection, number)
            sources = viewing.stale(connection, patients, sorted(self._projection.shapes), after=after)
            gone = viewing.gone(connection, patients)
        if sources or gone:
            self._write(sources, gone)
        elif after == 0:
            with self._database.write() as connection:
                due.taken(connection, due.VIEW, *found)
        # What changed behind us is found when nothing is left before us.
        self._reached = (number, sources[-1].key if sources else 0)
        return 1

    def _name(self, resource_type: str, resource_id: str) -> str:
        """The id in the view; the study's own resources keep theirs."""
        own = f"{resource_type}/{resource_id}"
        if own in self._projection.definitions:
            return resource_id
        return hmac.new(self._key, own.encode(), sha256).hexdigest()[:_DIGITS]

    def _write(self, sources: Sequence[Source], gone: Sequence[Source] = ()) -> None:
        made = {one.key: (one, None) for one in gone} | {one.key: (one, self._shown(one)) for one in sources}
        writer = ViewWriter(self._index, self.name, self._clock())
        with self._database.write() as connection:
            writer.write(connection, list(made.values()))

    def _shown(self, one: Source) -> dict[str, Any] | None:
        """What the view shows of a resource; nothing of one that it cannot read, which must not stop the others."""
        if one.deleted:
            return None
        shown = bounded(partial(self._projection.of, loads(one.body), self.name))
        if not isinstance(shown, Bug):
            return shown
        event("view_failed", level=logging.ERROR, failure=shown.exception, resource_type=one.resource_type)
        return None
