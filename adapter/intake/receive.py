"""The one door for messages of every transport: check, store, commit, then answer."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from adapter import log
from adapter.errors import Refusal, StorageUnavailable, TooLarge
from adapter.hl7v2.ack import acknowledge
from adapter.hl7v2.parse import NO_HEADER
from adapter.intake.checks import Reading, acknowledgement, digest, lane, read
from adapter.intake.writer import UNKNOWN_SITE, Record, Stored, Writer
from adapter.mapper.catalog import Catalog
from adapter.store import inbox
from adapter.store.database import Database
from adapter.wire.mllp import Oversize

BUDGET_SECONDS = 3.0
"""Below the shortest time-out of a sender (5 s), so that no answer crosses a message sent again (B55, F10)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: `ack`, or nothing. `close`: send nothing and close (HTTP: 503), so that it is sent again."""

    ack: bytes | None
    state: str
    message_id: int | None = None
    close: bool = False


@dataclass(frozen=True, slots=True)
class _Origin:
    channel: str
    transport: str
    peer: str
    received_at: datetime


class Intake:
    """Receives messages into one database. Belongs to one event loop."""

    def __init__(
        self, *, catalog: Catalog, database: Database, clock: Callable[[], datetime], instance: str = ""
    ) -> None:
        """Keep what every message needs.

        Args:
            catalog: the sites, and the messages that they may send.
            database: holds the inbox.
            clock: gives the time, with its zone.
            instance: up to three characters that tell apart the processes of one database in our own MSH-10.
        """
        self._catalog, self._clock, self._instance = catalog, clock, instance
        self._writer = Writer(database)
        self._last_id = 0

    async def receive(self, raw: bytes, *, channel: str, transport: str, peer: str) -> Answer:
        """Check and store one message; return its answer when it is on disk.

        Args:
            raw: the bytes, without framing; kept as they are.
            channel: name of the listener or route.
            transport: `mllp` or `http`.
            peer: the address it came from.

        Returns:
            The acknowledgement: of the first one, if the message came before.
        """
        origin = _Origin(channel, transport, peer, self._clock())
        reading = read(raw, self._catalog)
        if reading.is_acknowledgement:
            # An acknowledgement is never acknowledged (B32).
            log.event("acknowledgement_unexpected", level=logging.WARNING, channel=channel, peer=peer)
            return await self._keep(_event("acknowledgement", raw, origin), state="acknowledgement")
        message = self._message(raw, reading, origin, mark=digest(raw, reading))
        return await self._keep(message, state=message.state)

    async def receive_oversize(self, event: Oversize, *, channel: str, transport: str, peer: str) -> Answer:
        """Refuse a message above the limit, of which only the head is here (A26, A27)."""
        origin = _Origin(channel, transport, peer, self._clock())
        reading = read(event.head, self._catalog)
        if reading.head is NO_HEADER and not event.ended:
            answer = await self._keep(_event("garbage", event.head, origin), state="garbage")
            return replace(answer, close=True)
        reading.refusal = TooLarge(f"the message has {event.length} bytes{'' if event.ended else ' and goes on'}")
        message = self._message(event.head, reading, origin, mark=bytes.fromhex(event.sha256))
        answer = await self._keep(message, state=message.state)
        return replace(answer, close=answer.close or not event.ended)

    async def record_event(self, kind: str, raw: bytes, *, channel: str, transport: str, peer: str) -> None:
        """Keep bytes that are no message: `noise`, `partial`, `garbage`."""
        origin = _Origin(channel, transport, peer, self._clock())
        await self._keep(_event(kind, raw, origin), state=kind)

    async def close(self) -> None:
        """Return when everything that was received is stored."""
        await self._writer.close()

    async def _keep(self, record: Record, *, state: str) -> Answer:
        try:
            async with asyncio.timeout(BUDGET_SECONDS):
                stored = await self._writer.put(record)
        except (StorageUnavailable, TimeoutError) as error:
            # Our own fault: no answer (F6 to F10).
            log.event("message_not_stored", level=logging.ERROR, failure=error, channel=record.channel)
            return Answer(None, "", close=True)
        _log_stored(record, stored)
        return Answer(stored.ack, "duplicate" if stored.repeated else state, stored.message_id)

    def _message(self, raw: bytes, reading: Reading, origin: _Origin, *, mark: bytes) -> inbox.NewMessage:
        head, refusal = reading.head, reading.refusal
        code, wanted = acknowledgement(head, refusal)
        now = origin.received_at
        ack = acknowledge(head, code=code, control_id=self._next_control_id(now), now=now, error=refusal)
        return inbox.NewMessage(
            site=reading.site.code if reading.site else UNKNOWN_SITE,
            channel=origin.channel,
            transport=origin.transport,
            peer=origin.peer,
            control_id=head.text(10),
            message_type=reading.type,
            event=reading.event,
            structure=reading.structure,
            version=reading.version,
            lane=lane(reading),
            sha256=mark,
            raw=raw,
            encoding=reading.message.encoding if reading.message else "",
            state="rejected" if refusal else reading.state,
            received_at=now,
            cause_code=refusal.code if refusal else "",
            cause=_cause(refusal),
            mender=refusal.mender if refusal else "",
            ack_code=code,
            ack=ack if wanted else None,
        )

    def _next_control_id(self, now: datetime) -> str:
        """Our MSH-10: microseconds since 1970, each greater than the last."""
        self._last_id = max(self._last_id + 1, round(now.timestamp() * 1_000_000))
        return f"H2F{self._last_id:014x}{self._instance}"


def _event(kind: str, raw: bytes, origin: _Origin) -> inbox.Event:
    return inbox.Event(kind, origin.channel, origin.transport, origin.peer, origin.received_at, raw)


def _cause(refusal: Refusal | None) -> str:
    if refusal is None:
        return ""
    return f"{refusal.at}: {refusal.text}" if refusal.at else refusal.text


def _log_stored(record: Record, stored: Stored) -> None:
    if isinstance(record, inbox.NewMessage):
        name, level = _outcome(record, stored)
        place = {"site": record.site, "channel": record.channel, "cause": record.cause_code}
        log.event(name, level=level, failure=None, message_id=stored.message_id, **place)


def _outcome(record: inbox.NewMessage, stored: Stored) -> tuple[str, int]:
    if stored.repeated:
        return "message_resent", logging.INFO
    if record.state != "rejected":
        return "message_stored", logging.DEBUG
    # A sender that asked not to be told (B28, B30): nobody else knows.
    return ("refusal_not_told", logging.ERROR) if record.ack is None else ("message_refused", logging.WARNING)
