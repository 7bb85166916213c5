"""The one door for messages of every transport: check, store, commit, then answer."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from adapter import log
from adapter.errors import ForeignSender, Refusal, StorageUnavailable, TooLarge, UnknownSender
from adapter.hl7v2.ack import acknowledge
from adapter.hl7v2.parse import NO_HEADER
from adapter.intake.checks import Reading, acknowledgement, digest, lane, read
from adapter.intake.writer import UNKNOWN_SITE, Record, Stored, Writer
from adapter.listeners import Channel
from adapter.mapper.catalog import Catalog
from adapter.store import inbox
from adapter.store.database import Database
from adapter.store.incidents import Incidents
from adapter.tally import Tally
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
class Origin:
    """Where a message came from: listener or folder, `mllp`, `http` or `file`, and the address of the peer."""

    channel: Channel
    transport: str
    peer: str


@dataclass(frozen=True, slots=True)
class _Arrival:
    """An origin, and when it was."""

    channel: str
    transport: str
    peer: str
    received_at: datetime


class Intake:
    """Receives messages into one database. Belongs to one event loop."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        database: Database,
        clock: Callable[[], datetime],
        incidents: Incidents,
        instance: str = "",
    ) -> None:
        """Keep what every message needs.

        Args:
            catalog: the sites, and the messages that they may send.
            database: holds the inbox.
            clock: gives the time, with its zone.
            incidents: hears of what an operator must know.
            instance: up to three characters that tell apart the processes of one database in our own MSH-10.
        """
        self._catalog, self._clock, self._instance = catalog, clock, instance
        self.incidents = incidents
        self.tally = Tally()
        self._database, self._writer = database, Writer(database)
        self._last_id = 0

    async def receive(self, raw: bytes, *, origin: Origin) -> Answer:
        """Check and store one message; return its answer when it is on disk.

        Args:
            raw: the bytes, without framing; kept as they are.
            origin: where they came from.

        Returns:
            The acknowledgement: of the first one, if the message came before.
        """
        arrival = self._arrival(origin)
        reading = read(raw, self._catalog, origin.channel)
        if reading.is_acknowledgement:
            # An acknowledgement is never acknowledged (B32).
            log.event("acknowledgement_unexpected", level=logging.WARNING, channel=arrival.channel, peer=origin.peer)
            return await self._keep(_event("acknowledgement", raw, arrival), state="acknowledgement")
        self._note_sender(reading, origin)
        message = self._message(raw, reading, arrival, mark=digest(raw, reading))
        return await self._keep(message, state=message.state)

    async def receive_oversize(self, event: Oversize, *, origin: Origin) -> Answer:
        """Refuse a message above the limit, of which only the head is here (A26, A27)."""
        arrival = self._arrival(origin)
        reading = read(event.head, self._catalog, origin.channel)
        if reading.head is NO_HEADER and not event.ended:
            answer = await self._keep(_event("garbage", event.head, arrival), state="garbage")
            return replace(answer, close=True)
        reading.refusal = TooLarge(f"the message has {event.length} bytes{'' if event.ended else ' and goes on'}")
        message = self._message(event.head, reading, arrival, mark=bytes.fromhex(event.sha256))
        answer = await self._keep(message, state=message.state)
        return replace(answer, close=answer.close or not event.ended)

    async def record_event(self, kind: str, raw: bytes, *, origin: Origin) -> None:
        """Keep bytes that are no message: `noise`, `partial`, `garbage`."""
        await self._keep(_event(kind, raw, self._arrival(origin)), state=kind)

    def undelivered(self, message_id: int) -> None:
        """Note that a sender never got its answer; it is given again when the message comes again.

        Raises:
            StorageUnavailable: it could not be noted.
        """
        with self._database.write() as connection:
            inbox.set_outcome(connection, message_id, "undelivered")

    async def close(self) -> None:
        """Return when everything that was received is stored."""
        await self._writer.close()

    def _arrival(self, origin: Origin) -> _Arrival:
        return _Arrival(origin.channel.name, origin.transport, origin.peer, self._clock())

    def _note_sender(self, reading: Reading, origin: Origin) -> None:
        """Tell of a sender that is not known, or not here (D1, D2)."""
        place = {"channel": origin.channel.name, "peer": origin.peer.rpartition(":")[0]}
        if isinstance(reading.refusal, ForeignSender) and reading.site:
            self.incidents.note("foreign_sender", site=reading.site.code, **place)
        elif isinstance(reading.refusal, UnknownSender):
            self.incidents.note("unknown_sender", **place)

    async def _keep(self, record: Record, *, state: str) -> Answer:
        try:
            async with asyncio.timeout(BUDGET_SECONDS):
                stored = await self._writer.put(record)
        except (StorageUnavailable, TimeoutError) as error:
            # Our own fault: no answer (F6 to F10).
            log.event("message_not_stored", level=logging.ERROR, failure=error, channel=record.channel)
            self.incidents.note("storage_unavailable", detail=type(error).__name__)
            return Answer(None, "", close=True)
        _log_stored(record, stored)
        _count(self.tally, record, stored)
        return Answer(stored.ack, "duplicate" if stored.repeated else state, stored.message_id)

    def _message(self, raw: bytes, reading: Reading, arrival: _Arrival, *, mark: bytes) -> inbox.NewMessage:
        head, refusal = reading.head, reading.refusal
        code, wanted = acknowledgement(head, refusal)
        now = arrival.received_at
        ack = acknowledge(head, code=code, control_id=self._next_control_id(now), now=now, error=refusal)
        return inbox.NewMessage(
            site=reading.site.code if reading.site else UNKNOWN_SITE,
            channel=arrival.channel,
            transport=arrival.transport,
            peer=arrival.peer,
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


def _event(kind: str, raw: bytes, arrival: _Arrival) -> inbox.Event:
    return inbox.Event(kind, arrival.channel, arrival.transport, arrival.peer, arrival.received_at, raw)


def _cause(refusal: Refusal | None) -> str:
    if refusal is None:
        return ""
    return f"{refusal.at}: {refusal.text}" if refusal.at else refusal.text


def _log_stored(record: Record, stored: Stored) -> None:
    if isinstance(record, inbox.NewMessage):
        name, level = _outcome(record, stored)
        place = {"site": record.site, "channel": record.channel, "cause": record.cause_code}
        log.event(name, level=level, failure=None, message_id=stored.message_id, **place)


def _count(tally: Tally, record: Record, stored: Stored) -> None:
    if not isinstance(record, inbox.NewMessage):
        return
    if stored.repeated:
        tally.resends[record.site, record.channel] += 1
        return
    kind = tally.label(f"{record.message_type}^{record.event}")
    tally.stored((record.site, record.channel, kind, record.state, record.ack_code))


def _outcome(record: inbox.NewMessage, stored: Stored) -> tuple[str, int]:
    if stored.repeated:
        return "message_resent", logging.INFO
    if record.state != "rejected":
        return "message_stored", logging.DEBUG
    # A sender that asked not to be told (B28, B30): nobody else knows.
    return ("refusal_not_told", logging.ERROR) if record.ack is None else ("message_refused", logging.WARNING)
