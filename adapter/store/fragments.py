"""Fragments in the inbox: put together when the last one has come, held when it does not come (B38).

The joined text becomes a message with a row of its own. The fragments stay byte for byte as they came and end as
`joined`, with the number of that row in `batch_id`. A fragment that is held because another did not come is still put
together with it when it comes late.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from sqlalchemy import Connection

from adapter.errors import TooLarge
from adapter.hl7v2.continuation import chain, join, of_words
from adapter.protocol_errors import FragmentsMissing
from adapter.store import inbox, parts
from adapter.store.database import marks, now_micros, rows, run_many

SECONDS = 600
"""So long a fragment waits for the others."""

LONGEST = 64 * 1024 * 1024
"""Bytes of all fragments of a message: the same as of one that comes whole."""

_WAITING = """SELECT id, flags FROM message
    WHERE site = ? AND (state = 'fragment' OR (state = 'held' AND cause_code = ?)) ORDER BY id"""
_SIZE = "SELECT CASE WHEN part_bytes > 0 THEN part_bytes ELSE length(raw) END FROM message WHERE id = ?"
_RAW = "SELECT raw, part_bytes FROM message WHERE id = ?"
_JOINED = "UPDATE message SET state = 'joined', batch_id = ?, cause_code = '', cause = '', mender = '' WHERE id = ?"
_HOLD = """UPDATE message SET state = 'held', cause_code = ?, cause = ?, mender = ?, lane = '', finished_at = ?
    WHERE id = ?"""


def assemble(connection: Connection, site: str, whole: Callable[[bytes], inbox.NewMessage]) -> list[int]:
    """Put together whatever is complete among the fragments of a site.

    Args:
        connection: of the transaction that stored the newest of them.
        site: whose fragments these are.
        whole: judges a joined text.

    Returns:
        The ids of the messages that were made.
    """
    found = rows(connection, _WAITING, [site, FragmentsMissing.code])
    places = {number: of_words(flags) for number, flags in found}
    made: list[int] = []
    for last in [number for number, place in places.items() if not place.before]:
        numbers = chain(last, places)
        if not numbers:
            continue
        if sum(rows(connection, _SIZE, [number])[0][0] for number in numbers) > LONGEST:
            _refuse(connection, numbers)
            continue
        joined = join([_bytes(connection, number) for number in numbers])
        made.append(_insert(connection, whole(joined), joined))
        run_many(connection, _JOINED, [(made[-1], number) for number in numbers])
    return made


def any_late(connection: Connection, sites: Sequence[str]) -> bool:
    """Whether `hold_late` would find anything; a reader need not wait for its turn."""
    sql = f"SELECT 1 FROM message WHERE site IN ({marks(sites)}) AND state = 'fragment' AND received_at < ? LIMIT 1"
    return bool(rows(connection, sql, [*sites, now_micros(connection) - SECONDS * 1_000_000]))


def hold_late(connection: Connection, sites: Sequence[str]) -> list[tuple[int, str]]:
    """Hold the fragments of these sites whose others did not come in time.

    Returns:
        Their ids, and the sites.
    """
    now = now_micros(connection)
    text = f"the rest of this message did not come within {SECONDS // 60} minutes"
    cause = [FragmentsMissing.code, text, FragmentsMissing.mender]
    sql = f"""UPDATE message SET state = 'held', cause_code = ?, cause = ?, mender = ?, lane = '', finished_at = ?
        WHERE site IN ({marks(sites)}) AND state = 'fragment' AND received_at < ? RETURNING id, site"""
    found = rows(connection, sql, [*cause, now, *sites, now - SECONDS * 1_000_000])
    return [(number, site) for number, site in found]


def _bytes(connection: Connection, number: int) -> bytes:
    """A fragment as it came; of a large one the row holds only the slim form."""
    raw, large = rows(connection, _RAW, [number])[0]
    return b"".join(parts.read(connection, number)) if large else bytes(raw)


def _insert(connection: Connection, message: inbox.NewMessage, joined: bytes) -> int:
    """Store the message; byte for byte beside it where its row holds only the slim form."""
    if message.part_bytes:
        message = replace(message, reserved=parts.reserve(connection))
        pieces = [joined[start : start + parts.SIZE] for start in range(0, len(joined), parts.SIZE)]
        parts.write(connection, message.reserved, 0, pieces)
    (number,) = inbox.insert(connection, [message])
    if message.reserved not in {0, number}:
        parts.drop(connection, message.reserved)
    return number


def _refuse(connection: Connection, numbers: Sequence[int]) -> None:
    cause = [TooLarge.code, f"the fragments have more than {LONGEST} bytes together", TooLarge.mender]
    now = now_micros(connection)
    run_many(connection, _HOLD, [(*cause, now, number) for number in numbers])
