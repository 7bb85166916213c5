"""The MLLP listener: many messages per connection, answered in their order, with back-pressure by TCP itself.

One `_Connection` per socket owns its decoder (A19). At most `Limits.in_flight` messages of a connection are unanswered;
above that the listener stops reading and the peer's own writes block (A17). Nothing is answered after a `Close`.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import cast

from adapter import failpoints
from adapter.wire.mllp import MAX_DRAIN, MAX_LENGTH, Decoder, Event, Frame, Garbage, Oversize, encode


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end."""

    address: str
    port: int

    def __str__(self) -> str:
        """As written in records."""
        return f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Close:
    """Answer with `payload`, if any, and close the connection."""

    payload: bytes | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """A message got no answer because handling it failed unexpectedly; its connection is closed."""

    error: BaseException


@dataclass(frozen=True, slots=True)
class Undelivered:
    """Answers that did not leave: the peer had gone (A18), or reads nothing (then the bytes are not told)."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Crowded:
    """A connection was closed at accept, as `connections` are open; told once until another is accepted (A20)."""

    connections: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Counts, seconds and lengths of one listener."""

    in_flight: int = 32
    max_connections: int = 256
    end_block_seconds: float = 0.2
    noise_seconds: float = 10.0
    stall_seconds: float = 30.0
    max_length: int = MAX_LENGTH
    max_drain: int = MAX_DRAIN


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a graceful stop did: connections that ended by themselves, and those that were cut (A30)."""

    drained: int
    cut: int


Reply = bytes | Close | None
Notice = Event | Failed | Undelivered | Crowded
Handle = Callable[[bytes | Oversize, Peer], Awaitable[Reply]]
Notify = Callable[[Notice, Peer], None]


def _unheard(_notice: Notice, _peer: Peer) -> None:
    return


async def serve(
    host: str, port: int, *, handle: Handle, notify: Notify = _unheard, limits: Limits | None = None
) -> "Listener":
    """Listen on host and port (0: any free one) until the returned listener is stopped.

    `handle` gets each payload, or the `Oversize` that stands in its place, and returns the payload of the answer,
    `None` for no answer, or `Close`. `notify` hears of all that is no message (noise, abandoned frames, heartbeats,
    failures, connections above the limit) and of each frame whose end block was lenient.
    """
    listener = Listener(handle, notify, limits or Limits())
    await listener.start(host, port)
    return listener


class Listener:
    """A listening socket and its connections."""

    def __init__(self, handle: Handle, notify: Notify, limits: Limits) -> None:
        """Keep what every connection needs; `start` opens the socket."""
        self.handle, self.notify, self.limits = handle, notify, limits
        self.connections: set[_Connection] = set()
        self.all_closed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._crowded = False

    async def start(self, host: str, port: int) -> None:
        """Open the socket; OSError when the address is taken."""
        self._server = await asyncio.get_running_loop().create_server(lambda: _Connection(self), host, port)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port in use."""
        sockets = list(self._server.sockets) if self._server else []
        return cast("tuple[str, int]", sockets[0].getsockname()[:2])

    def admit(self, connection: "_Connection") -> bool:
        """Count a new connection among the open ones, unless there are as many as may be."""
        if len(self.connections) < self.limits.max_connections:
            self.connections.add(connection)
            self._crowded = False
            return True
        if not self._crowded:
            self._crowded = True
            self.notify(Crowded(len(self.connections)), connection.peer)
        return False

    async def stop(self, *, grace: float = 5.0) -> Stopped:
        """Accept nothing more, let open frames end and be answered for `grace` seconds, then cut the rest."""
        if self._server:
            self._server.close()
        open_at_first = len(self.connections)
        self.all_closed.clear()
        for connection in tuple(self.connections):
            connection.drain()
        if self.connections:
            with_timeout = asyncio.create_task(self.all_closed.wait())
            await asyncio.wait({with_timeout}, timeout=grace)
            with_timeout.cancel()
        cut = tuple(self.connections)
        for connection in cut:
            connection.cut("adapter stops")
        return Stopped(open_at_first - len(cut), len(cut))


