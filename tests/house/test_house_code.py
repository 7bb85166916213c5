"""Is the code in order: rooms, sizes, words."""

import re
import subprocess
import sys
from pathlib import Path

from tests.house.project import PROJECT, project_files

LONGEST_FILE = 350

FORBIDDEN = {
    "an absolute path of somebody's machine": re.compile(r"/(?:work|root|home/\w+|Users/\w+)/[\w.]"),
    "a promise instead of code": re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b"),
}


def test_every_room_imports_only_the_rooms_below_it() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_file_of_the_program_holds_two_rooms() -> None:
    lengths = {
        path.relative_to(PROJECT): len(path.read_text().splitlines()) for path in PROJECT.glob("adapter/**/*.py")
    }
    assert {str(path): lines for path, lines in lengths.items() if lines > LONGEST_FILE} == {}


def test_no_file_names_a_machine_or_promises_what_is_missing() -> None:
    found: list[str] = []
    for path in project_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # messages in other character sets, pictures
        lines = enumerate(text.splitlines(), 1)
        found += [
            f"{path.relative_to(PROJECT)}:{number}: {what}"
            for number, line in lines
            for what, pattern in FORBIDDEN.items()
            if pattern.search(line)
        ]
    assert found == []


def test_scripts_that_people_start_are_executable() -> None:
    scripts = [path for path in project_files() if path.read_bytes().startswith(b"#!")]
    assert scripts
    assert [str(path) for path in scripts if not path.stat().st_mode & 0o100] == []


def test_shell_scripts_are_valid_bash() -> None:
    scripts = [path for path in project_files() if path.read_bytes().startswith(b"#!/usr/bin/env bash")]
    for path in scripts:
        subprocess.run(["bash", "-n", path], check=True)
        assert "set -euo pipefail" in path.read_text(), path
