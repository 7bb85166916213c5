"""`adapter import` as a process: beside the running program and without one; what it tells, and its exit code."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.e2e.stand import Adapter, adapter
from tests.import_stand import ALIVE, DEAD, csv_of, file_of


def ran(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "adapter", "import", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "300"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.fixture
def running(tmp_path: Path) -> Generator[Adapter]:
    with adapter(tmp_path / "data") as it:
        yield it


def test_running_program_imports_and_serves_the_controls(running: Adapter, tmp_path: Path):
    file = file_of(tmp_path, DEAD, ALIVE)
    done = ran(file, "--data", running.program.data)
    assert done.returncode == 0, done.stderr
    assert "2 rows: 2 new, 0 refused" in done.stdout
    found = running.get("ResearchSubject")["entry"]
    assert {one["resource"]["actualArm"] for one in found} == {"HIST-IA"}
    patient = found[0]["resource"]["individual"]["reference"]
    codes = {
        one["resource"]["code"]["coding"][0]["code"] for one in running.get(f"Observation?subject={patient}")["entry"]
    }
    assert {"STRATUM", "RESP-IWG2003", "VITAL-STATUS", "LAST-CONTACT", "RECOV-ANC", "RECOV-PLT", "DATA-CUTOFF"} <= codes
    again = ran(file, "--data", running.program.data)
    assert (again.returncode, "2 rows: 2 unchanged, 0 refused" in again.stdout) == (0, True)
    assert {row["peer"] for row in running.rows("SELECT peer FROM message")} != {""}


def test_refused_rows_are_told_and_the_others_imported_without_a_program(tmp_path: Path):
    file = file_of(tmp_path, {**DEAD, "birth_date": "1948-02-31"}, ALIVE)
    done = ran(file, "--data", tmp_path / "data")
    assert done.returncode == 1
    assert "2 rows: 1 new, 1 refused" in done.stdout
    (line,) = [line for line in done.stderr.splitlines() if "HC-901" in line]
    assert [cell.strip() for cell in line.strip("│").split("│")] == [
        "2", "HC-901", "birth_date", "is a day that does not exist", "whoever made the file",
    ]  # fmt: skip
    assert "1948" not in done.stdout + done.stderr


def test_row_that_seems_to_be_of_another_person_is_told_with_its_message(tmp_path: Path):
    ran(file_of(tmp_path, DEAD), "--data", tmp_path / "data")
    done = ran(file_of(tmp_path, {**DEAD, "sex": "F", "birth_date": "1948-08-29"}), "--data", tmp_path / "data")
    assert (done.returncode, "1 rows: 1 changed, 0 refused" in done.stdout) == (1, True)
    assert "message 3 is held: H2F-3106" in done.stderr
    assert "1 messages of CONTROLS are not converted yet" in done.stderr


def test_check_imports_nothing(tmp_path: Path):
    done = ran(file_of(tmp_path, DEAD), "--check", "--data", tmp_path / "data")
    assert (done.returncode, done.stdout) == (0, "1 rows: 1 in order, 0 refused\n")
    assert not (tmp_path / "data").exists()


def test_json_tells_the_same_to_programs(tmp_path: Path):
    done = ran(file_of(tmp_path, {**DEAD, "age": "7"}, ALIVE), "--json", "--data", tmp_path / "data")
    told = json.loads(done.stdout)
    assert (done.returncode, told["in_order"], told["refused"], told["held"]) == (1, 1, 1, [])
    assert told["faults"][0] | {"text": ""} == {
        "row": 2, "key": "HC-901", "column": "age", "text": "", "mender": "whoever made the file",
    }  # fmt: skip
    assert [(row["key"], row["outcome"]) for row in told["rows"]] == [("HC-902", "new")]


def test_file_that_cannot_be_read_is_an_error_of_its_own(tmp_path: Path):
    file = tmp_path / "controls.csv"
    file.write_bytes(csv_of({**DEAD, "regimen": "方案"}).decode().encode("gb18030"))
    for path, text in (
        (file, "GB 18030 (or GBK); save the file as CSV UTF-8"),
        (tmp_path / "none.csv", "cannot be read"),
    ):
        done = ran(path, "--data", tmp_path / "data")
        assert (done.returncode, text in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "data").exists()
