"""What a listener tells besides messages, and what may be answered."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from adapter.wire.mllp import MAX_DRAIN, MAX_LENGTH, Event
from adapter.wire.spool import Oversize, Room, Spooled


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end."""

    address: str
    port: int

    def __str__(self) -> str:
        """As written in records."""
        return f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """An answer, and what it answers: told again if it does not leave."""

    payload: bytes
    reference: int


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
    """An answer that did not reach the peer, which had gone or reads nothing (A18); to what, where that is known."""

    reference: int | None = None


@dataclass(frozen=True, slots=True)
class Unread:
    """The peer sends and reads no answers; its connection was closed."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A connection was closed at accept, with `connections` open: for one of the reasons below (A20, A24)."""

    reason: str
    connections: int = 0


@dataclass(frozen=True, slots=True)
class Joined:
    """A connection beside others, on a listener that is for one alone (A19)."""

    connections: int


@dataclass(frozen=True, slots=True)
class Vanished:
    """The peer does not answer the network any more (A21)."""


@dataclass(frozen=True, slots=True)
class Unwelcome:
    """The TLS handshake failed (A5, A31, A32, A34); `first` is what came of a peer that speaks no TLS."""

    reason: str
    detail: str = ""
    certificate: bytes = field(default=b"", repr=False)
    first: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Stranger:
    """A valid certificate, but not of those this listener is for (A33): closed after the handshake."""

    certificate: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """Counts, seconds and lengths of one listener.

    A frame that is open for `frame_seconds` must bring `bytes_per_second` from then on (A23). A peer that is silent
    on the network for `keep_alive_seconds` is gone (A21). `room` is where long payloads are spooled.
    """

    in_flight: int = 32
    max_connections: int = 256
    connections_per_address: int | None = None
    single_connection: bool = False
    strict_framing: bool = False
    heartbeats: bool = True
    end_block_seconds: float = 0.2
    noise_seconds: float = 10.0
    stall_seconds: float = 30.0
    handshake_seconds: float = 10.0
    frame_seconds: float = 60.0
    bytes_per_second: int = 1024
    keep_alive_seconds: int = 60
    max_length: int = MAX_LENGTH
    max_drain: int = MAX_DRAIN
    room: Room | None = None


FULL, CROWD, FORBIDDEN = "listener is full", "too many connections of one address", "address is not allowed"
STALLED, SLOW, UNREAD, STOPPED = "stalled", "slower than may be", "peer reads no answers", "adapter stops"

Payload = bytes | Spooled | Oversize
Reply = bytes | Acknowledgement | Close | None
Notice = Event | Failed | Undelivered | Unread | Refused | Joined | Vanished | Unwelcome | Stranger
Handle = Callable[[Payload, Peer], Awaitable[Reply]]
Notify = Callable[[Notice, Peer], None]
