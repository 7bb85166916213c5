"""One HTTP connection: uvicorn's own, with bounds on what may come before, between and behind requests.

uvicorn bounds neither the head of a request nor the time that it takes, and does not tell the application who the
client's certificate names.
"""

import asyncio
import ssl
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from adapter.api.gate import Refused
from adapter.wire.certificates import Certificate, parse

MAX_HEAD = 64 * 1024
"""Bytes of a head, of the trailers, or between two pieces of a body."""

_MAX_EXCESS = 128 * 1024 * 1024  # of a body that is refused already: read to its end, so that the answer is read
_EXCESS_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """Counts and seconds of one listener; `refused` hears of whoever does not keep to them."""

    max_connections: int = 1024
    connections_per_address: int | None = None
    head_seconds: float = 30.0
    refused: Refused = lambda _kind, _address: None
    open: Counter[str] = field(default_factory=Counter[str])

    def admit(self, address: str) -> bool:
        """Count a new connection, unless there are as many as may be."""
        most = self.connections_per_address
        if self.open.total() >= self.max_connections:
            self.refused("connections_full", address)
            return False
        if most and self.open[address] >= most:
            self.refused("connections_of_address", address)
            return False
        self.open[address] += 1
        return True

    def leave(self, address: str) -> None:
        """Count a connection no more."""
        self.open[address] -= 1
        if not self.open[address]:
            del self.open[address]


class Connection(HttpToolsProtocol):
    """One socket."""

    def __init__(self, bounds: Bounds, *arguments: Any, **named: Any) -> None:
        """Made by uvicorn, but for `bounds`."""
        super().__init__(*arguments, **named)
        self._bounds = bounds
        self._admitted = False
        self._certificate: Certificate | None = None
        self._unread = self._excess = 0
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    def within(cls, bounds: Bounds) -> Any:
        """What uvicorn takes as its class of connections."""
        return partial(cls, bounds)

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Somebody connected; with TLS, the handshake is over."""
        super().connection_made(transport)
        self._admitted = self._bounds.admit(self._address)
        if not self._admitted:
            transport.abort()
            return
        self._certificate = _certificate(transport.get_extra_info("ssl_object"))
        self._wait_at_most(self._bounds.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is over."""
        self._stop_timer()
        if self._admitted:
            self._bounds.leave(self._address)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes came."""
        self._unread += len(data)
        super().data_received(data)
        if self._unread > MAX_HEAD and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def send_400_response(self, msg: str) -> None:
        """Answer what is no request, or one that can be read in two ways (A38); then close."""
        self._bounds.refused("http_malformed", self._address)
        super().send_400_response(msg)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        # uvicorn copies its own state for every request; this is what the application sees as request.state.
        self.scope["state"]["certificate"] = self._certificate  # pyright: ignore[reportTypedDictNotRequiredAccess]
        self._excess = 0
        self._wait_at_most(self._bounds.head_seconds)

    def on_headers_complete(self) -> None:
        """From here on the application minds the time."""
        self._unread = 0
        self._stop_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        self._unread = 0
        if self.cycle.response_complete:
            self._excess += len(body)
            if self._excess > _MAX_EXCESS:
                self.transport.abort()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._unread = 0
        self._stop_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """The answer is out; of a request that was refused early there may be more to come."""
        if self.cycle.more_body:
            self._wait_at_most(_EXCESS_SECONDS)
        super().on_response_complete()

    @property
    def _address(self) -> str:
        return self.client[0] if self.client else ""

    def _wait_at_most(self, seconds: float) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(seconds, self.transport.abort)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None


def _certificate(tls: ssl.SSLObject | None) -> Certificate | None:
    der = tls.getpeercert(binary_form=True) if tls else None
    return parse(der) if der else None
