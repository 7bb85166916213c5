"""One MLLP connection: its decoder, its unanswered messages in order, its one timer (A15 to A19)."""

import asyncio
import errno
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from adapter import failpoints
from adapter.wire.mllp import BROKEN, CLOSED, Decoder, Event, Frame, Garbage, NoRoom, encode
from adapter.wire.notices import (
    SLOW,
    STALLED,
    UNREAD,
    Acknowledgement,
    Close,
    Failed,
    Payload,
    Peer,
    Reply,
    Undelivered,
    Unread,
    Vanished,
)
from adapter.wire.sockets import Delivery, delivery, prepare
from adapter.wire.spool import Oversize, Spooled

if TYPE_CHECKING:
    import socket

    from adapter.wire.listener import Listener

_SLACK = 0.01  # a timer may be early by the clock's resolution
_LAST_LOOKS = (0.005, 0.02, 0.1, 0.5, 1.5)
_GONE = frozenset({errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.ENETUNREACH})


class Connection(asyncio.Protocol):
    """One socket. At most `Limits.in_flight` messages are unanswered; above that it is not read (A17)."""

    transport: asyncio.Transport
    decoder: Decoder
    peer: Peer

    def __init__(self, line: "Listener") -> None:
        """Belong to a listener."""
        self.line, self.loop = line, asyncio.get_running_loop()
        self.waiting: deque[Payload] = deque()
        self.unanswered: deque[asyncio.Future[Reply]] = deque()
        self.unsent: list[int | None] = []  # answers of which it is not known that they left
        self.timer: asyncio.TimerHandle | None = None
        self.paused = False  # we do not read
        self.congested = False  # the peer does not read
        self.half_closed = False  # the peer sends nothing more
        self.closing = False  # nothing is answered any more
        self.draining = False  # close as soon as nothing is open
        self.large = False  # a spooled message is under way: it goes alone, so that the order stays
        self.frame = 0  # the decoder's number of the frame that is timed
        self.frame_since, self.frame_length, self.heard = 0.0, 0, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, if there is room (A20) and the address may come (A24)."""
        self.transport = transport = cast("asyncio.Transport", transport)
        limits = self.line.limits
        self.decoder = Decoder(
            max_length=limits.max_length,
            max_drain=limits.max_drain,
            room=limits.room,
            strict=limits.strict_framing,
            heartbeats=limits.heartbeats,
        )
        address, port = cast("tuple[str, int]", (transport.get_extra_info("peername") or ("", 0))[:2])
        self.peer = Peer(address, port)
        if not self.line.admit(self):
            self.closing = True
            transport.abort()
            return
        prepare(cast("socket.socket", transport.get_extra_info("socket")), limits.keep_alive_seconds)
        # Whatever is not in the kernel's hands has not left: then the peer is congested.
        transport.set_write_buffer_limits(high=0)

    def data_received(self, data: bytes) -> None:
        """Take what the peer sent."""
        self.receive(self.decoder.feed(data))

    def eof_received(self) -> bool:
        """The peer has sent all it will; what is owed is still answered on the half-open connection."""
        self.half_closed = True
        self.receive(self.decoder.close())
        self.drain()
        return not self.closing

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell what was left open or did not leave."""
        if isinstance(exc, OSError) and exc.errno in _GONE:
            self.line.notify(Vanished(), self.peer)
        self.closing, self.congested = True, False
        self.receive(self.decoder.close(BROKEN if exc else CLOSED))
        self._tell_undelivered()
        self._forget_waiting()
        self._stop_timer()
        self.line.leave(self)

    def pause_writing(self) -> None:
        """The peer does not read: neither do we."""
        self.congested = True
        self._regulate()
        self.set_timer()

    def resume_writing(self) -> None:
        """The peer has read all."""
        self.congested = False
        if not self.half_closed:
            self.unsent.clear()
        self._begin_waiting()
        self._close_if_drained()

    def drain(self) -> None:
        """Close once the open frame, if any, has ended and everything is answered."""
        self.draining = True
        self._close_if_drained()

    def cut(self, reason: str) -> None:
        """Close now; a frame that is open is recorded as abandoned."""
        self.receive(self.decoder.close(reason))
        self.closing = True
        self._forget_waiting()
        self.transport.abort()

    def receive(self, events: Sequence[Event]) -> None:
        """Take what the decoder found."""
        for event in events:
            if isinstance(event, Frame | Spooled | Oversize):
                self.waiting.append(event.payload if isinstance(event, Frame) else event)
                if isinstance(event, Frame | Spooled) and event.lenient:
                    self.line.notify(event, self.peer)
            else:
                self.line.notify(event, self.peer)
                if isinstance(event, Garbage | NoRoom):
                    self.drain()
        self._begin_waiting()
        if self.decoder.in_frame:
            self._watch_frame()
        self.set_timer()
        self._close_if_drained()

    def send(self, data: bytes) -> None:
        """Give bytes to the socket."""
        self.transport.write(data)

    def hang_up(self) -> None:
        """Close when everything is sent."""
        self.transport.close()

    def _begin_waiting(self) -> None:
        while self.waiting and not self._is_full():
            payload = self.waiting.popleft()
            self.large = isinstance(payload, Spooled)
            handle = self._handle_large if isinstance(payload, Spooled) else self.line.handle
            task = asyncio.ensure_future(handle(payload, self.peer))
            self.unanswered.append(task)
            task.add_done_callback(self._answer)
        self._regulate()

    async def _handle_large(self, payload: Payload, peer: Peer) -> Reply:
        try:
            return await self.line.handle(payload, peer)
        finally:
            self.large = False
            if isinstance(payload, Spooled):
                payload.file.close()

    def _is_full(self) -> bool:
        return self.congested or self.large or len(self.unanswered) >= self.line.limits.in_flight

    def _answer(self, _done: "asyncio.Future[Reply]") -> None:
        """Write every answer whose turn has come, in one piece."""
        answers: list[bytes | Acknowledgement] = []
        while self.unanswered and self.unanswered[0].done():
            reply = self._reply(self.unanswered.popleft())
            payload = reply.payload if isinstance(reply, Close) else reply
            if payload is not None and self.closing:
                self.line.notify(Undelivered(_reference(payload)), self.peer)
            elif payload is not None:
                answers.append(payload)
            if isinstance(reply, Close) and not self.closing:
                self._write(answers)
                answers = []
                self.close()
        self._write(answers)
        self._begin_waiting()
        self._close_if_drained()

    def _reply(self, done: "asyncio.Future[Reply]") -> Reply:
        error = None if done.cancelled() else done.exception()
        if error is not None:
            self.line.notify(Failed(error), self.peer)
        return Close() if done.cancelled() or error is not None else done.result()

    def _write(self, answers: Sequence[bytes | Acknowledgement]) -> None:
        if answers:
            failpoints.reach("before_ack")
            self.send(b"".join([encode(one if isinstance(one, bytes) else one.payload) for one in answers]))
            failpoints.reach("after_ack")
            if self.congested or self.half_closed or self.closing:
                self.unsent += map(_reference, answers)

    def _tell_undelivered(self) -> None:
        for reference in self.unsent:
            self.line.notify(Undelivered(reference), self.peer)
        self.unsent.clear()

    def close(self) -> None:
        """Close when everything is sent; nothing more is answered."""
        self.closing = True
        self._forget_waiting()
        self._stop_timer()
        self.hang_up()
        # A peer that reads no answers would keep the socket for ever.
        self.timer = self.loop.call_later(self.line.limits.stall_seconds, self.transport.abort)

    def _close_if_drained(self) -> None:
        busy = self.decoder.in_frame or self.waiting or self.unanswered or self.congested
        if self.draining and not busy and not self.closing:
            self._see_off()

    def _see_off(self, look: int = 0) -> None:
        """Close. A peer that sends nothing more may be gone altogether: then its last answers were lost (A18)."""
        if self.unsent and not self.closing:
            fate = delivery(cast("socket.socket", self.transport.get_extra_info("socket")))
            if fate is Delivery.PENDING and look < len(_LAST_LOOKS):
                self._stop_timer()
                self.timer = self.loop.call_later(_LAST_LOOKS[look], self._see_off, look + 1)
                return
            if fate is Delivery.ARRIVED:
                self.unsent.clear()
            self._tell_undelivered()
        if not self.closing:
            self.close()

    def _forget_waiting(self) -> None:
        for payload in self.waiting:
            if isinstance(payload, Spooled):
                payload.file.close()
        self.waiting.clear()

    def _regulate(self) -> None:
        """Read only while messages may begin and answers can leave."""
        full = self._is_full()
        if full == self.paused or self.closing:
            return
        self.paused = full
        if full:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()
            # The time that we did not read is not the peer's.
            self._begin_watch()
        self.set_timer()

    def _watch_frame(self) -> None:
        if self.decoder.frames != self.frame:
            self.frame = self.decoder.frames
            self._begin_watch()
        self.heard = self.loop.time()

    def _begin_watch(self) -> None:
        self.frame_since = self.heard = self.loop.time()
        self.frame_length = self.decoder.frame_length

    def set_timer(self) -> None:
        """Wait for what the peer owes next, if anything."""
        if self.closing:
            return
        self._stop_timer()
        seconds = self._patience()
        if seconds:
            self.timer = self.loop.call_later(seconds, self._expire)

    def _patience(self) -> float:
        limits = self.line.limits
        if self.congested:
            return limits.stall_seconds
        if self.paused:
            return 0
        if self.decoder.awaits_end:
            return limits.end_block_seconds
        if self.decoder.in_frame:
            return max(min(limits.stall_seconds, self.frame_since + limits.frame_seconds - self.loop.time()), _SLACK)
        return limits.noise_seconds if self.decoder.has_noise else 0

    def _stop_timer(self) -> None:
        if self.timer:
            self.timer.cancel()
            self.timer = None

    def _expire(self) -> None:
        if self.congested:
            self.line.notify(Unread(), self.peer)
            self.cut(UNREAD)
        elif self.decoder.awaits_end:
            self.receive(self.decoder.idle())
        elif self.decoder.in_frame:
            reason = self._fault_of_frame()
            if reason:
                self.receive(self.decoder.close(reason))
                self.drain()
            else:
                self.set_timer()
        else:
            self.receive(self.decoder.give_up())

    def _fault_of_frame(self) -> str:
        """Why the open frame is given up: no byte for too long (A10), or too few in each of its minutes (A23)."""
        limits, now = self.line.limits, self.loop.time()
        if now - self.heard >= limits.stall_seconds - _SLACK:
            return STALLED
        if now - self.frame_since < limits.frame_seconds - _SLACK:
            return ""
        length = self.decoder.frame_length - self.frame_length
        if length < limits.bytes_per_second * limits.frame_seconds:
            return SLOW
        self._begin_watch()
        return ""


def _reference(answer: bytes | Acknowledgement) -> int | None:
    return answer.reference if isinstance(answer, Acknowledgement) else None
