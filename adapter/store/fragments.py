"""Fragments in the inbox: put together when the last one has come, held when it does not come (B38).

The row of the last fragment becomes the message: `raw` is the joined text, and what came stays byte for byte in
`message_part`. The other rows end as `joined`, with the number of that row in `batch_id`. A fragment that is held
because another did not come is still put together with it when it comes late.
"""

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from adapter.hl7v2.continuation import chain, join, of_words
from adapter.protocol_errors import FragmentsMissing
from adapter.store.database import marks, now_micros, rows, run, run_many
from adapter.store.inbox import NewMessage, announce

SECONDS = 600
"""So long a fragment waits for the others."""

_WAITING = """SELECT id, flags FROM message
    WHERE site = ? AND (state = 'fragment' OR (state = 'held' AND cause_code = ?)) ORDER BY id"""
_RAW = "SELECT raw FROM message WHERE id = ?"
_BECOMES = (
    "message_type",
    "event",
    "structure",
    "version",
    "lane",
    "encoding",
    "state",
    "cause_code",
    "cause",
    "mender",
)
_BECOME = f"UPDATE message SET {','.join(f'{name} = ?' for name in _BECOMES)}, raw = ?, part_bytes = ? WHERE id = ?"
_JOINED = "UPDATE message SET state = 'joined', batch_id = ?, cause_code = '', cause = '', mender = '' WHERE id = ?"
_PART = "INSERT INTO message_part (message_id, number, data) VALUES (?,0,?)"


def assemble(connection: Connection, site: str, whole: Callable[[bytes], NewMessage]) -> list[int]:
    """Put together whatever is complete among the fragments of a site.

    Args:
        connection: of the transaction that stored the newest of them.
        site: whose fragments these are.
        whole: judges a joined text.

    Returns:
        The ids of the rows that became messages.
    """
    found = rows(connection, _WAITING, [site, FragmentsMissing.code])
    places = {number: of_words(flags) for number, flags in found}
    made: list[int] = []
    for last in [number for number, place in places.items() if not place.before]:
        if numbers := chain(last, places):
            raws = [bytes(rows(connection, _RAW, [number])[0][0]) for number in numbers]
            _become(connection, last, raws[-1], whole(join(raws)))
            run_many(connection, _JOINED, [(last, number) for number in numbers[:-1]])
            made.append(last)
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


def _become(connection: Connection, number: int, fragment_raw: bytes, message: NewMessage) -> None:
    refused = message.cause_code != ""
    values = [getattr(message, name) for name in _BECOMES]
    # It has been acknowledged already: what is wrong with it needs a person, and keeps nobody back.
    values[_BECOMES.index("state")] = "held" if refused else message.state
    values[_BECOMES.index("lane")] = "" if refused else message.lane
    run(connection, _BECOME, [*values, message.raw, len(fragment_raw), number])
    run(connection, _PART, [number, fragment_raw])
    if message.state == "received":
        announce(connection)
