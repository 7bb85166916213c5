"""MLLP framing without input or output (HL7 Transport Specification: MLLP, Release 1).

A frame is VT, payload, FS CR. The decoder is lenient where senders are known to be careless and says so in its events.
The same bytes give the same events however they are cut; only `idle` and `give_up` depend on time: the caller decides.
Memory: one payload of at most `max_length`; what is longer is hashed and counted, and only its head is kept.
"""

import hashlib
import re
from dataclasses import dataclass

VT, FS, CR = b"\x0b", b"\x1c", b"\r"
BLANK = b"\x00\t\n\x0c\r "
HEAD = 64 * 1024
MAX_LENGTH = 64 * 1024 * 1024
MAX_DRAIN = 1024 * 1024 * 1024
MAX_NOISE = 4096

# FS CR ends a frame; FS LF and FS VT do too (A7, A8). VT before a header segment: the sender began again (A11).
# Any other VT or FS is part of the payload, which the check of control characters refuses later (A12, A13).
_END_OR_RESTART = re.compile(rb"\x1c[\r\n\x0b]|\x0b(?=MSH|FHS|BHS)")
_LOOKAHEAD = 3
_HTTP = (b"GET ", b"POST ", b"PUT ", b"HEAD ", b"OPTIONS ", b"DELETE ", b"CONNECT ")
_TLS = b"\x16\x03"


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole payload. `lenient`: the end block was not FS CR."""

    payload: bytes
    lenient: bool = False


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes between frames (A1, A2), at most MAX_NOISE."""

    data: bytes

    @property
    def blank(self) -> bool:
        """Whether these are only white space and NUL."""
        return not self.data.strip(BLANK)


@dataclass(frozen=True, slots=True)
class Abandoned:
    """A frame that never ended (A9, A10, A11): its first bytes, its length so far, and why."""

    head: bytes
    length: int
    reason: str


@dataclass(frozen=True, slots=True)
class Oversize:
    """A frame above the limit (A26), or one that never ends (A27: `ended` is false)."""

    head: bytes
    length: int
    sha256: str
    ended: bool


@dataclass(frozen=True, slots=True)
class Garbage:
    """The peer does not speak MLLP (A3, A4, A6). The decoder ignores whatever follows: close the connection."""

    head: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """An empty or blank frame (A14). It owes nobody an answer."""


Event = Frame | Noise | Abandoned | Oversize | Garbage | Heartbeat


def encode(payload: bytes) -> bytes:
    """Frame one payload."""
    return VT + payload + FS + CR


