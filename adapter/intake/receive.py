"""The one door for messages of every transport: check, store, commit, then answer."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from adapter import log
from adapter.errors import NoHeader, StorageUnavailable, TooLarge
from adapter.hl7v2 import envelope
from adapter.hl7v2.ack import acknowledge, acknowledged
from adapter.hl7v2.parse import NO_HEADER, Header
from adapter.intake.batches import Batches
from adapter.intake.checks import read
from adapter.intake.draft import Arrival, Draft
from adapter.intake.large import Large
from adapter.intake.marks import digest
from adapter.intake.origin import Answer, Origin
from adapter.intake.reading import Reading
from adapter.intake.settle import Outcomes
from adapter.intake.storing import Stored
from adapter.intake.truncated import Truncated
from adapter.intake.watch import Watch
from adapter.intake.writer import Lost, Writer
from adapter.mapper.catalog import Catalog
from adapter.replies import owed
from adapter.store import inbox
from adapter.store.database import Database
from adapter.store.incidents import Incidents
from adapter.tally import Tally
from adapter.wire.spool import Oversize, Spooled

BUDGET_SECONDS = 3.0
"""Below the shortest time-out of a sender (5 s), so that no answer crosses a message sent again (B55, F10)."""


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
        self._catalog, self._clock, self._instance, self._database = catalog, clock, instance, database
        self.incidents = incidents
        self.tally = Tally()
        self._watch, self._outcomes = Watch(incidents), Outcomes(database)
        self._writer, self._large = Writer(database), Large(database, catalog)
        self._batches = Batches(self, self._writer, catalog, clock)
        self._truncated = Truncated(catalog, incidents)
        self._last_id = 0

    async def receive(self, raw: bytes, *, origin: Origin) -> Answer:
        """Check and store a message or batch; return its answer when it is on disk, or (`ack_point: mapped`) converted.

        Args:
            raw: the bytes, without framing; kept as they are.
            origin: where they came from.

        Returns:
            The acknowledgement: of the first one, if the message came before; to a batch an answering batch.
        """
        if envelope.begins(raw):
            return await self._batches.receive(raw, origin=origin)
        await self._batches.behind(origin)
        arrival = self._arrival(origin)
        reading = read(raw, self._catalog, origin.channel)
        if reading.is_acknowledgement:
            return await self._keep_acknowledgement(raw, reading.head, arrival)
        self._watch.received(reading, arrival)
        return await self._take(self._draft(raw, reading, arrival, mark=digest(raw, reading)))

    async def receive_large(self, spooled: Spooled, *, origin: Origin) -> Answer:
        """As `receive`, for a message in a file: it goes to disk byte for byte, and is read without its documents.

        Args:
            spooled: the message; its file stays the caller's.
            origin: where it came from.
        """
        if envelope.begins(spooled.head):
            return await self._batches.receive(spooled.file.read, origin=origin)
        await self._batches.behind(origin)
        arrival = self._arrival(origin)
        found = await self._large.read(spooled, origin.channel)
        if found.reading.is_acknowledgement:
            return await self._keep_acknowledgement(spooled.head, found.reading.head, arrival)
        self._watch.received(found.reading, arrival)
        draft = self._draft(found.slim.raw, found.reading, arrival, mark=found.mark)
        try:
            # Without documents the slim form is the message itself.
            number = await self._large.keep(spooled, draft.message()) if found.slim.documents else 0
        except StorageUnavailable as error:
            return self._outage(draft, error)
        answer = await self._take(replace(draft, reserved=number, part_bytes=spooled.length if number else 0))
        if number and answer.message_id not in {number, None}:
            # It came over another connection meanwhile. What cannot be dropped now is swept at the next start.
            with contextlib.suppress(StorageUnavailable):
                await self._large.drop(number)
        return answer

    def judge(self, raw: bytes, *, origin: Origin) -> inbox.NewMessage | inbox.Event:
        """Check one message of a batch and write its answer; nothing is stored yet.

        The answer is that of a message that is stored, also where the site waits for `mapped`.
        """
        arrival = self._arrival(origin)
        reading = read(raw, self._catalog, origin.channel)
        if reading.is_acknowledgement:
            return _event("acknowledgement", raw, arrival)
        self._watch.received(reading, arrival)
        draft = self._draft(raw, reading, arrival, mark=digest(raw, reading))
        message = draft.message()
        if message.ack_code:
            return message
        code, ack = draft.settled(None, arrival.received_at)
        return replace(message, ack_code=code, ack=ack)

    async def receive_oversize(self, event: Oversize, *, origin: Origin) -> Answer:
        """Refuse a message above the limit, of which only the head is here (A26, A27)."""
        arrival = self._arrival(origin)
        reading = read(event.head, self._catalog, origin.channel)
        if reading.head is NO_HEADER and not event.ended:
            answer = await self._keep(_event("garbage", event.head, arrival), state="garbage")
            return replace(answer, close=True)
        reading.fragment = None
        reading.refusal = TooLarge(f"the message has {event.length} bytes{'' if event.ended else ' and goes on'}")
        message = self._draft(event.head, reading, arrival, mark=bytes.fromhex(event.sha256)).message()
        answer = await self._keep(message, state=message.state)
        return replace(answer, close=answer.close or not event.ended)

    async def record_event(self, kind: str, raw: bytes, *, origin: Origin, incident: str = "") -> None:
        """Keep bytes that are no message: `noise`, `partial`, `garbage`.

        Args:
            kind: one of these.
            raw: the bytes, or the first of them.
            origin: where they came from.
            incident: of a `partial`: the kind of incident that it is until the same message arrives whole (A9).
        """
        if incident:
            self._truncated.note(incident, raw, channel=origin.channel.name, peer=origin.peer)
        await self._keep(_event(kind, raw, self._arrival(origin)), state=kind)

    def refuse_empty(self, origin: Origin) -> Answer:
        """The answer to a frame without content, where a site wants one (A14); nothing is stored."""
        now = self._clock()
        refusal = NoHeader("the frame is empty")
        ack = acknowledge(NO_HEADER, code=refusal.ack, control_id=self.control_id(now), now=now, error=refusal)
        self.incidents.note("empty_frame_refused", channel=origin.channel.name, peer=origin.peer.rpartition(":")[0])
        return Answer(ack, "rejected")

    async def undelivered(self, message_id: int, *, origin: Origin) -> None:
        """Note that the answer to a message did not reach its sender, who will send it again (A18)."""
        await self._keep(Lost(message_id, origin.channel.name), state="")

    async def close(self) -> None:
        """Return when everything that was received is stored."""
        self._large.close()
        await self._writer.close()

    def _arrival(self, origin: Origin) -> Arrival:
        return Arrival(origin.channel, origin.transport, origin.peer, self._clock())

    def _draft(self, raw: bytes, reading: Reading, arrival: Arrival, *, mark: bytes) -> Draft:
        return Draft(raw, reading, arrival, mark, self.control_id(arrival.received_at), self._catalog)

    async def _take(self, draft: Draft) -> Answer:
        """Store and answer within the budget."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            async with asyncio.timeout(BUDGET_SECONDS):
                answer = await self._answer(draft)
        except (StorageUnavailable, TimeoutError) as error:
            answer = self._outage(draft, error)
        site = draft.reading.site.code if draft.reading.site else ""
        self._watch.answered(loop.time() - begun, site=site, channel=draft.arrival.channel.name)
        return answer

    async def _answer(self, draft: Draft) -> Answer:
        """Store a message, and wait for its end where the answer depends on it.

        Raises:
            StorageUnavailable: it is not stored.
        """
        message = draft.message()
        stored = await self._writer.put(message)
        self.tell(message, stored)
        state = stored.message.state if stored.message else "duplicate"
        if stored.ack_code == "" and stored.message_id is not None:
            fault = await self._outcomes.of(stored.message_id)
            code, ack = draft.settled(fault, self._clock())
            stored = await self._writer.put(inbox.StoredAck(stored.message_id, code, ack))
        return Answer(stored.ack, state, stored.message_id)

    def _outage(self, draft: Draft, error: Exception) -> Answer:
        """Answer for a fault of our own: nothing, and the sender comes again, or what was agreed (F6 to F10)."""
        ack = draft.out_of_service()
        return replace(self._silence(error, draft.arrival.channel.name), ack=ack, close=ack is None)

    def _silence(self, error: Exception, channel: str) -> Answer:
        log.event("message_not_stored", level=logging.ERROR, failure=error, channel=channel)
        self.incidents.note("storage_unavailable", detail=type(error).__name__)
        return Answer(None, "", close=True)

    async def _keep_acknowledgement(self, raw: bytes, head: Header, arrival: Arrival) -> Answer:
        """An acknowledgement is never acknowledged (B32)."""
        try:
            known = await asyncio.to_thread(self._message_of, acknowledged(raw, head))
        except StorageUnavailable:
            known = None
        self._watch.unexpected(arrival, known)
        return await self._keep(_event("acknowledgement", raw, arrival), state="acknowledgement")

    def _message_of(self, control_id: str) -> int | None:
        with self._database.read() as connection:
            return owed.message_of(connection, control_id)

    async def _keep(self, record: inbox.NewMessage | inbox.Event | Lost, *, state: str) -> Answer:
        try:
            async with asyncio.timeout(BUDGET_SECONDS):
                stored = await self._writer.put(record)
        except (StorageUnavailable, TimeoutError) as error:
            return self._silence(error, record.channel)
        if isinstance(record, inbox.NewMessage):
            self.tell(record, stored)
        return Answer(stored.ack, "duplicate" if stored.repeated else state, stored.message_id)

    def tell(self, message: inbox.NewMessage, stored: Stored) -> None:
        """Log, by ids only, and count what became of a message."""
        made = stored.message or message
        self._watch.stored(stored, asked=bool(message.judge and message.judge.sequence is not None))
        name, level = _outcome(made, stored)
        place = {"site": made.site, "channel": made.channel, "cause": made.cause_code}
        log.event(name, level=level, failure=None, message_id=stored.message_id, **place)
        if stored.repeated:
            self.tally.resends[made.site, made.channel] += 1
        else:
            if self._truncated.open:
                self._truncated.arrived(made)
            kind = self.tally.label(f"{made.message_type}^{made.event}")
            self.tally.stored((made.site, made.channel, kind, made.state, made.ack_code))

    def control_id(self, now: datetime) -> str:
        """Our MSH-10: microseconds since 1970, each greater than the last."""
        self._last_id = max(self._last_id + 1, round(now.timestamp() * 1_000_000))
        return f"H2F{self._last_id:014x}{self._instance}"


def _event(kind: str, raw: bytes, arrival: Arrival) -> inbox.Event:
    return inbox.Event(kind, arrival.channel.name, arrival.transport, arrival.peer, arrival.received_at, raw)


def _outcome(message: inbox.NewMessage, stored: Stored) -> tuple[str, int]:
    if stored.repeated:
        return "message_resent", logging.INFO
    if message.ack_code not in inbox.REFUSALS:
        return "message_stored", logging.DEBUG
    # A sender that asked not to be told (B28, B30): nobody else knows.
    return ("refusal_not_told", logging.ERROR) if message.ack is None else ("message_refused", logging.WARNING)
