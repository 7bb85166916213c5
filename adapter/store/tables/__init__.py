"""The tables. These classes are the schema alone: hot paths speak SQL, and no object of them is ever made there.

Times are microseconds since 1970 in UTC, so that both databases compare and index them alike. Large columns stand
last, so that SQLite reads the small ones without them.
"""

from adapter.store.tables import access, derivations, identities, inbox, replays, resources, views, worklist
from adapter.store.tables.root import METADATA

__all__ = ["METADATA", "access", "derivations", "identities", "inbox", "replays", "resources", "views", "worklist"]