class Decoder:
    """Bytes in, events out, for one connection."""

    def __init__(self, *, max_length: int = MAX_LENGTH, max_drain: int = MAX_DRAIN) -> None:
        """Refuse payloads above `max_length`; give the connection up when one exceeds `max_drain`."""
        self._max_length = max_length
        self._max_drain = max(max_drain, max_length)
        self._buffer = bytearray()
        self._start = 0  # where the payload or the noise under way begins in the buffer
        self._scanned = 0  # no end block begins before this place
        self._greeted = False
        self._drain: _Drain | None = None
        self.in_frame = False
        self.dead = False

    @property
    def awaits_end(self) -> bool:
        """Whether FS was the last byte: a pause now ends the frame (`idle`)."""
        return self.in_frame and self._buffer.endswith(FS)

    @property
    def has_noise(self) -> bool:
        """Whether bytes wait that belong to no frame."""
        return not self.in_frame and bool(self._buffer)

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes of the connection; return what became whole."""
        events: list[Event] = []
        if self.dead:
            return events
        self._buffer += data
        while not self.dead and (self._inside(events) if self.in_frame else self._outside(events)):
            pass
        self._forget(len(self._buffer) if self.dead else self._start)
        return events

    def idle(self) -> list[Event]:
        """The peer pauses after FS: take the frame as ended (A7). Nothing happens in any other state."""
        if not self.awaits_end:
            return []
        event = self._take(len(self._buffer) - 1, lenient=True)
        self._forget(len(self._buffer))
        self.in_frame = False
        return [event]

    def close(self, reason: str = "connection closed") -> list[Event]:
        """Nothing more will come: return what is left, as an abandoned frame or as noise."""
        events = self.idle()
        if self.in_frame:
            self._abandon(len(self._buffer), reason, events)
        elif self._buffer:
            events.append(Noise(bytes(self._buffer)))
        self._forget(len(self._buffer))
        self.in_frame, self.dead = False, True
        return events

    def give_up(self, reason: str = "no start block") -> list[Event]:
        """Bytes without a start block have waited for one too long (A3)."""
        if not self.has_noise:
            return []
        garbage = Garbage(bytes(self._buffer), reason)
        self._forget(len(self._buffer))
        self.dead = True
        return [garbage]

    def _forget(self, until: int) -> None:
        if until:
            del self._buffer[:until]
            self._start, self._scanned = 0, max(self._scanned - until, 0)

    def _outside(self, events: list[Event]) -> bool:
        start = self._buffer.find(VT, self._start)
        end = len(self._buffer) if start < 0 else start
        reason = self._not_mllp(bytes(self._buffer[self._start : min(end, self._start + MAX_NOISE + 1)]))
        if reason:
            events.append(Garbage(bytes(self._buffer[self._start : self._start + MAX_NOISE]), reason))
            self.dead = True
            return False
        if start < 0:
            return False
        if start > self._start:
            events.append(Noise(bytes(self._buffer[self._start : start])))
        self._start = self._scanned = start + 1
        self.in_frame = self._greeted = True
        return True

    def _not_mllp(self, waiting: bytes) -> str:
        if not self._greeted and waiting.startswith(_TLS):
            return "peer speaks TLS on the plain port"
        if not self._greeted and waiting.startswith(_HTTP):
            return "peer speaks HTTP on the MLLP port"
        return "no start block" if len(waiting) > MAX_NOISE else ""

    def _inside(self, events: list[Event]) -> bool:
        found = _END_OR_RESTART.search(self._buffer, self._scanned)
        if found is None:
            self._scanned = max(len(self._buffer) - _LOOKAHEAD, self._scanned)
            self._drain_excess(events)
            return False
        end_block = found[0]
        if end_block == VT:
            self._abandon(found.start(), "sender began a new message", events)
        else:
            events.append(self._take(found.start(), lenient=end_block != FS + CR))
            self.in_frame = False
        # The VT of FS VT opens the next frame.
        self._start = self._scanned = found.end() - (end_block == FS + VT)
        return True

    def _drain_excess(self, events: list[Event]) -> None:
        """No end yet: above the limit, bytes are counted and hashed instead of kept."""
        if self._drain is None:
            if len(self._buffer) - self._start <= self._max_length + _LOOKAHEAD:
                return
            self._drain = _Drain(self._max_drain)
        self._drain.add(self._buffer[self._start : self._scanned])
        self._start = self._scanned
        if self._drain.full:
            events.append(self._drain.event())
            # The frame is told once: closing finds nothing of it.
            self._drain, self.in_frame, self.dead = None, False, True

    def _take(self, end: int, *, lenient: bool) -> Event:
        if self._drain is None and end - self._start <= self._max_length:
            payload = bytes(self._buffer[self._start : end])
            return Frame(payload, lenient) if payload.strip(BLANK) else Heartbeat()
        drain = self._drained(end)
        self.dead = drain.full
        return drain.event()

    def _abandon(self, end: int, reason: str, events: list[Event]) -> None:
        drain = self._drained(end)
        if drain.full:
            events.append(drain.event())
            self.in_frame, self.dead = False, True
        elif drain.length:
            events.append(Abandoned(bytes(drain.head), drain.length, reason))

    def _drained(self, end: int) -> "_Drain":
        drain, self._drain = self._drain or _Drain(self._max_drain), None
        drain.add(self._buffer[self._start : end])
        return drain


class _Drain:
    """What is kept of a payload that is not kept."""

    def __init__(self, limit: int) -> None:
        self.head = bytearray()
        self.length = 0
        self.full = False
        self._limit = limit
        self._digest = hashlib.sha256()

    def add(self, data: bytearray) -> None:
        self.full = self.length + len(data) > self._limit
        counted = memoryview(data)[: self._limit - self.length]
        self.head += counted[: HEAD - len(self.head)]
        self.length += len(counted)
        self._digest.update(counted)

    def event(self) -> Oversize:
        return Oversize(bytes(self.head), self.length, self._digest.hexdigest(), ended=not self.full)
