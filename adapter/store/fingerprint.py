"""One digest of all that is stored: equal where the resources are equal, in whatever order and on whatever engine.

It is about the current resources without `meta.versionId`, `meta.lastUpdated` and `meta.source`. The accounts that
replays leave (Provenance of no message) are not part of it: they tell of the store's past.
"""

from collections.abc import Iterator
from hashlib import blake2b

from adapter.fhir.json import canonical, loads
from adapter.store.database import Database, rows
from adapter.store.merge import content
from adapter.store.names import Name

_AT_ONCE = 2_000
_BYTES = 32
_PAGE = """SELECT key, resource_type, id, body FROM resource
    WHERE key > ? AND NOT deleted AND NOT (resource_type = 'Provenance' AND message_id = 0) ORDER BY key LIMIT ?"""


def fingerprint(database: Database) -> str:
    """The digest of all current resources, in hex: the sum of those of each."""
    total = sum(int.from_bytes(digest) for _, digest in _digests(database))
    return (total % (1 << 8 * _BYTES)).to_bytes(_BYTES).hex()


def differing(one: Database, other: Database, *, limit: int) -> list[str]:
    """The first resources, by type and id, that are not the same in two stores."""
    here, there = dict(_digests(one)), dict(_digests(other))
    names = sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))
    return ["/".join(name) for name in names[:limit]]


def _digests(database: Database) -> Iterator[tuple[Name, bytes]]:
    after = 0
    while True:
        with database.read() as connection:
            found = rows(connection, _PAGE, [after, _AT_ONCE])
        if not found:
            return
        after = found[-1][0]
        for _, kind, number, body in found:
            said = canonical([kind, number, content(loads(bytes(body)))])
            yield (kind, number), blake2b(said, digest_size=_BYTES).digest()
