"""TLS without input or output: bytes of the socket in, bytes of the peer out, as the decoder does with frames.

The handshake is done here, and not by the event loop, so that a peer that fails is known with its reason and with the
certificate that it showed (A5, A31 to A34).
"""

import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter.errors import ConfigurationError

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: forward secrecy and authenticated encryption only; those of 1.3 are all so."""

PLAIN = "peer sends plain text on the TLS port"
MISSING = "no client certificate"
UNTRUSTED = "client certificate refused"
OUTDATED = "peer offers only what is outdated"
REFUSED = "peer refuses our certificate"
BROKEN_OFF = "handshake broken off"

_HANDSHAKE = 22
_CERTIFICATE = 11
_AT_ONCE = 256 * 1024
_OUTDATED = frozenset({"UNSUPPORTED_PROTOCOL", "VERSION_TOO_LOW", "NO_SHARED_CIPHER", "INAPPROPRIATE_FALLBACK"})
_VERSIONS = {0: "SSL 3.0", 1: "TLS 1.0", 2: "TLS 1.1"}


@dataclass(frozen=True, slots=True)
class Door:
    """Who is let in: `admits` judges the address at accept, `trusts` the certificate (DER) after the handshake."""

    tls: ssl.SSLContext | None = None
    admits: Callable[[str], bool] = lambda _address: True
    trusts: Callable[[bytes], bool] = lambda _certificate: True


class HandshakeError(Exception):
    """A handshake failed: `reason` is one of those above, `detail` what OpenSSL says, `certificate` the peer's."""

    def __init__(self, reason: str, detail: str = "", certificate: bytes = b"") -> None:
        """Keep them."""
        super().__init__(reason)
        self.reason, self.detail, self.certificate = reason, detail, certificate


class _Object(ssl.SSLObject):
    """Remembers what the peer showed, also when it was refused."""

    shown: bytes = b""


def server_context(
    certificate: Path, key: Path, *, clients: Path | None = None, revoked: Path | None = None
) -> ssl.SSLContext:
    """TLS 1.2 or later of a server.

    Args:
        certificate: PEM, with the intermediate certificates behind it.
        key: PEM, without a password.
        clients: PEM of the authorities whose certificates clients must show; without it none is asked for.
        revoked: PEM of their revocation list.

    Raises:
        ConfigurationError: a file cannot be read or does not fit; the text names it.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslobject_class = _Object
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    # A resumed session would bring its old certificate along, past what has been revoked since (A35).
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    _load(key, key.read_bytes)
    pair = f"{certificate} or its key {key}"  # ssl does not say which of them
    _load(pair, lambda: context.load_cert_chain(certificate, key, password=_no_password))
    if clients:
        _load(clients, lambda: context.load_verify_locations(clients))
        context.verify_mode = ssl.CERT_REQUIRED
        # ssl tells of a refused certificate only that it was refused.
        _watch(context)
    if revoked:
        _load(revoked, lambda: context.load_verify_locations(revoked))
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
    return context


class Session:
    """One TLS connection, seen from the server."""

    def __init__(self, context: ssl.SSLContext) -> None:
        """Nothing has come yet."""
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self._first = b""
        self.established = False
        self.ended = False

    @property
    def begun(self) -> bool:
        """Whether the peer has sent anything."""
        return bool(self._first)

    @property
    def certificate(self) -> bytes:
        """The peer's, in DER; nothing where none was asked for."""
        return self._tls.getpeercert(binary_form=True) or b""

    def receive(self, data: bytes) -> bytes:
        """Take bytes of the socket; return those of the peer. `outgoing` may hold an answer afterwards.

        Raises:
            HandshakeError: the peer is not let in.
            ssl.SSLError: the connection is broken.
        """
        if len(self._first) < 11:
            self._first += data[:11]
        self._in.write(data)
        if not self.established and not self._shake_hands():
            return b""
        return self._read()

    def send(self, data: bytes) -> bytes:
        """Bytes for the peer; return those for the socket."""
        self._tls.write(data)
        return self._out.read()

    def farewell(self) -> bytes:
        """Say that nothing more will be sent."""
        if self.established:
            # The peer need not answer, and may be gone.
            with contextlib.suppress(ssl.SSLError, OSError):
                self._tls.unwrap()
        return self._out.read()

    def outgoing(self) -> bytes:
        """What is to be sent to the socket."""
        return self._out.read()

    def _shake_hands(self) -> bool:
        if self._first[0] != _HANDSHAKE:
            raise HandshakeError(PLAIN)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            raise self._failure(error) from error
        self.established = True
        return True

    def _failure(self, error: ssl.SSLError) -> HandshakeError:
        shown = self._tls.shown if isinstance(self._tls, _Object) else b""
        if isinstance(error, ssl.SSLCertVerificationError):
            return HandshakeError(UNTRUSTED, str(error.verify_message), shown)
        reason = error.reason or ""
        if reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE":
            return HandshakeError(MISSING)
        if reason in _OUTDATED:
            return HandshakeError(OUTDATED, self._offered(reason))
        said = reason.replace("_", " ").lower()
        if ("alert" in said and "cert" in said) or said.endswith("unknown ca"):
            return HandshakeError(REFUSED, said)
        return HandshakeError(BROKEN_OFF, said, shown)

    def _offered(self, reason: str) -> str:
        """The newest version that a ClientHello without `supported_versions` offers."""
        if reason != "NO_SHARED_CIPHER" and len(self._first) >= 11 and self._first[9] == 3:
            return _VERSIONS.get(self._first[10], "")
        return reason.replace("_", " ").lower()

    def _read(self) -> bytes:
        pieces: list[bytes] = []
        try:
            while piece := self._tls.read(_AT_ONCE):
                pieces.append(piece)
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        return b"".join(pieces)


def _load(file: Path | str, load: Callable[[], object]) -> None:
    try:
        load()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        if isinstance(error, ssl.SSLError):
            reason = (error.reason or "is no PEM of this kind").replace("_", " ").lower()
        raise ConfigurationError(f"{file}: {reason}") from error


def _no_password() -> str:
    raise ValueError("the key is protected by a password, which nobody could enter")


def _watch(context: ssl.SSLContext) -> None:
    def see(connection: Any, direction: str, _version: Any, _content: Any, kind: Any, data: bytes) -> None:
        if direction == "read" and kind == _CERTIFICATE and isinstance(connection, _Object):
            connection.shown = _first_certificate(data)

    # The standard library's own hook for its tests; without it a refused certificate is refused without its name.
    context._msg_callback = see  # type: ignore[attr-defined]  # noqa: SLF001


def _first_certificate(handshake: bytes) -> bytes:
    """The peer's own certificate in a Certificate message (RFC 8446 §4.4.2; RFC 5246 §7.4.2 has no context)."""
    for context in (0, 1 + handshake[4] if len(handshake) > 4 else 0):
        at = 4 + context
        whole, first = _number(handshake, at), _number(handshake, at + 3)
        if at + 3 + whole == len(handshake) and first + 3 <= whole:
            return handshake[at + 6 : at + 6 + first]
    return b""


def _number(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 3], "big")
