"""An MLLP connection within TLS: who fails the handshake, or is a stranger, never reaches the decoder (A31 to A34)."""

import ssl
from typing import TYPE_CHECKING

from adapter.wire.connection import Connection
from adapter.wire.mllp import BROKEN, MAX_NOISE
from adapter.wire.notices import Stranger, Unwelcome
from adapter.wire.tls import BROKEN_OFF, PLAIN, HandshakeError, Session

if TYPE_CHECKING:
    import asyncio

    from adapter.wire.listener import Listener


class SecuredConnection(Connection):
    """One socket and its TLS session. It lives on with its certificate when the listener gets a new one (A35)."""

    def __init__(self, line: "Listener", context: ssl.SSLContext) -> None:
        """Belong to a listener."""
        super().__init__(line)
        self.session = Session(context)

    def connection_made(self, transport: "asyncio.BaseTransport") -> None:
        """Wait for the handshake, though not for ever."""
        super().connection_made(transport)
        if not self.closing:
            late = Unwelcome(BROKEN_OFF, "it took too long")
            self.timer = self.loop.call_later(self.line.limits.handshake_seconds, self._turn_away, late)

    def data_received(self, data: bytes) -> None:
        """Shake hands, then pass on what the peer says."""
        session, known = self.session, self.session.established
        try:
            plain = session.receive(data)
        except HandshakeError as failure:
            first = data[:MAX_NOISE] if failure.reason == PLAIN else b""
            self._turn_away(Unwelcome(failure.reason, failure.detail, failure.certificate, first))
            return
        except ssl.SSLError:
            self.cut(BROKEN)
            return
        if answer := session.outgoing():
            self.transport.write(answer)
        if session.established and (known or self._welcome()):
            self._pass_on(plain)

    def eof_received(self) -> bool:
        """The socket will bring nothing more."""
        if self.session.established:
            return super().eof_received()
        if self.session.begun:
            self._turn_away(Unwelcome(BROKEN_OFF, "the peer closed the connection"))
        return False

    def send(self, data: bytes) -> None:
        """Encrypt, and give to the socket."""
        try:
            self.transport.write(self.session.send(data))
        except ssl.SSLError:
            self.cut(BROKEN)

    def hang_up(self) -> None:
        """Take leave within TLS, and close."""
        if farewell := self.session.farewell():
            self.transport.write(farewell)
        super().hang_up()

    def _pass_on(self, plain: bytes) -> None:
        if plain:
            super().data_received(plain)
        if self.session.ended and not self.half_closed and not self.closing:
            super().eof_received()

    def _welcome(self) -> bool:
        certificate, door = self.session.certificate, self.line.door
        self.set_timer()
        if not door.trusts(certificate):
            self._turn_away(Stranger(certificate))
            return False
        return True

    def _turn_away(self, notice: Unwelcome | Stranger) -> None:
        """Close; what OpenSSL tells the peer as the reason goes out before."""
        self.line.notify(notice, self.peer)
        self.close()
