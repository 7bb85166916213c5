"""Where a message came from, and what goes back."""

from dataclasses import dataclass

from adapter.listeners import Channel


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
