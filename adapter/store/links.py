"""The protocol of sequence numbers (HL7 v2.5.1 §2.10.1): which number of a link was taken last.

It is written in the transaction that stores the message, so that the two can never disagree.
"""

from sqlalchemy import Connection

from adapter.store.database import rows, run

START, RESET = 0, -1
"""MSH-13 that starts a link, and that lets the next message set the number."""

_LAST = "SELECT last FROM link WHERE site = ? AND channel = ?"
_KEEP = """INSERT INTO link (site, channel, last) VALUES (?,?,?)
    ON CONFLICT (site, channel) DO UPDATE SET last = excluded.last"""


class Links:
    """The links of one transaction."""

    def __init__(self, connection: Connection) -> None:
        """Nothing is known yet."""
        self._connection = connection
        self._last: dict[tuple[str, str], int | None] = {}

    def expected(self, site: str, channel: str) -> int | None:
        """The number that should come next; None: any may, since nothing has come or the link was reset."""
        key = (site, channel)
        if key not in self._last:
            lock = " FOR UPDATE" if self._connection.dialect.name == "postgresql" else ""
            found = rows(self._connection, _LAST + lock, key)
            self._last[key] = found[0][0] if found else None
        last = self._last[key]
        return None if last in {None, RESET} else (last or 0) + 1

    def keep(self, site: str, channel: str, number: int) -> None:
        """Note that this number was taken."""
        self._last[site, channel] = number
        run(self._connection, _KEEP, [site, channel, number])