@dataclass(eq=False)
class _Connection(asyncio.Protocol):
    """One socket: its decoder, its unanswered messages in order, its one timer."""

    listener: Listener
    decoder: Decoder = field(init=False)
    peer: Peer = field(init=False)
    transport: asyncio.Transport = field(init=False)
    waiting: deque[bytes | Oversize] = field(default_factory=deque[bytes | Oversize])
    unanswered: deque["asyncio.Future[Reply]"] = field(default_factory=deque["asyncio.Future[Reply]"])
    timer: asyncio.TimerHandle | None = None
    paused: bool = False  # we do not read
    congested: bool = False  # the peer does not read
    closing: bool = False  # nothing is answered any more
    draining: bool = False  # close as soon as nothing is open

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport = cast("asyncio.Transport", transport)
        self.decoder = Decoder(max_length=self.listener.limits.max_length, max_drain=self.listener.limits.max_drain)
        address, port = cast("tuple[str, int]", transport.get_extra_info("peername")[:2])
        self.peer = Peer(address, port)
        if not self.listener.admit(self):
            self.closing = True
            transport.abort()
            return
        # A hospital's line is silent for hours (A22); only a vanished peer ends it (A21).
        connected = cast("socket.socket", transport.get_extra_info("socket"))
        connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data: bytes) -> None:
        self._receive(self.decoder.feed(data))

    def eof_received(self) -> bool:
        """The peer has sent all it will; what is owed is still answered on the half-open connection."""
        self._receive(self.decoder.close())
        self.drain()
        return not self.closing

    def connection_lost(self, exc: Exception | None) -> None:
        self.closing, self.congested = True, False
        self._receive(self.decoder.close("connection broken" if exc else "connection closed"))
        self._stop_timer()
        self.listener.connections.discard(self)
        if not self.listener.connections:
            self.listener.all_closed.set()

    def pause_writing(self) -> None:
        self.congested = True
        self._regulate()
        self._set_timer()

    def resume_writing(self) -> None:
        self.congested = False
        self._begin_waiting()

    def drain(self) -> None:
        """Close once the open frame, if any, has ended and everything is answered."""
        self.draining = True
        self._close_if_drained()

    def cut(self, reason: str) -> None:
        """Close now; a frame that is open is recorded as abandoned."""
        self._receive(self.decoder.close(reason))
        self.closing = True
        self.waiting.clear()
        self.transport.abort()

    def _receive(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Frame):
                self.waiting.append(event.payload)
                if event.lenient:
                    self.listener.notify(event, self.peer)
            elif isinstance(event, Oversize):
                self.waiting.append(event)
            else:
                self.listener.notify(event, self.peer)
                if isinstance(event, Garbage):
                    self.drain()
        self._begin_waiting()
        self._set_timer()
        self._close_if_drained()

    def _begin_waiting(self) -> None:
        limits = self.listener.limits
        while self.waiting and len(self.unanswered) < limits.in_flight and not self.congested:
            task = asyncio.ensure_future(self.listener.handle(self.waiting.popleft(), self.peer))
            self.unanswered.append(task)
            task.add_done_callback(self._answer)
        self._regulate()

    def _answer(self, _done: "asyncio.Future[Reply]") -> None:
        """Write every answer whose turn has come, in one piece."""
        answers: list[bytes] = []
        while self.unanswered and self.unanswered[0].done():
            reply = self._reply(self.unanswered.popleft())
            payload = reply.payload if isinstance(reply, Close) else reply
            if payload is not None and self.closing:
                self.listener.notify(Undelivered(payload), self.peer)
            elif payload is not None:
                answers.append(encode(payload))
            if isinstance(reply, Close) and not self.closing:
                self._write(answers)
                answers = []
                self._close()
        self._write(answers)
        self._begin_waiting()
        self._close_if_drained()

    def _reply(self, done: "asyncio.Future[Reply]") -> Reply:
        error = None if done.cancelled() else done.exception()
        if error is not None:
            self.listener.notify(Failed(error), self.peer)
        return Close() if done.cancelled() or error is not None else done.result()

    def _write(self, answers: list[bytes]) -> None:
        if answers:
            failpoints.reach("before_ack")
            self.transport.write(b"".join(answers))
            failpoints.reach("after_ack")

    def _close(self) -> None:
        self.closing = True
        self.waiting.clear()
        self._stop_timer()
        self.transport.close()
        # A peer that reads no answers would keep the socket for ever.
        self.timer = asyncio.get_running_loop().call_later(self.listener.limits.stall_seconds, self.transport.abort)

    def _close_if_drained(self) -> None:
        busy = self.decoder.in_frame or self.waiting or self.unanswered
        if self.draining and not busy and not self.closing:
            self._close()

    def _regulate(self) -> None:
        """Read only while messages may begin and answers can leave."""
        full = self.congested or len(self.unanswered) >= self.listener.limits.in_flight
        if full == self.paused or self.closing:
            return
        self.paused = full
        if full:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()
        self._set_timer()

    def _set_timer(self) -> None:
        if self.closing:
            return
        self._stop_timer()
        seconds = self._patience()
        if seconds:
            self.timer = asyncio.get_running_loop().call_later(seconds, self._expire)

    def _patience(self) -> float:
        limits = self.listener.limits
        if self.congested:
            return limits.stall_seconds
        if self.paused:
            return 0
        if self.decoder.awaits_end:
            return limits.end_block_seconds
        if self.decoder.in_frame:
            return limits.stall_seconds
        return limits.noise_seconds if self.decoder.has_noise else 0

    def _stop_timer(self) -> None:
        if self.timer:
            self.timer.cancel()
            self.timer = None

    def _expire(self) -> None:
        if self.congested:
            self.listener.notify(Undelivered(b""), self.peer)
            self.cut("peer reads no answers")
        elif self.decoder.awaits_end:
            self._receive(self.decoder.idle())
        elif self.decoder.in_frame:
            self._receive(self.decoder.close("stalled"))
            self.drain()
        else:
            self._receive(self.decoder.give_up())
