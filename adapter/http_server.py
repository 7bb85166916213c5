"""The HTTP servers of one process: the FHIR API, and a server of its own for every HTTP listener of the hospitals."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Generator

import uvicorn
from fastapi import FastAPI

from adapter.errors import ConfigurationError
from adapter.http_connection import Bounds, Connection
from adapter.settings import Address

KEEP_ALIVE_SECONDS = 65
"""Above the minute for which many clients keep a connection, so that none sends into one that we close."""

GRACE_SECONDS = 5

_THIS_MACHINE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (how a program here reaches a server of all addresses)


class Server(uvicorn.Server):
    """uvicorn without its own signal handling: the service stops as a whole, in its own order."""

    def __init__(
        self,
        app: FastAPI,
        address: Address,
        *,
        bounds: Bounds,
        tls: ssl.SSLContext | None = None,
        proxied: bool = False,
    ) -> None:
        """Serve `app` at `address`, once `open` is called; `proxied`: a proxy of this machine may say who asks."""
        config = uvicorn.Config(
            app,
            http=Connection.within(bounds),
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=proxied,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ssl_context_factory=(lambda _config, _default: tls) if tls else None,
        )
        super().__init__(config)
        self.tls = tls
        self._wanted, self._listening = address, asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals alone."""
        yield

    async def open(self) -> "asyncio.Task[None]":
        """Return when it listens; the task that is returned ends with the server.

        Raises:
            ConfigurationError: the address cannot be used.
        """
        try:
            sockets = await self._bind()
        except OSError as error:
            raise ConfigurationError(f"http cannot listen on {self._wanted}: {error.strerror or error}") from error
        self._serving = asyncio.create_task(self.serve(sockets))
        await asyncio.wait(
            {self._serving, asyncio.create_task(self._listening.wait())}, return_when=asyncio.FIRST_COMPLETED
        )
        return self._serving

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and tell who waits for it."""
        await super().startup(sockets)
        self._listening.set()

    async def stop(self) -> None:
        """Accept nothing more, let open requests be answered, and return when all is closed."""
        self.should_exit = True
        if self._serving:
            await self._serving

    async def _bind(self) -> list[socket.socket]:
        """The sockets of every address that the host has; uvicorn itself would end the process where one is taken."""
        host, port = self._wanted.host, self._wanted.port
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [socket.create_server(address[:2], family=family) for family, *_, address in dict.fromkeys(found)]

    @property
    def local(self) -> str:
        """Where a program of this machine reaches it."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"http://{Address(_THIS_MACHINE.get(str(host), str(host)), int(port))}"

    @property
    def address(self) -> str:
        """The address in use."""
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        return f"{host}:{port}"
