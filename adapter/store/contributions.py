"""Which message says something of which resource, and a digest of what it said: so replay knows what changed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from sqlalchemy import Connection

from adapter.fhir.json import dumps
from adapter.store.bulk import Bulk, parts
from adapter.store.database import marks, rows, run_many
from adapter.store.merge import Mapped
from adapter.store.names import Name, name_of

UNKNOWN = 0
"""The digest of what was said before digests were kept: never equal to one that is computed."""

_AT_ONCE = 500  # values in one statement
_TABLE = Bulk("contribution", {"message_id": "bigint", "key": "bigint", "digest": "bigint"})
_SAID = """INSERT INTO contribution (message_id, key, digest) VALUES (?,?,?)
    ON CONFLICT (message_id, key) DO UPDATE SET digest = excluded.digest"""
_UNSAID = "DELETE FROM contribution WHERE message_id = ? AND key = ?"


@dataclass(frozen=True, slots=True)
class Target:
    """A stored resource of which messages say something: its key, name, site and patient, and each message's digest."""

    key: int
    name: Name
    site: str
    patient_id: str | None
    said: Mapping[int, int]


def digest(said: Sequence[Mapped]) -> int:
    """The digest of what one message says of one resource, which it may name more than once.

    Keys are taken in the order in which the mapping writes them: sorting them would cost more than hashing does, and
    where only their order is another, the resource is compared in vain and stays as it is.
    """
    hashed = blake2b(digest_size=8)
    for one in said:
        how = (one.order, one.fill, one.defaults, one.cleared, one.undone, one.cancels)
        hashed.update(dumps((one.resource, *how)))
    return int.from_bytes(hashed.digest(), signed=True) or 1


def add(connection: Connection, values: Iterable[tuple[int, int, int]]) -> None:
    """Write what messages say: message, key, digest.

    What is known of a message already stays: what it said before is still in the resource, until that is made anew.
    """
    _TABLE.insert(connection, sorted(values))


def restate(connection: Connection, key: int, before: Mapping[int, int], now: Mapping[int, int]) -> None:
    """Write who says something of a resource that was made anew, and who no longer does."""
    run_many(connection, _SAID, [(one, key, said) for one, said in now.items() if before.get(one) != said])
    run_many(connection, _UNSAID, [(one, key) for one in before if one not in now])


def of_messages(connection: Connection, numbers: Iterable[int]) -> dict[int, dict[Name, int]]:
    """What each of these messages is known to say: the digest by resource."""
    found: dict[int, dict[Name, int]] = {}
    for some in parts(numbers, _AT_ONCE):
        sql = f"""SELECT c.message_id, r.resource_type, r.id, c.digest FROM contribution AS c
            JOIN resource AS r ON r.key = c.key WHERE c.message_id IN ({marks(some)})"""
        for number, kind, name, said in rows(connection, sql, some):
            found.setdefault(number, {})[kind, name] = said
    return found


def targets(connection: Connection, names: Iterable[Name]) -> dict[Name, Target]:
    """These resources, those that are stored, with everyone who says something of them."""
    wanted = set(names)
    found: list[Target] = []
    for some in parts({number for _, number in wanted}, _AT_ONCE):
        sql = f"SELECT key, resource_type, id, site, patient_id FROM resource WHERE id IN ({marks(some)})"
        for key, kind, number, site, patient in rows(connection, sql, some):
            if (kind, number) in wanted:
                found.append(Target(key, (kind, number), site, patient, {}))
    said = of_keys(connection, [one.key for one in found])
    return {one.name: Target(one.key, one.name, one.site, one.patient_id, said.get(one.key, {})) for one in found}


def of_keys(connection: Connection, keys: Iterable[int]) -> dict[int, dict[int, int]]:
    """Who says something of these resources: by key, message and digest."""
    found: dict[int, dict[int, int]] = {}
    for some in parts(keys, _AT_ONCE):
        sql = f"SELECT key, message_id, digest FROM contribution WHERE key IN ({marks(some)})"
        for key, number, said in rows(connection, sql, some):
            found.setdefault(key, {})[number] = said
    return found


def by_name(said: Iterable[Mapped]) -> Mapping[Name, Sequence[Mapped]]:
    """What one message says, by resource."""
    found: dict[Name, list[Mapped]] = {}
    for one in said:
        found.setdefault(name_of(one.resource), []).append(one)
    return found
