"""The real HTTP listener of the hospitals over a real intake, in an event loop of its own thread."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from adapter.http_listeners import HttpListeners
from adapter.listeners import Channel, Listener, Plan
from adapter.settings import Address, load_settings
from tests.integration.intake_stand import Stand, stand

SECONDS = 30.0
MEDIA = {"Content-Type": "application/hl7-v2; charset=utf-8"}


@dataclass(frozen=True)
class Served:
    """A listener, and what came in by it."""

    stand: Stand
    port: int
    scheme: str
    wanted: Listener
    renew: Callable[[Listener], list[str]]

    @property
    def url(self) -> str:
        return f"{self.scheme}://localhost:{self.port}"

    def post(self, raw: bytes, *, verify: ssl.SSLContext | None = None, **headers: str) -> httpx.Response:
        """`POST /hl7`; a header is written `content_encoding="gzip"`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with httpx.Client(verify=verify or True, timeout=SECONDS) as client:
            return client.post(f"{self.url}/hl7", content=raw, headers={**MEDIA, **named})

    def connect(self) -> socket.socket:
        """A bare socket to it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)

    def incidents(self, kind: str) -> list[dict[str, Any]]:
        """The incidents of a kind, as soon as there are any."""

        def noted() -> list[dict[str, Any]]:
            self.stand.intake.incidents.flush()
            return self.stand.rows(f"SELECT * FROM incident WHERE kind = '{kind}'")

        return until(noted)

    def row(self, control_id: str) -> list[dict[str, Any]]:
        """The messages with this MSH-10."""
        return self.stand.rows(f"SELECT * FROM message WHERE control_id = '{control_id}'")


def until(ask: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Ask until there is an answer, for at most half a minute."""
    due = time.monotonic() + SECONDS
    while not (found := ask()) and time.monotonic() < due:
        time.sleep(0.05)
    return found


def answered(line: socket.socket) -> bytes:
    """All that comes until the other side closes."""
    received = b""
    try:
        while data := line.recv(65536):
            received += data
    except ConnectionError:
        pass
    return received


@contextmanager
def listening(where: Path, *, settings: dict[str, Any] | None = None, **wanted: Any) -> Generator[Served]:
    """A listener with these settings (`stall_seconds=1`) and terms (`rate=5`), its data in this folder."""
    plan = Listener(Channel("ward"), "http", Address("127.0.0.1", 0), **wanted)
    chosen = load_settings(data=where, **(settings or {}))
    with ExitStack() as stack:
        it = stack.enter_context(stand(where))
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        stack.callback(loop.close)
        stack.callback(thread.join)
        stack.callback(loop.call_soon_threadsafe, loop.stop)

        def run(coroutine: Any) -> Any:
            return asyncio.run_coroutine_threadsafe(coroutine, loop).result(SECONDS)

        web = HttpListeners(it.intake, chosen)
        run(web.open(Plan((plan,))))
        stack.callback(lambda: run(it.intake.close()))
        stack.callback(lambda: run(web.stop()))
        port = int(web.servers[0].address.rpartition(":")[2])

        def renew(new: Listener) -> list[str]:
            async def in_the_loop() -> list[str]:
                return web.prepare(Plan((new,)))()

            return run(in_the_loop())

        yield Served(it, port, "https" if plan.tls else "http", plan, renew)
