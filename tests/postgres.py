"""A real PostgreSQL for tests: initdb and postgres of this machine, in a folder of their own, on a free port.

As root the server runs as `nobody`, since PostgreSQL refuses to be root. fsync is off: no test here cuts the power.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_SEARCHED = ("/usr/lib/postgresql", "/usr/local/pgsql", "/opt/homebrew/opt/postgresql")


def binaries() -> Path | None:
    """The folder of `initdb` and `postgres`: of the PATH, else the newest that the system has."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    installed = [file.parent for root in _SEARCHED for file in sorted(Path(root).glob("**/bin/initdb"))]
    return installed[-1] if installed else None


class Server:
    """A server in a folder of its own; it may be killed and started again."""

    def __init__(self, folder: Path) -> None:
        """Make its data."""
        self._home = Path(tempfile.mkdtemp(prefix="adapter-postgres-"))
        self._data, self._log, self._port = self._home / "data", self._home / "log", _free_port()
        self._postgres = folder / "postgres"
        self._process: subprocess.Popen[bytes] | None = None
        self._user = "nobody" if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(self._home, self._user)
        flags = ["-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C"]
        initdb = [folder / "initdb", "-D", self._data, *flags]
        subprocess.run(initdb, user=self._user, cwd=self._home, check=True, capture_output=True)
        self.url = f"postgresql+psycopg://postgres@127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            RuntimeError: it did not start; the text is its log.
        """
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self._port),
            "fsync": "off",
            "unix_socket_directories": "",
        }
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self._log.open("wb") as output:
            command = [self._postgres, "-D", self._data, *flags]
            self._process = subprocess.Popen(command, user=self._user, cwd=self._home, stderr=output)
        _wait(self._process, self._port, self._log)

    def kill(self) -> None:
        """`kill -9` of the server; its children find out and end."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """Stop it and remove its data."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)  # fast shutdown
            self._process.wait(30)
        shutil.rmtree(self._home)


@contextmanager
def server(folder: Path) -> Generator[str]:
    """Run a server; give its URL without the database's name; stop it at the end.

    Raises:
        RuntimeError: it did not start; the text is its log.
    """
    with running(folder) as one:
        yield one.url


@contextmanager
def running(folder: Path) -> Generator[Server]:
    """Run a server that may be killed and started again."""
    one = Server(folder)
    try:
        one.start()
        yield one
    finally:
        one.stop()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        if b"ready to accept connections" in log.read_bytes():
            return
        time.sleep(0.02)
    raise RuntimeError(f"PostgreSQL did not start on port {port}: {log.read_text(errors='replace')}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
