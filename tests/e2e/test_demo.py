"""`adapter demo` as people start it: from a script, and in a terminal."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.timeout(300)
COMMAND = [sys.executable, "-m", "adapter", "demo"]


def test_without_a_terminal_it_shows_everything_and_ends_with_0() -> None:
    done = subprocess.run(COMMAND, capture_output=True, text=True, env={**os.environ, "COLUMNS": "120"}, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"FAHZU +│ 882 +│ CA 882", done.stdout)
    assert re.search(r"JHAH +│ 604 +│ AA 604", done.stdout)
    assert re.search(r"ATLI-07 │ MDS │ off-study │ 4 ", done.stdout)
    assert "Neutrophils of ATLI-07" in done.stdout
    assert "Every populated field of these messages is mapped" in done.stdout


def test_in_a_terminal_it_serves_until_ctrl_c_and_leaves_nothing_behind(tmp_path: Path) -> None:
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [*COMMAND, "--data", str(tmp_path / "data")])
    shown = read_until(terminal, b"Ctrl-C ends it")
    assert re.search(rb"http://127\.0\.0\.1:\d+/fhir/metadata", shown)
    os.write(terminal, b"\x03")
    read_until(terminal, b"\x00 nothing more comes")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    lock = (tmp_path / "data" / "adapter.db.lock").read_text()
    with pytest.raises(ProcessLookupError):
        os.kill(int(lock.split()[1]), 0)


def read_until(terminal: int, text: bytes) -> bytes:
    """What the terminal shows until the text, or the end."""
    shown, due = b"", time.monotonic() + 240
    while text not in shown and time.monotonic() < due:
        if select.select([terminal], [], [], 1)[0]:
            try:
                data = os.read(terminal, 65536)
            except OSError:
                break  # the other end is closed
            shown += data
            if not data:
                break
    return shown
