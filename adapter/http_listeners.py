"""The HTTP listeners of an installation: opened at the start; their certificates are renewed while they run (A35, F34).

A reload takes over what is new in the files of a listener's certificate, authorities and revocations. Everything else
of HTTP needs a restart, and so does an authority that is trusted no more.
"""

import ssl
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from adapter import log
from adapter.api.gate import Terms
from adapter.api.hl7_over_http import PostHl7, endpoint
from adapter.api.rate import Rate
from adapter.api.routes import create_hl7_app
from adapter.errors import ConfigurationError
from adapter.http_connection import Bounds
from adapter.http_server import Server
from adapter.intake import HttpLine, Intake
from adapter.intake.lines import come_and_gone, context
from adapter.listeners import Listener, Plan, Tls
from adapter.settings import Settings


class HttpListeners:
    """Opens, renews and stops them."""

    def __init__(self, intake: Intake, settings: Settings) -> None:
        """Nothing is open yet."""
        self._intake, self._settings = intake, settings
        self._open: list[tuple[Listener, Server]] = []

    @property
    def servers(self) -> Sequence[Server]:
        """Those that are open."""
        return [server for _, server in self._open]

    async def open(self, plan: Plan) -> None:
        """Listen.

        Raises:
            ConfigurationError: an address cannot be used, or a file of a listener cannot be read.
        """
        for wanted in _http(plan):
            self._open.append((wanted, await open_listener(self._intake, wanted, self._settings)))

    def prepare(self, plan: Plan) -> Callable[[], list[str]]:
        """Look whether what is new can be used.

        Returns:
            What takes it over, and returns what needs a restart, in words.

        Raises:
            ConfigurationError: a certificate cannot be used.
        """
        wanted = {one.channel.name: one for one in _http(plan)}
        stays = come_and_gone([one.channel.name for one, _ in self._open], wanted)
        renewals: list[Callable[[], None]] = []
        for known, server in self._open:
            new = wanted.get(known.channel.name)
            if new and new != known:
                stays.append(f"listener {known.channel.name} (HTTP)")
            elif new and known.tls and server.tls:
                context(known.tls)
                renewals.append(partial(_renew, server.tls, known.tls))

        def take_over() -> list[str]:
            for renew in renewals:
                renew()
            return stays

        return take_over

    async def stop(self) -> None:
        """Accept nothing more, and return when everything is answered."""
        for server in self.servers:
            await server.stop()


def post_hl7(line: HttpLine, settings: Settings) -> PostHl7:
    """The handler of `POST /hl7` that hands messages to this line."""
    return endpoint(
        line, maximum=settings.max_message_bytes, stall_seconds=settings.stall_seconds, folder=settings.data
    )


async def open_listener(intake: Intake, wanted: Listener, settings: Settings) -> Server:
    """Listen for HL7 v2 over HTTP as the file of listeners says.

    Raises:
        ConfigurationError: the address cannot be used, or a file of the listener cannot be read.
    """
    line = HttpLine(intake, wanted.channel)
    bounds = Bounds(
        max_connections=wanted.max_connections or settings.max_connections,
        connections_per_address=wanted.connections_per_address,
        head_seconds=settings.stall_seconds,
        refused=line.refused,
    )
    app = create_hl7_app(post_hl7(line, settings), terms=_terms(wanted), refused=line.refused)
    tls = tls_context(wanted.tls, refused=lambda: line.refused("certificate_refused", "")) if wanted.tls else None
    server = Server(app, wanted.address, bounds=bounds, tls=tls)
    await server.open()
    log.event("listening", channel=wanted.channel.name, address=server.address)
    return server


def tls_context(wanted: Tls, *, refused: Callable[[], None]) -> ssl.SSLContext:
    """TLS as over MLLP.

    But a client certificate is asked for where there are authorities for it; who has none is told so by the gate (401,
    A41), since a handshake that fails says nothing to people. A certificate of another authority fails the handshake.

    Args:
        wanted: as the listener says.
        refused: is called when a certificate failed the handshake.

    Raises:
        ConfigurationError: a file cannot be read.
    """
    made = context(wanted)
    if wanted.clients:
        made.verify_mode = ssl.CERT_OPTIONAL

    class Handshake(ssl.SSLObject):
        """Tells of a certificate that is not accepted; asyncio keeps that to itself."""

        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except ssl.SSLCertVerificationError:
                refused()
                raise

    made.sslobject_class = Handshake
    return made


def _renew(used: ssl.SSLContext, tls: Tls) -> None:
    """Give new connections what the files hold now; of two revocation lists OpenSSL takes the newer."""
    used.load_cert_chain(tls.certificate, tls.key)
    for file in (tls.clients, tls.revoked):
        if file:
            used.load_verify_locations(file)


def _http(plan: Plan) -> list[Listener]:
    return [one for one in plan.listeners if one.transport == "http"]


def _terms(wanted: Listener) -> Terms:
    return Terms(
        admits=wanted.admits,
        certified=bool(wanted.tls and wanted.tls.clients),
        subjects=wanted.tls.subjects if wanted.tls else frozenset(),
        token=_token(wanted.token) if wanted.token else None,
        rate=Rate(wanted.rate) if wanted.rate else None,
    )


def _token(file: Path) -> str:
    try:
        token = file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ConfigurationError(f"token: {file}: {error.strerror}") from error
    if not token:
        raise ConfigurationError(f"token: {file} is empty")
    return token
