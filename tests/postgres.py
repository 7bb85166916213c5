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


@contextmanager
def server(folder: Path) -> Generator[str]:
    """Run a server; give its URL without the database's name; stop it at the end.

    Raises:
        RuntimeError: it did not start; the text is its log.
    """
    home = Path(tempfile.mkdtemp(prefix="adapter-postgres-"))
    data, log, port = home / "data", home / "log", _free_port()
    user = "nobody" if os.geteuid() == 0 else None
    if user:
        shutil.chown(home, user)
    settings = {"listen_addresses": "127.0.0.1", "port": str(port), "fsync": "off", "unix_socket_directories": ""}
    flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    initdb = [folder / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C"]
    subprocess.run(initdb, user=user, cwd=home, check=True, capture_output=True)
    with log.open("wb") as output:
        process = subprocess.Popen([folder / "postgres", "-D", data, *flags], user=user, cwd=home, stderr=output)
        try:
            _wait(process, port, log)
            yield f"postgresql+psycopg://postgres@127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGINT)  # fast shutdown
            process.wait(30)
            shutil.rmtree(home)


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < end:
        if b"ready to accept connections" in log.read_bytes():
            return
        time.sleep(0.02)
    raise RuntimeError(f"PostgreSQL did not start on port {port}: {log.read_text(errors='replace')}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
