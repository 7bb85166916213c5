"""A batch at the door: its envelope is judged first, then each message like any other; one transaction holds all.

A batch that is not whole is refused as a whole and held, so that a person may accept it all the same. The batch's row
is that of the site which sent its messages; where several did, of no site, since none of them may read it all.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from itertools import chain, islice
from typing import Protocol

from adapter import log
from adapter.errors import (
    HeaderRefusal,
    Location,
    Refusal,
    StorageUnavailable,
    TooLarge,
)
from adapter.hl7v2 import batch, envelope
from adapter.hl7v2.ack import acknowledge
from adapter.hl7v2.encoding import BYTE_ORDER_MARK
from adapter.hl7v2.envelope import Envelope, batch_header
from adapter.hl7v2.parse import NO_HEADER, Header, header
from adapter.intake.draft import UNKNOWN_SITE
from adapter.intake.modes import acknowledgement
from adapter.intake.origin import Answer, Origin
from adapter.intake.reading import AGREED_BY_DEFAULT, LONGEST
from adapter.intake.storing import Stored
from adapter.intake.storing_batch import Batch
from adapter.intake.writer import Writer
from adapter.listeners import Channel
from adapter.mapper.catalog import Catalog
from adapter.mapper.policy import IntakePolicy
from adapter.protocol_errors import BatchCount, MalformedBatch, SecondHeader
from adapter.store import inbox
from adapter.store.incidents import Incidents
from adapter.wire.mllp import CR, FS, VT

LARGEST = 5_000
LARGEST_BYTES = 32 * 1024 * 1024
"""Messages and bytes of a batch: while its one transaction runs other sites wait, and must not past their time-outs.

