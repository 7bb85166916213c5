"""The real program as a process of its own, on free ports."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from adapter.errors import ConfigurationError
from adapter.operate import door

READY_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Program:
    """A running `adapter serve`."""

    process: subprocess.Popen[bytes]
    mllp: tuple[str, int]
    base: str
    data: Path

    def headers(self, role: str, *, site: str = "") -> dict[str, str]:
        """As `headers`, of this program."""
        return headers(self.data, role, site=site)


def headers(data: Path, role: str, *, site: str = "") -> dict[str, str]:
    """What a request to the program on a data folder bears in this role; the token lasts an hour.

    Raises:
        ConfigurationError: no program runs there, or it gives none.
    """
    found = door.find(data)
    if found is None:
        raise ConfigurationError(f"no program answers on {data}")
    bearing = {"Authorization": f"Bearer {found.token}"}
    said = {"role": role, "site": site}
    answer = httpx.post(f"{found.url}/operator/token", json=said, headers=bearing, timeout=READY_SECONDS)
    if not answer.is_success:
        raise ConfigurationError(f"the program gives no token: HTTP {answer.status_code}")
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@asynccontextmanager
async def running(data: Path) -> AsyncGenerator[Program]:
    """Start `adapter serve` on two free ports of this machine, wait until it is ready, stop it at the end.

    Raises:
        ConfigurationError: it ended by itself, or was not ready in time; its log is in DATA/adapter.log.
    """
    program = _start(data)
    try:
        await _wait_until_ready(program)
        yield program
    finally:
        program.process.terminate()
        program.process.wait(timeout=30)


def _start(data: Path) -> Program:
    mllp, http = _free_port(), _free_port()
    addresses = ("--mllp", f"127.0.0.1:{mllp}", "--http", f"127.0.0.1:{http}")
    data.mkdir(parents=True, exist_ok=True)
    with (data / "adapter.log").open("ab") as log:
        command = (sys.executable, "-m", "adapter", "serve", "--data", str(data), *addresses)
        process = subprocess.Popen(command, stderr=log, stdout=log)  # noqa: S603  (our own program)
    return Program(process, ("127.0.0.1", mllp), f"http://127.0.0.1:{http}", data)


async def _wait_until_ready(program: Program) -> None:
    loop = asyncio.get_running_loop()
    due = loop.time() + READY_SECONDS
    async with httpx.AsyncClient(base_url=program.base) as client:
        while loop.time() < due and program.process.poll() is None:
            try:
                if (await client.get("/health/ready")).is_success:
                    return
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.05)
    raise ConfigurationError(f"adapter serve did not become ready; its log is {program.data / 'adapter.log'}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
