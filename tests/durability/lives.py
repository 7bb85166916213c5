"""The program, started again and again: forked from a process that has all loaded, or whole, as people start it."""

import os
import signal
import subprocess
import sys
from multiprocessing import get_context
from pathlib import Path
from typing import Protocol

from adapter import app, failpoints
from adapter.settings import load_settings
from adapter.tally import Work

_CONTEXT = get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.durability.lives"])


class Life(Protocol):
    """One life of the program, or of a part of it."""

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        ...

    def kill(self) -> None:
        """`kill -9`, and wait."""
        ...


class Forked:
    """The whole program, or only a worker, in a forked process."""

    def __init__(self, part: str, url: str, *, port: int = 0, failpoint: str = "", log: Path) -> None:
        """Begin: `part` is `all`, `intake` or `worker`."""
        self._process = _CONTEXT.Process(target=_live, args=(part, url, port, failpoint, str(log)))
        self._process.start()

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return not self._process.is_alive()

    def kill(self) -> None:
        """`kill -9`, and wait."""
        self._process.kill()
        self._process.join()


class Whole:
    """`adapter serve` as a process of its own; on PostgreSQL with its worker processes."""

    def __init__(self, url: str, *, port: int, failpoint: str = "", log: Path) -> None:
        """Begin."""
        arguments = (
            "serve",
            "--data",
            str(log.parent),
            "--database-url",
            url,
            "--mllp",
            f"127.0.0.1:{port}",
            "--http",
            "127.0.0.1:0",
        )
        chosen = {failpoints.VARIABLE: failpoint, "ADAPTER_WORKER_PROCESSES": "2"}
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "adapter", *arguments],
                env={**os.environ, **chosen},
                stdout=output,
                stderr=output,
            )

    @property
    def ended(self) -> bool:
        """Whether it is over."""
        return self._process.poll() is not None

    @property
    def children(self) -> list[int]:
        """Its worker processes."""
        pid = self._process.pid
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(child) for child in listed if b"resource_tracker" not in _command(child)]

    def kill(self) -> None:
        """`kill -9`, its workers with it, and wait."""
        children = [] if self.ended else self.children
        self._process.kill()
        for child in children:
            kill(child)
        self._process.wait()


def kill(pid: int) -> None:
    """`kill -9`, if it is still there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _command(pid: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _live(part: str, url: str, port: int, failpoint: str, log: str) -> None:
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    failpoints.arm(failpoint)
    settings = load_settings(
        data=Path(log).parent,
        database_url=url,
        mllp=f"127.0.0.1:{port}",
        http="127.0.0.1:0",
        worker_processes=int(part == "all"),
    )
    if part == "worker":
        app._work(settings, "worker", Work().cells)
    else:
        app.run(settings)
