"""MLLP framing without input or output (HL7 Transport Specification: MLLP, Release 1).

A frame is VT, payload, FS CR. The decoder is lenient where senders are known to be careless and says so in its events.
The same bytes give the same events however they are cut; only `idle` and `give_up` depend on time: the caller decides.
Memory: one payload of at most `keep` bytes; a longer one goes to a file (`Spooled`), and one above `max_length` is
hashed and counted, and only its head is kept.
"""

import re
from dataclasses import dataclass

from adapter.wire.spool import Long, Oversize, Room, Spooled

RESTARTED, CLOSED, BROKEN = "sender began a new message", "connection closed", "connection broken"
VT, FS, CR = b"\x0b", b"\x1c", b"\r"
BLANK = b"\x00\t\n\x0c\r "
MAX_LENGTH = 64 * 1024 * 1024
MAX_DRAIN = 1024 * 1024 * 1024
MAX_NOISE = 4096

# FS CR ends a frame; FS LF and FS VT do too (A7, A8). VT before a header segment: the sender began again (A11).
# Any other VT or FS is part of the payload, which the check of control characters refuses later (A12, A13).
_END_OR_RESTART = re.compile(rb"\x1c[\r\n\x0b]|\x0b(?=MSH|FHS|BHS)")
_STRICT_END_OR_RESTART = re.compile(rb"\x1c\r|\x0b(?=MSH|FHS|BHS)")
_LOOKAHEAD = 3
TLS_HERE, HTTP_HERE = "peer speaks TLS on the plain port", "peer speaks HTTP on the MLLP port"
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
class Garbage:
    """The peer does not speak MLLP (A3, A4, A6). The decoder ignores whatever follows: close the connection."""

    head: bytes
    reason: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """An empty or blank frame (A14). It owes nobody an answer."""


@dataclass(frozen=True, slots=True)
class NoRoom:
    """A long payload could not be written to its file. The decoder ignores whatever follows: close the connection."""

    reason: str


Event = Frame | Spooled | Noise | Abandoned | Oversize | Garbage | Heartbeat | NoRoom


def encode(payload: bytes) -> bytes:
    """Frame one payload."""
    return VT + payload + FS + CR


