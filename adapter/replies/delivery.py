"""Sending application acknowledgements to the hospitals: in order, one connection for each site, again after a pause.

They ask for no acknowledgement of their own (MSH-15 and MSH-16 `NE`): one is delivered when the hospital has kept the
connection open after it. What the hospital answers all the same is believed.
"""

import asyncio
import logging
import ssl
from collections.abc import Mapping, Sequence

from adapter import log
from adapter.errors import ConfigurationError, StorageUnavailable
from adapter.listeners import Receiver
from adapter.store import replies
from adapter.store.database import Connection, Database, now_micros
from adapter.store.incidents import Incidents
from adapter.wire.sender import NO_ANSWER, Delivery, client_context, send_mllp

FIRST_PAUSE, LONGEST_PAUSE = 10.0, 600.0
GIVEN_UP_SECONDS = 24 * 3600
LINGER_SECONDS = 1.0
"""So long an answer, or the end of the connection, is waited for."""

_LOOK_SECONDS = 1.0
_WINDOW = 32


class Deliveries:
    """Sends what is due, to the receivers of the installation."""

    def __init__(
        self,
        database: Database,
        receivers: Mapping[str, Receiver],
        incidents: Incidents,
        *,
        linger: float = LINGER_SECONDS,
    ) -> None:
        """Send replies of a site to its receiver.

        Raises:
            ConfigurationError: a certificate cannot be used.
        """
        self._database, self._receivers, self._incidents, self._linger = database, receivers, incidents, linger
        for site, receiver in receivers.items():
            try:
                _tls(receiver)
            except OSError as error:
                raise ConfigurationError(f"replies of {site}: its certificates cannot be used: {error}") from error

    async def run(self) -> None:
        """Send until cancelled; a storage that fails is asked again later."""
        while True:
            try:
                await self.turn()
            except StorageUnavailable as failure:
                log.event("replies_paused", level=logging.WARNING, failure=failure)
            await asyncio.sleep(_LOOK_SECONDS)

    async def turn(self) -> None:
        """Send once to every site what is due.

        Raises:
            StorageUnavailable: the database failed.
        """
        await asyncio.gather(*[self._send(site) for site in await asyncio.to_thread(self._sites)])

    async def _send(self, site: str) -> None:
        receiver = self._receivers.get(site)
        if receiver is None:
            if await asyncio.to_thread(self._unaddressed, site):
                self._incidents.note("reply_without_address", site=site)
            return
        due = await asyncio.to_thread(self._due, site)
        if not due:
            return
        sent: list[Delivery] = []
        failure = "connection closed"
        payloads = [one.payload for one in due]
        host, port = receiver.address.host, receiver.address.port
        try:
            # Read anew each time: certificates are renewed under the same names.
            line = send_mllp(payloads, host, port, window=_WINDOW, seconds=self._linger, tls=_tls(receiver))
            async for delivery in line:
                if not _arrived(delivery):
                    break
                sent.append(delivery)
        except OSError as error:
            failure = f"no connection: {type(error).__name__}"
        await asyncio.to_thread(self._note, site, due, sent, failure)

    def _sites(self) -> list[str]:
        with self._database.read() as connection:
            return replies.sites(connection)

    def _due(self, site: str) -> list[replies.Waiting]:
        with self._database.read() as connection:
            return replies.waiting(connection, site)

    def _unaddressed(self, site: str) -> bool:
        with self._database.write() as connection:
            return replies.unaddressed(connection, site)

    def _note(self, site: str, due: Sequence[replies.Waiting], sent: Sequence[Delivery], failure: str) -> None:
        """Write what became of them; the first that did not arrive keeps the others waiting behind it."""
        with self._database.write() as connection:
            for reply, delivery in zip(due, sent, strict=False):
                refused = f"answered {delivery.code}" if delivery.code and not delivery.accepted else ""
                replies.end(connection, [reply.id], "failed" if refused else "delivered", refused)
                if refused:
                    self._give_up(site, reply, refused)
            if len(sent) < len(due):
                self._postpone(connection, site, due[len(sent)], failure)

    def _postpone(self, connection: Connection, site: str, reply: replies.Waiting, failure: str) -> None:
        if now_micros(connection) - reply.made_at > GIVEN_UP_SECONDS * 1_000_000:
            replies.end(connection, [reply.id], "failed", failure)
            self._give_up(site, reply, failure)
        else:
            pause = min(FIRST_PAUSE * 2.0 ** min(reply.attempts, 10), LONGEST_PAUSE)
            replies.later(connection, reply.id, failure, seconds=pause)

    def _give_up(self, site: str, reply: replies.Waiting, failure: str) -> None:
        log.event("reply_failed", level=logging.ERROR, message_id=reply.message_id, site=site, reason=failure)
        self._incidents.note("reply_undeliverable", site=site, detail=failure)


def _tls(receiver: Receiver) -> ssl.SSLContext | None:
    """What to connect with; OSError when a file cannot be used."""
    tls = receiver.tls
    return client_context(tls.certificate, tls.key, tls.ca) if tls else None


def _arrived(delivery: Delivery) -> bool:
    """Whether the hospital has it: it said something, or kept the connection open."""
    return bool(delivery.code) or delivery.failure == NO_ANSWER