Measured on two cores with eight times their load: 1.4 s for 5,000 messages, 2.3 s for these with 12 MB in all.
"""

SECONDS = 30.0
"""To store a batch: whoever sends one knows that it takes longer than a message."""

CAUSES = (BatchCount.code, MalformedBatch.code, SecondHeader.code)
"""Why a whole batch is held."""

_BREATH = 16  # messages judged before others have their turn


class Door(Protocol):
    """What the intake does with one message, of a batch or alone."""

    incidents: Incidents

    def judge(self, raw: bytes, *, origin: Origin) -> inbox.NewMessage | inbox.Event:
        """Check a message and write its answer, without storing it."""
        ...

    def tell(self, message: inbox.NewMessage, stored: Stored) -> None:
        """Log and count what became of a message."""
        ...

    def control_id(self, now: datetime) -> str:
        """A control id of our own."""
        ...


@dataclass(slots=True)
class _Judged:
    """What the messages of a batch are, in their order: a group for each BHS."""

    groups: list[list[inbox.NewMessage]]
    events: list[inbox.Event] = field(default_factory=list[inbox.Event])

    @property
    def messages(self) -> list[inbox.NewMessage]:
        return [message for group in self.groups for message in group]

    def add(self, group: int, record: inbox.NewMessage | inbox.Event) -> None:
        if isinstance(record, inbox.Event):
            self.events.append(record)
        else:
            self.groups[group].append(record)

    def site(self) -> str:
        """The one site that sent them; a message that is refused for its sender speaks for none."""
        sites = {message.site for message in self.messages} - {UNKNOWN_SITE}
        return sites.pop() if len(sites) == 1 else UNKNOWN_SITE


class Batches:
    """Receives batches for one intake; belongs to its event loop."""

    def __init__(self, door: Door, writer: Writer, catalog: Catalog, clock: Callable[[], datetime]) -> None:
        """Judge messages as `door` does, and store with `writer`."""
        self._door, self._writer, self._catalog, self._clock = door, writer, catalog, clock
        self._running: dict[Origin, asyncio.Future[None]] = {}

    async def behind(self, origin: Origin) -> None:
        """Return when no batch that came before over the same connection is being judged: order is kept."""
        if self._running and (running := self._running.get(origin)):
            await asyncio.wait((running,))

    async def receive(self, raw: bytes | Callable[[], bytes], *, origin: Origin) -> Answer:
        """Check and store a batch; return the answering batch when all of it is on disk.

        A batch that is refused as a whole is answered with one acknowledgement of its BHS-11.

        Args:
            raw: its bytes, or what reads them from a file.
            origin: where it came from.
        """
        async with self._turn(origin):
            if not isinstance(raw, bytes):
                raw = await asyncio.to_thread(raw)
            record = await self._judged(raw, origin)
            try:
                async with asyncio.timeout(SECONDS):
                    stored = await self._writer.put(record)
            except (StorageUnavailable, TimeoutError) as error:
                log.event("batch_not_stored", level=logging.ERROR, failure=error, channel=origin.channel.name)
                self._door.incidents.note("storage_unavailable", detail=type(error).__name__)
                return Answer(None, "", close=True)
        if isinstance(record, Batch):
            for message, one in zip(record.messages, record.stored, strict=False):
                self._door.tell(message, one)
        return _answered(record, stored, origin)

    @asynccontextmanager
    async def _turn(self, origin: Origin) -> AsyncGenerator[None]:
        before = self._running.get(origin)
        mine = self._running[origin] = asyncio.get_running_loop().create_future()
        try:
            if before:
                await asyncio.wait((before,))
            yield
        finally:
            mine.set_result(None)
            if self._running[origin] is mine:
                del self._running[origin]

    async def _judged(self, raw: bytes, origin: Origin) -> inbox.NewMessage | inbox.Event | Batch:
        read = envelope.read(raw)
        try:
            head = _header(read)
        except HeaderRefusal as refusal:
            return self._refused(raw, read, NO_HEADER, refusal, origin)
        if fault := read.fault or _too_large(raw, read):
            return self._refused(raw, read, head, fault, origin)
        judged = _Judged([[] for _ in read.groups])
        for number, (group, message) in enumerate(read.numbered):
            judged.add(group, self._door.judge(message, origin=origin))
            if not number % _BREATH:
                await asyncio.sleep(0)
        if judged.events and not judged.messages:
            # An answering batch, which is never answered (B32).
            return inbox.Event("acknowledgement", *_place(origin), self._clock(), raw)
        site = judged.site() if judged.messages else self._site(read, head, origin.channel)
        row = _row(raw, head, origin, self._clock(), site=site)
        return Batch(row, judged.messages, judged.events, self._writing(read, judged, site))

    def _refused(self, raw: bytes, read: Envelope, head: Header, refusal: Refusal, origin: Origin) -> inbox.NewMessage:
        """The row of a batch of which no message is taken, with its answer."""
        now = self._clock()
        site = self._site(read, head, origin.channel)
        code, _ = acknowledgement(head, refusal, self._policy(site).acknowledgement)
        ack = acknowledge(head, code=code, control_id=self._door.control_id(now), now=now, error=refusal)
        if head is not NO_HEADER and self._policy(site).batch_answer == "batch":
            ack = envelope.wrap(read.outline(), [[ack]], control_ids=lambda: self._door.control_id(now), now=now)
        row = _row(raw, head, origin, now, site=site)
        cause = {"cause_code": refusal.code, "cause": f"{refusal.at}: {refusal.text}", "mender": refusal.mender}
        return replace(row, state=refusal.state, ack_code=code, ack=ack, **cause)

    def _writing(self, read: Envelope, judged: _Judged, site: str) -> Callable[[Sequence[Stored]], tuple[str, bytes]]:
        """How the batch is answered, once it is known which of its messages came before."""
        sizes, now = [len(group) for group in judged.groups], self._clock()

        def write(stored: Sequence[Stored]) -> tuple[str, bytes]:
            left = iter(stored)
            code = "AE" if any(one.ack_code in inbox.REFUSALS for one in stored) else "AA"
            acks = [[one.ack for one in islice(left, size) if one.ack] for size in sizes]
            if self._policy(site).batch_answer == "each":
                return code, b"".join(chain.from_iterable(acks))
            return code, envelope.wrap(read, acks, control_ids=lambda: self._door.control_id(now), now=now)

        return write

    def _site(self, read: Envelope, head: Header, channel: Channel) -> str:
        """The one site that the messages name, else the one that the envelope names, where it may send here."""
        heads = [found for message in read.messages if (found := _message_header(message))] or [head]
        found = {self._catalog.sites.find(one.sending_application, one.sending_facility) for one in heads}
        named = [site.code for site in found if site and channel.takes(site.code)]
        return named[0] if len(named) == len(found) == 1 else UNKNOWN_SITE

    def _policy(self, site: str) -> IntakePolicy:
        return AGREED_BY_DEFAULT if site == UNKNOWN_SITE else self._catalog.sites[site].intake


def _header(read: Envelope) -> Header:
    """The envelope as a header; its first message says what it cannot."""
    first = next(read.messages, b"")
    return batch_header(read.outermost, _message_header(first) or NO_HEADER)


def _message_header(message: bytes) -> Header | None:
    try:
        return header(message)
    except HeaderRefusal:
        return None


def _too_large(raw: bytes, read: Envelope) -> Refusal | None:
    found = sum(len(group.messages) for group in read.groups)
    if found > LARGEST:
        return TooLarge(f"{found} messages in a batch, {LARGEST} are taken at once", at=Location("BHS"))
    if len(raw) > LARGEST_BYTES:
        return TooLarge(f"a batch has at most {LARGEST_BYTES} bytes", at=Location("BHS"))
    return None


def _place(origin: Origin) -> tuple[str, str, str]:
    return origin.channel.name, origin.transport, origin.peer


def _row(raw: bytes, head: Header, origin: Origin, now: datetime, *, site: str) -> inbox.NewMessage:
    """The row of a batch; without a lane, so that nothing waits behind it."""
    return inbox.NewMessage(
        site,
        *_place(origin),
        control_id=head.text(10)[:LONGEST],
        message_type=raw.removeprefix(BYTE_ORDER_MARK.encode()).lstrip()[:3].decode("ascii"),
        event="",
        structure="",
        version=head.version[:LONGEST],
        lane="",
        sha256=sha256(raw).digest(),
        raw=raw,
        encoding="",
        state="batch",
        received_at=now,
    )


def _answered(record: inbox.NewMessage | inbox.Event | Batch, stored: Stored, origin: Origin) -> Answer:
    """Tell of it in the log; over MLLP several acknowledgements are as many frames."""
    row = record.row if isinstance(record, Batch) else record
    state = row.state if isinstance(row, inbox.NewMessage) else row.kind
    refused = isinstance(row, inbox.NewMessage) and row.cause_code
    log.event(
        "batch_resent" if stored.repeated else "batch_refused" if refused else "batch_stored",
        level=logging.WARNING if refused else logging.INFO,
        failure=None,
        message_id=stored.message_id,
        channel=origin.channel.name,
        count=len(record.messages) if isinstance(record, Batch) else 0,
    )
    ack = stored.ack or None
    if ack and origin.transport == "mllp":
        ack = frames(ack)
    return Answer(ack, "duplicate" if stored.repeated else state, stored.message_id)


def frames(ack: bytes) -> bytes:
    """What goes into one frame, or what stands in several, without the first start and the last end."""
    return ack if envelope.begins(ack) else (FS + CR + VT).join(batch.messages(ack))
