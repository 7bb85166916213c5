"""The envelope of a batch: FHS, BHS, BTS and FTS (HL7 v2.5.1 §2.10.3), read strictly and written as the answer."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from adapter.errors import ContentRefusal, HeaderRefusal, Location
from adapter.hl7v2.batch import pieces
from adapter.hl7v2.header import NO_HEADER, Header, header
from adapter.protocol_errors import BatchCount, MalformedBatch

_HEADS = (b"FHS", b"BHS")
_BLANK = b" \t\r\n"
_MARK = b"\xef\xbb\xbf"
_CONTROLS = bytes(range(0x20))
_MSA_2 = re.compile(rb"[\r\n]MSA.[A-Z]{2}.([^\r\n|]*)")


@dataclass(slots=True)
class Group:
    """The messages of one BHS; `head` is that segment, empty where a file has messages without one."""

    head: bytes = b""
    messages: list[bytes] = field(default_factory=list[bytes], repr=False)
    closed: bool = False


@dataclass(slots=True)
class Envelope:
    """A batch, or a file of batches (FHS); `fault` is the first thing that is wrong with it."""

    head: bytes = b""
    groups: list[Group] = field(default_factory=list[Group])
    closed: bool = False
    fault: ContentRefusal | None = None

    @property
    def outermost(self) -> bytes:
        """The segment that begins it."""
        return self.head or self.groups[0].head

    @property
    def messages(self) -> Iterator[bytes]:
        """All messages, in their order."""
        return (message for _, message in self.numbered)

    @property
    def numbered(self) -> Iterator[tuple[int, bytes]]:
        """All messages, each with the number of its group, from 0."""
        return ((number, message) for number, group in enumerate(self.groups) for message in group.messages)

    def outline(self) -> "Envelope":
        """The same envelope with one group and no messages, for an answer to it as a whole."""
        return Envelope(self.head, [Group(self.groups[0].head if self.groups else b"")])


def begins(raw: bytes) -> bool:
    """Whether these bytes are a batch rather than a message."""
    start = raw[:64].removeprefix(_MARK).lstrip(_BLANK)
    return start[:3] in _HEADS and not start[3:4].isalnum()


def read(raw: bytes) -> Envelope:
    """Take a batch apart. It is whole when each BHS has its BTS, each FHS its FTS, and the counts they say are right.

    A trailer without a count says nothing against the batch (BTS-1 and FTS-1 are optional). What stands outside of
    messages and envelope is a fault; nothing is lost in silence.
    """
    envelope = Envelope()
    for name, piece in pieces(raw):
        fault = _STEPS[name](envelope, piece)
        envelope.fault = envelope.fault or fault
    if not envelope.fault:
        envelope.fault = _unclosed(envelope) or _file_unclosed(envelope)
    return envelope


def batch_header(segment: bytes, model: Header = NO_HEADER) -> Header:
    """BHS or FHS as the header of a message, so that it is answered like one: BHS-11 stands as MSH-10.

    Args:
        segment: FHS or BHS.
        model: the header of a message in the batch, which says what BHS cannot: version, processing id, and when an
            acknowledgement is wanted.

    Raises:
        HeaderTooShort: the segment ends before its encoding characters.
        BadDelimiters: it has none.
    """
    name = segment[:3].decode("ascii")
    try:
        found = header(b"MSH" + segment[3:])
    except HeaderRefusal as refusal:
        raise type(refusal)(refusal.text, at=Location(name, field=2)) from None
    said = (model.processing_id, model.version, "", "", model.accept_ack, model.application_ack)
    more = [value.encode("ascii", "ignore") for value in said]
    fields = (*(found.raw(number) for number in range(8)), b"", b"", found.raw(11), *more)
    return Header(found.delimiters, fields, found.encoding)


def wrap(
    envelope: Envelope, answers: Sequence[Sequence[bytes]], *, control_ids: Callable[[], str], now: datetime
) -> bytes:
    """The answering batch: built as the batch is, each envelope with the control id of the one it answers (BHS-12).

    Args:
        envelope: the batch.
        answers: for each of its groups the acknowledgements, each ending with CR.
        control_ids: gives control ids for our own envelopes.
        now: when the answer is made.
    """
    written: list[bytes] = []
    if envelope.head:
        written.append(head(envelope.head, control_ids(), now))
    for group, acks in zip(envelope.groups, answers, strict=True):
        if group.head:
            written.append(head(group.head, control_ids(), now))
        written += acks
        if group.head:
            written.append(trailer(b"BTS", group.head, len(acks)))
    if envelope.head:
        written.append(trailer(b"FTS", envelope.head, len(envelope.groups)))
    return b"".join(written)


def answers(sent: bytes, answer: bytes) -> bool:
    """Whether what came answers a message or batch: with a batch, message by message, or as a whole (MSA-2)."""
    if not begins(sent) or begins(answer):
        return True
    expected, control_id = _expected(sent)
    told = _MSA_2.findall(answer)
    return len(told) >= expected or (bool(control_id) and control_id in told)


@lru_cache(maxsize=4)
def _expected(sent: bytes) -> tuple[int, bytes]:
    asked = read(sent)
    return sum(len(group.messages) for group in asked.groups), batch_header(asked.outermost).control_id


def head(segment: bytes, control_id: str, now: datetime) -> bytes:
    """FHS or BHS of the answer to this segment: sender and receiver change places."""
    asked = batch_header(segment)
    names = [asked.raw(number) for number in (5, 6, 3, 4)]
    ours = [now.strftime("%Y%m%d%H%M%S%z").encode(), b"", b"", b"", control_id.encode("ascii"), asked.raw(10)]
    separator = asked.raw(1)
    values = [asked.raw(2), *(value.translate(None, _CONTROLS) for value in (*names, *ours))]
    return segment[:3] + separator + separator.join(values).rstrip(separator) + b"\r"


def trailer(name: bytes, head: bytes, count: int) -> bytes:
    """BTS or FTS to this head."""
    return name + head[3:4] + str(count).encode("ascii") + b"\r"


def _begin_file(envelope: Envelope, segment: bytes) -> ContentRefusal | None:
    if envelope.head or envelope.groups:
        return MalformedBatch("a second file begins in this one", at=Location("FHS", 2 if envelope.head else 1))
    envelope.head = segment
    return None


def _begin_batch(envelope: Envelope, segment: bytes) -> ContentRefusal | None:
    fault = _unclosed(envelope) or _after_the_end(envelope, "BHS")
    envelope.groups.append(Group(segment))
    return fault


def _add(envelope: Envelope, message: bytes) -> ContentRefusal | None:
    fault = _after_the_end(envelope, "MSH")
    if not envelope.groups or envelope.groups[-1].closed:
        if envelope.groups and not envelope.head:
            fault = MalformedBatch("a message follows the end of the batch", at=Location("MSH"))
        envelope.groups.append(Group())
    envelope.groups[-1].messages.append(message)
    return fault


def _end_batch(envelope: Envelope, segment: bytes) -> ContentRefusal | None:
    number = len(envelope.groups)
    if not envelope.groups or envelope.groups[-1].closed:
        return MalformedBatch("a batch ends that has not begun", at=Location("BTS", number + 1))
    group = envelope.groups[-1]
    group.closed = True
    return _miscounted(segment, len(group.messages), "messages", Location("BTS", number, field=1))


def _end_file(envelope: Envelope, segment: bytes) -> ContentRefusal | None:
    if not envelope.head or envelope.closed:
        return MalformedBatch("a file ends that has not begun", at=Location("FTS", 1 + envelope.closed))
    envelope.closed = True
    if fault := _unclosed(envelope):
        return fault
    if len(envelope.groups) == 1 and not envelope.groups[0].head:
        # Without BHS some senders count the messages, some the one batch that they are.
        found = len(envelope.groups[0].messages)
        return _miscounted(segment, 1, "batches", Location("FTS", field=1)) and _miscounted(
            segment, found, "messages", Location("FTS", field=1)
        )
    return _miscounted(segment, len(envelope.groups), "batches", Location("FTS", field=1))


def _outside(_: Envelope, __: bytes) -> ContentRefusal:
    return MalformedBatch("text that belongs to no message", at=Location("BHS"))


def _after_the_end(envelope: Envelope, name: str) -> ContentRefusal | None:
    return MalformedBatch("something follows the end of the file", at=Location(name)) if envelope.closed else None


def _unclosed(envelope: Envelope) -> ContentRefusal | None:
    if not envelope.groups or envelope.groups[-1].closed or not envelope.groups[-1].head:
        return None
    return MalformedBatch("the batch has no end", at=Location("BTS", len(envelope.groups)))


def _file_unclosed(envelope: Envelope) -> ContentRefusal | None:
    return MalformedBatch("the file has no end", at=Location("FTS")) if envelope.head and not envelope.closed else None


def _miscounted(segment: bytes, found: int, what: str, at: Location) -> ContentRefusal | None:
    fields = segment.split(segment[3:4]) if len(segment) > 3 else []
    said = fields[1].strip() if len(fields) > 1 else b""
    if not said or said.lstrip(b"0") == str(found).encode().lstrip(b"0"):
        return None
    number = said.decode() if said.isdigit() and len(said) < 10 else "other"
    return BatchCount(f"{number} {what} were announced, {found} found", at=at)


_STEPS: dict[bytes, Callable[[Envelope, bytes], ContentRefusal | None]] = {
    b"FHS": _begin_file,
    b"BHS": _begin_batch,
    b"MSH": _add,
    b"BTS": _end_batch,
    b"FTS": _end_file,
    b"": _outside,
}
