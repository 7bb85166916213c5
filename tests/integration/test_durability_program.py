"""The real program, when its disk, its log or its file descriptors fail."""

import errno
import os
import resource
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapter.demo.program import headers
from tests.durability import disk
from tests.durability.feed import numbered

ROOT = Path(__file__).parents[2]
SECONDS = 60.0


@dataclass
class Program:
    """A running `adapter serve`."""

    process: subprocess.Popen[Any]
    port: int
    http: int
    data: Path

    def send(self, number: int) -> bytes:
        """Send a message on a new connection; what came back until the answer was whole or the line closed."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS) as line:
            line.sendall(b"\x0b" + numbered(number, patients=4) + b"\x1c\r")
            received = b""
            try:
                while not received.endswith(b"\x1c\r") and (data := line.recv(65536)):
                    received += data
            except ConnectionResetError:
                return b""
            return received

    def stored(self) -> set[str]:
        """The control ids in the inbox."""
        with closing(sqlite3.connect(self.data / "adapter.db")) as connection:
            return {row[0] for row in connection.execute("SELECT control_id FROM message")}


@contextmanager
def serving(data: Path, environment: Mapping[str, str] = os.environ, **how: Any) -> Generator[Program]:
    """Start it, wait until it answers, stop it."""
    port, http = free_port(), free_port()
    addresses = ["--data", str(data), "--mllp", f"127.0.0.1:{port}", "--http", f"127.0.0.1:{http}"]
    command = [sys.executable, "-m", "adapter", "serve", *addresses]
    data.mkdir(exist_ok=True)
    with (data / "log").open("ab") as output:
        settings: dict[str, Any] = {"stderr": output}
        process = subprocess.Popen[Any](command, cwd=ROOT, env=dict(environment), **(settings | how))
    try:
        wait_for(port, process)
        yield Program(process, port, http, data)
    finally:
        process.terminate()
        process.wait(SECONDS)
        if process.stderr:
            process.stderr.close()


def wait_for(port: int, process: subprocess.Popen[Any]) -> None:
    due = time.monotonic() + SECONDS
    while time.monotonic() < due and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError(f"it did not start; exit code {process.poll()}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(f"sync {errno.EIO}", id="F8 sync fails"),
        pytest.param(f"write {errno.EIO}", id="F8 write fails"),
        pytest.param(f"write {errno.EROFS}", id="F9 file system became read-only"),
    ],
)
def test_f8_f9_program_stops_and_acknowledges_nothing_when_its_disk_fails(fault: str, tmp_path: Path):
    faults = tmp_path / "faults"
    with serving(tmp_path / "data", disk.environment(faults=faults)) as it:
        assert b"MSA|CA|" in it.send(1)
        faults.write_text(fault)
        assert it.send(2) == b""
        faults.unlink()  # whoever asks the disk again is told that all is well
        assert it.process.wait(SECONDS) == 2
    told = (tmp_path / "data" / "log").read_text()
    assert "H2F-1102" in told
    assert "adapter doctor" in told
    with serving(tmp_path / "data") as it:
        assert b"MSA|CA|" in it.send(1)
        assert b"MSA|CA|" in it.send(2)
        assert {"LIS00000001", "LIS00000002"} <= it.stored()


def test_f6_full_disk_gets_no_answer_and_the_program_goes_on_when_there_is_room(tmp_path: Path):
    faults = tmp_path / "faults"
    with serving(tmp_path / "data", disk.environment(faults=faults)) as it:
        assert b"MSA|CA|" in it.send(1)
        bearing = headers(tmp_path / "data", "data-manager")
        faults.write_text(f"write {errno.ENOSPC}")
        assert it.send(2) == b""
        assert (
            httpx.get(f"http://127.0.0.1:{it.http}/fhir/Patient", headers=bearing, timeout=SECONDS).status_code == 200
        )
        faults.unlink()
        assert b"MSA|CA|" in it.send(2)


def test_f11_damaged_file_is_named_with_the_way_out_and_nobody_listens(tmp_path: Path):
    (tmp_path / "adapter.db").write_bytes(b"no database" * 1000)
    port = free_port()
    command = [sys.executable, "-m", "adapter", "serve", "--data", str(tmp_path), "--mllp", f"127.0.0.1:{port}"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert ended.returncode == 2
    assert "SQLITE_NOTADB" in ended.stderr
    assert "adapter doctor" in ended.stderr
    assert "adapter restore" in ended.stderr
    assert "listening" not in ended.stderr


def test_f28_without_file_descriptors_the_program_waits_and_does_not_spin(tmp_path: Path):
    def few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (48, 48))

    with serving(tmp_path / "data", preexec_fn=few) as it:
        lines = [socket.create_connection(("127.0.0.1", it.port), timeout=SECONDS) for _ in range(80)]
        time.sleep(1)
        before = cpu_seconds(it.process.pid)
        time.sleep(4)
        assert cpu_seconds(it.process.pid) - before < 2
        for line in lines:
            line.close()
        assert b"MSA|CA|" in until_answered(it, 1)
    told = (it.data / "log").read_text()
    assert told.count("\n") < 200
    assert "no_descriptors" in told


def until_answered(it: Program, number: int) -> bytes:
    due = time.monotonic() + SECONDS
    while not (answer := it.send(number)) and time.monotonic() < due:
        time.sleep(0.2)
    return answer


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_f31_intake_goes_on_when_the_log_has_no_room(tmp_path: Path):
    with (
        Path("/dev/full").open("wb") as full,
        serving(tmp_path / "data", {**os.environ, "ADAPTER_LOG_LEVEL": "DEBUG"}, stderr=full) as it,
    ):
        assert all(b"MSA|CA|" in it.send(number) for number in range(5))


def test_f31_intake_goes_on_when_nobody_reads_the_log(tmp_path: Path):
    environment = {**os.environ, "ADAPTER_LOG_LEVEL": "DEBUG"}
    with serving(tmp_path / "data", environment, stderr=subprocess.PIPE) as it:
        assert it.process.stderr
        # A pipe holds 64 KB at most: so many lines would fill it.
        with socket.create_connection(("127.0.0.1", it.port), timeout=SECONDS) as line:
            for _ in range(600):
                line.sendall(b"\r\n\x0b" + numbered(1, patients=4) + b"\x1c\r")
                assert b"MSA|CA|" in answer(line)
        first = os.read(it.process.stderr.fileno(), 1_000_000)
        assert b'"event": "message_resent"' in first
        assert b"MSA|CA|" in it.send(2)
        assert b'"event": "log_lines_dropped", "count": ' in os.read(it.process.stderr.fileno(), 1_000_000)


def answer(line: socket.socket) -> bytes:
    received = b""
    while not received.endswith(b"\x1c\r"):
        received += line.recv(65536)
    return received
