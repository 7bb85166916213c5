"""What was imported before, as the inbox has it."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from adapter.store.database import rows

_ALL = "SELECT id, control_id FROM message WHERE site = ? AND state <> 'rejected' ORDER BY id"


@dataclass(frozen=True, slots=True)
class Imported:
    """The last message of a name, and how many there are of it."""

    id: int
    control_id: str
    count: int


def last(connection: Connection, site: str, name: Callable[[str], str]) -> dict[str, Imported]:
    """The last message of each name; what was refused is none.

    Args:
        connection: of a reading transaction.
        site: as whose messages the rows came.
        name: gives from MSH-10 what a message is of.
    """
    found: dict[str, Imported] = {}
    for number, control_id in rows(connection, _ALL, [site]):
        key = name(control_id)
        found[key] = Imported(number, control_id, found[key].count + 1 if key in found else 1)
    return found
