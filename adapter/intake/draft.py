"""A message on its way into the inbox, with its answer; the inbox may know something that changes both."""

from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from adapter.errors import Refusal
from adapter.hl7v2.ack import Fault, acknowledge
from adapter.hl7v2.continuation import Fragment, words
from adapter.hl7v2.slim import slim
from adapter.intake.checks import read
from adapter.intake.marks import content, lane
from adapter.intake.modes import acknowledgement, reply_flag
from adapter.intake.reading import LONGEST, Reading
from adapter.listeners import Channel
from adapter.mapper.catalog import Catalog
from adapter.protocol_errors import OutOfService
from adapter.store import inbox

UNKNOWN_SITE = "unknown"


@dataclass(frozen=True, slots=True)
class Arrival:
    """Where a message came from, and when."""

    channel: Channel
    transport: str
    peer: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Draft:
    """What a row of the inbox is made of. `control_id` is that of the answer.

    Of a large message `raw` is the slim form; `part_bytes` of it are stored under the id that is `reserved` for it.
    """

    raw: bytes
    reading: Reading
    arrival: Arrival
    mark: bytes
    control_id: str
    catalog: Catalog
    reserved: int = 0
    part_bytes: int = 0

    @property
    def strict(self) -> bool:
        """Whether MSH-10 used twice is refused."""
        return self.reading.policy.strict and self._is_unique

    @property
    def sequence(self) -> int | None:
        """MSH-13, where the site follows the protocol."""
        return self.reading.sequence

    @property
    def fragment(self) -> Fragment | None:
        """The place of a fragment."""
        return self.reading.fragment

    def message(self) -> inbox.NewMessage:
        """The row, as the checks have found it."""
        reading = self.reading
        made = self._row(reading.refusal, None)
        if reading.refusal is None and (reading.sequence is not None or reading.fragment or self.strict):
            return replace(made, judge=self)
        return made

    def again(self, refusal: Refusal | None, expected: int | None = None) -> inbox.NewMessage:
        """The row as the inbox judges it: refused, or answered with the expected sequence number (MSA-4)."""
        return self._row(refusal, expected)

    def whole(self, raw: bytes) -> inbox.NewMessage:
        """The row of the message that was sent in fragments; `raw` is the joined text, of which this was the last.

        Its fragments have been acknowledged: what is wrong with the whole needs a person, and keeps nobody back.
        """
        thin = slim(raw)
        large = len(raw) if thin.documents else 0
        reading = read(thin if large else raw, self.catalog, self.arrival.channel)
        mark, text = sha256(raw).digest(), thin.raw if large else raw
        draft = Draft(text, reading, self.arrival, mark, self.control_id, self.catalog, part_bytes=large)
        made = draft.again(reading.refusal)
        if reading.refusal:
            made = replace(made, state="held", lane="")
        return replace(made, ack_code="AA", ack=None)

    def settled(self, fault: Fault | None, now: datetime) -> tuple[str, bytes | None]:
        """The code and the answer of a message that has ended: mapped, or held for this fault."""
        code, wanted = acknowledgement(self.reading.head, fault, self.reading.policy.acknowledgement)
        return code, self._ack(code, fault, None, now) if wanted else None

    def out_of_service(self) -> bytes | None:
        """What tells of a fault of our own: AR or CR with 207, where the site wants that instead of silence."""
        refusal = OutOfService("the message could not be stored; it may be sent again")
        code, wanted = acknowledgement(self.reading.head, refusal, self.reading.policy.acknowledgement)
        if self.reading.policy.outage != "207" or not wanted:
            return None
        return self._ack(code, refusal, None, self.arrival.received_at)

    @property
    def _is_unique(self) -> bool:
        site = self.reading.site
        return bool(site and site.unique_control_ids and self.reading.head.control_id)

    def _row(self, refusal: Refusal | None, expected: int | None) -> inbox.NewMessage:
        reading, arrival, head = self.reading, self.arrival, self.reading.head
        code, wanted = acknowledgement(head, refusal, reading.policy.acknowledgement)
        state = refusal.state if refusal else reading.state
        if pending := self._is_pending(state):
            code = ""
        return inbox.NewMessage(
            site=reading.site.code if reading.site else UNKNOWN_SITE,
            channel=arrival.channel.name,
            transport=arrival.transport,
            peer=arrival.peer,
            control_id=head.text(10)[:LONGEST],
            message_type=reading.type[:LONGEST],
            event=reading.event[:LONGEST],
            structure=reading.structure,
            version=reading.version[:LONGEST],
            lane=lane(reading),
            sha256=self.mark,
            raw=self.raw,
            encoding=reading.message.encoding if reading.message else "",
            state=state,
            received_at=arrival.received_at,
            cause_code=refusal.code if refusal else "",
            cause=_cause(refusal),
            mender=refusal.mender if refusal else "",
            ack_code=code,
            ack=self._ack(code, refusal, expected, arrival.received_at) if wanted and not pending else None,
            flags=self._flags(refusal),
            content=content(self.raw, reading),
            unique=self._is_unique,
            reserved=self.reserved,
            part_bytes=self.part_bytes,
        )

    def _is_pending(self, state: str) -> bool:
        """Whether the answer waits for the worker: `ack_point: mapped`, where any answer may be wanted."""
        if state != "received" or self.reading.policy.ack_point != "mapped":
            return False
        head = self.reading.head
        return (head.accept_ack or head.application_ack) != "NE"

    def _ack(self, code: str, refusal: Refusal | Fault | None, expected: int | None, now: datetime) -> bytes:
        reading = self.reading
        return acknowledge(
            reading.head,
            code=code,
            control_id=self.control_id,
            now=now,
            error=refusal,
            warnings=reading.warnings if reading.policy.warnings else (),
            expected=expected,
        )

    def _flags(self, refusal: Refusal | None) -> str:
        reading = self.reading
        if refusal or reading.site is None:
            return " ".join(reading.flags)
        reply = reply_flag(reading.head)
        place = words(reading.fragment) if reading.fragment else ()
        return " ".join([*reading.flags, *place, reply]).rstrip()


def _cause(refusal: Refusal | None) -> str:
    if refusal is None:
        return ""
    return f"{refusal.at}: {refusal.text}" if refusal.at else refusal.text
