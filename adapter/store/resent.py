"""A message that was refused came again, and nothing speaks against it now: a map or a site was added meanwhile.

It stays the same row with the same id: whatever refers to it, its attempts above all, still does.
"""

from collections.abc import Sequence

from sqlalchemy import Connection

from adapter.store import parts
from adapter.store.database import marks, rows
from adapter.store.inbox import REFUSALS, NewMessage, announce

__all__ = ["REFUSALS", "lift"]

_JUDGED = (
    "message_type",
    "event",
    "structure",
    "version",
    "encoding",
    "lane",
    "sha256",
    "state",
    "ack_code",
    "ack",
    "flags",
    "content",
    "raw",
)
_LIFT = f"""UPDATE message SET (site, control_id, {",".join(_JUDGED)}, cause_code, cause, mender)
    = ({marks(_JUDGED)},?,?,'','','') WHERE id = ? AND state = 'rejected' RETURNING id"""


def lift(connection: Connection, again: Sequence[tuple[int, NewMessage]]) -> set[int]:
    """Write the new judgement over a refusal: the message goes on as if it came for the first time.

    Args:
        connection: of a transaction.
        again: the id of the row that is refused, and the message as it is judged now.

    Returns:
        The ids that were changed; one that another process has changed before is not among them.
    """
    changed: set[int] = set()
    for number, message in again:
        site, control_id, _ = message.key
        judged = [getattr(message, name) for name in _JUDGED]
        lifted = {row[0] for row in rows(connection, _LIFT, [site, control_id, *judged, number])}
        if lifted and message.reserved:
            parts.move(connection, message.reserved, number, message.part_bytes)
        changed |= lifted
    if any(message.state == "received" for number, message in again if number in changed):
        announce(connection)
    return changed
