"""The MLLP listener: who may connect, how many at once, and the end of all connections when the adapter stops."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import cast

from adapter.wire.connection import Connection
from adapter.wire.notices import (
    CROWD,
    FORBIDDEN,
    FULL,
    STOPPED,
    Close,
    Failed,
    Handle,
    Joined,
    Limits,
    Notice,
    Notify,
    Peer,
    Refused,
    Reply,
    Undelivered,
)
from adapter.wire.secured import SecuredConnection
from adapter.wire.tls import Door

__all__ = [
    "Close",
    "Door",
    "Failed",
    "Handle",
    "Limits",
    "Listener",
    "Notice",
    "Peer",
    "Refused",
    "Reply",
    "Stopped",
    "Undelivered",
    "serve",
]

OPEN_DOOR = Door()


@dataclass(frozen=True, slots=True)
class Stopped:
    """What a graceful stop did: connections that ended by themselves, and those that were cut (A30)."""

    drained: int
    cut: int


def _unheard(_notice: Notice, _peer: Peer) -> None:
    return


async def serve(
    host: str,
    port: int,
    *,
    handle: Handle,
    notify: Notify = _unheard,
    limits: Limits | None = None,
) -> "Listener":
    """Listen on host and port (0: any free one) until the returned listener is stopped.

    `handle` gets each payload, or the `Oversize` that stands in its place, or the `Spooled` one in its file, which is
    closed afterwards. It returns the payload of the answer, `None` for no answer, or `Close`. `notify` hears of all
    that is no message (noise, abandoned frames, heartbeats, failures, connections that were refused) and of each
    frame whose end block was lenient.
    """
    listener = Listener(handle, notify, limits or Limits())
    await listener.start(host, port)
    return listener


class Listener:
    """A listening socket and its connections. `limits` and `door` may be changed while it listens (A35)."""

    def __init__(self, handle: Handle, notify: Notify, limits: Limits, door: Door = OPEN_DOOR) -> None:
        """Keep what every connection needs; `start` opens the socket."""
        self.handle, self.notify, self.limits, self.door = handle, notify, limits, door
        self.connections: set[Connection] = set()
        self.all_closed = asyncio.Event()
        self._of_address: Counter[str] = Counter()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        """Open the socket; OSError when the address is taken."""
        self._server = await asyncio.get_running_loop().create_server(self._connection, host, port)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port in use."""
        sockets = list(self._server.sockets) if self._server else []
        return cast("tuple[str, int]", sockets[0].getsockname()[:2])

    def admit(self, connection: Connection) -> bool:
        """Count a new connection among the open ones, unless it may not be there (A20, A24)."""
        address = connection.peer.address
        if reason := self._objection(address):
            self.notify(Refused(reason, len(self.connections)), connection.peer)
            return False
        self.connections.add(connection)
        self._of_address[address] += 1
        if self.limits.single_connection and len(self.connections) > 1:
            self.notify(Joined(len(self.connections)), connection.peer)
        return True

    def leave(self, connection: Connection) -> None:
        """Count a connection no more."""
        if connection in self.connections:
            self.connections.discard(connection)
            address = connection.peer.address
            self._of_address[address] -= 1
            if not self._of_address[address]:
                del self._of_address[address]
        if not self.connections:
            self.all_closed.set()

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
            connection.cut(STOPPED)
        return Stopped(open_at_first - len(cut), len(cut))

    def _connection(self) -> Connection:
        tls = self.door.tls
        return SecuredConnection(self, tls) if tls else Connection(self)

    def _objection(self, address: str) -> str:
        of_address = self.limits.connections_per_address
        if not self.door.admits(address):
            return FORBIDDEN
        if len(self.connections) >= self.limits.max_connections:
            return FULL
        return CROWD if of_address and self._of_address[address] >= of_address else ""