class Decoder:
    """Bytes in, events out, for one connection."""

    def __init__(
        self,
        *,
        max_length: int = MAX_LENGTH,
        max_drain: int = MAX_DRAIN,
        room: Room | None = None,
        strict: bool = False,
        heartbeats: bool = True,
    ) -> None:
        """Refuse payloads above `max_length`; give the connection up when one exceeds `max_drain`.

        Args:
            max_length: of a payload.
            max_drain: of a payload that is above it and is only counted.
            room: where long payloads go; without it all are kept in memory.
            strict: only FS CR ends a frame.
            heartbeats: whether blank frames are no messages.
        """
        self._max_length, self._room = max_length, room
        self._keep = min(room.keep, max_length) if room else max_length
        self._max_drain = max(max_drain, max_length)
        self._ends = _STRICT_END_OR_RESTART if strict else _END_OR_RESTART
        self._strict, self._heartbeats = strict, heartbeats
        self._buffer = bytearray()
        self._start = 0  # where the payload or the noise under way begins in the buffer
        self._scanned = 0  # no end block begins before this place
        self._greeted = False
        self._long: Long | None = None
        self.frames = 0
        self.in_frame = False
        self.dead = False

    @property
    def awaits_end(self) -> bool:
        """Whether FS was the last byte: a pause now ends the frame (`idle`)."""
        return self.in_frame and not self._strict and self._buffer.endswith(FS)

    @property
    def frame_length(self) -> int:
        """How much of the frame that is open has come."""
        return len(self._buffer) - self._start + (self._long.length if self._long else 0)

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
        try:
            while not self.dead and (self._inside(events) if self.in_frame else self._outside(events)):
                pass
        except OSError as error:
            events.append(self._without_room(error))
        self._forget(len(self._buffer) if self.dead else self._start)
        return events

    def idle(self) -> list[Event]:
        """The peer pauses after FS: take the frame as ended (A7). Nothing happens in any other state."""
        if not self.awaits_end:
            return []
        try:
            event = self._take(len(self._buffer) - 1, lenient=True)
        except OSError as error:
            event = self._without_room(error)
        self._forget(len(self._buffer))
        self.in_frame = False
        return [event]

    def close(self, reason: str = CLOSED) -> list[Event]:
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
        if start != self._start and self._is_noise(start, events):
            return False
        self._start = self._scanned = start + 1
        self.in_frame = self._greeted = True
        self.frames += 1
        return True

    def _is_noise(self, start: int, events: list[Event]) -> bool:
        """Look at what stands before a start block; return whether no frame begins."""
        end = len(self._buffer) if start < 0 else start
        reason = self._not_mllp(bytes(self._buffer[self._start : min(end, self._start + MAX_NOISE + 1)]))
        if reason:
            events.append(Garbage(bytes(self._buffer[self._start : self._start + MAX_NOISE]), reason))
            self.dead = True
        elif start >= 0:
            events.append(Noise(bytes(self._buffer[self._start : start])))
        return self.dead or start < 0

    def _not_mllp(self, waiting: bytes) -> str:
        if not self._greeted and waiting.startswith(_TLS):
            return TLS_HERE
        if not self._greeted and waiting.startswith(_HTTP):
            return HTTP_HERE
        return "no start block" if len(waiting) > MAX_NOISE else ""

    def _inside(self, events: list[Event]) -> bool:
        found = self._find_end()
        if found is None:
            self._scanned = max(len(self._buffer) - _LOOKAHEAD, self._scanned)
            self._drain_excess(events)
            return False
        end, end_block = found
        if end_block == VT:
            self._abandon(end, RESTARTED, events)
            self.frames += 1
        else:
            events.append(self._take(end, lenient=end_block != FS + CR))
            self.in_frame = False
        # The VT of FS VT opens the next frame.
        self._start = self._scanned = end + (1 if end_block == FS + VT else len(end_block))
        return True

    def _find_end(self) -> tuple[int, bytes] | None:
        """Where the frame ends or begins again, and by which bytes."""
        buffer, scanned = self._buffer, self._scanned
        end = buffer.find(FS, scanned)
        if buffer.find(VT, scanned, len(buffer) if end < 0 else end) < 0:
            # Nearly always: to look for single bytes is many times as fast as the pattern.
            if end < 0:
                return None
            if buffer.startswith(FS + CR, end):
                return end, FS + CR
        found = self._ends.search(buffer, scanned)
        return (found.start(), found[0]) if found else None

    def _drain_excess(self, events: list[Event]) -> None:
        """No end yet: a long payload goes to its file, one above the limit is only counted and hashed."""
        if self._long is None:
            if len(self._buffer) - self._start <= self._keep + _LOOKAHEAD:
                return
            self._long = Long(self._max_length, self._max_drain, self._room)
        with memoryview(self._buffer) as view:
            self._long.add(view[self._start : self._scanned])
        self._start = self._scanned
        if self._long.full:
            events.append(self._long.end())
            # The frame is told once: closing finds nothing of it.
            self._long, self.in_frame, self.dead = None, False, True

    def _take(self, end: int, *, lenient: bool) -> Event:
        if self._long is None and end - self._start <= self._keep:
            payload = bytes(self._buffer[self._start : end])
            return Frame(payload, lenient) if payload.strip(BLANK) or not self._heartbeats else Heartbeat()
        long = self._whole(end, room=self._room)
        self.dead = long.full
        return long.end(lenient=lenient)

    def _abandon(self, end: int, reason: str, events: list[Event]) -> None:
        if self._long:
            self._long.close()
        long = self._whole(end, room=None)
        if long.full:
            events.append(long.end())
            self.in_frame, self.dead = False, True
        elif long.length:
            events.append(Abandoned(bytes(long.head), long.length, reason))

    def _whole(self, end: int, *, room: Room | None) -> Long:
        long, self._long = self._long or Long(self._max_length, self._max_drain, room), None
        with memoryview(self._buffer) as view:
            long.add(view[self._start : end])
        return long

    def _without_room(self, error: OSError) -> NoRoom:
        self._long, self.in_frame, self.dead = None, False, True
        return NoRoom(error.strerror or type(error).__name__)
