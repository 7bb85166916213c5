"""`adapter confirm` beside the running program, and without it."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stand import SECONDS, adapter
from tests.integration.test_confirming import BY, TRM60, WHY, begins


def confirmed(folder: Path, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    asked = [sys.executable, "-m", "adapter", "confirm", *arguments, "--json", "--data", str(folder)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def until(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    due = time.monotonic() + SECONDS
    while not (found := confirmed(folder, *arguments)) and time.monotonic() < due:
        time.sleep(0.2)
    return found


def test_program_lists_and_confirms_and_the_fact_is_final_some_seconds_later(tmp_path: Path):
    folder = tmp_path / "data"
    with adapter(folder) as it:
        assert len(it.converse(b"".join(b"\x0b" + raw + b"\x1c\r" for raw in begins()))) == len(begins())
        assert [one["number"] for one in until(folder, "--fact", "TRM60")] == [TRM60]
        [told] = confirmed(folder, TRM60, "--by", BY, "--reason", WHY)
        assert (told["outcome"], told["value"]) == ("confirmed", "22 d; ENDED-BY CENSORED")
        [final] = until(folder, "--final")
        assert (final["number"], final["status"]) == (TRM60, "final")
        assert confirmed(folder, "ATLI-901/NRM", "--by", BY, "--reason", WHY, code=2) == []
    [told] = confirmed(folder, "ATLI-901/IND1/COURSE", "--by", BY, "--reason", WHY)
    assert told["outcome"] == "confirmed"
    assert len(confirmed(folder, "--final")) == 2


@pytest.mark.parametrize("wrong", [("--by", BY), (TRM60, "--by", "WH", "--reason", "x"), (TRM60, "--by", BY)], ids=str)
def test_what_is_missing_is_said(tmp_path: Path, wrong: tuple[str, ...]):
    asked = [sys.executable, "-m", "adapter", "confirm", *wrong, "--data", str(tmp_path)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "H2F-4001" in done.stderr
