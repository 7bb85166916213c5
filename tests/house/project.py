"""What the house tests look at: the files of the project and the tables of its documents."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]


def project_files() -> list[Path]:
    """Every file that is, or would be, in the repository."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip(f"not a git checkout, so the project's files are not known: {listed.stderr.strip()}")
    paths = (PROJECT / name for name in listed.stdout.split("\0") if name)
    return [path for path in paths if path.is_file() and not path.is_symlink()]


def table_rows(document: Path) -> Iterator[list[str]]:
    """The cells of every table row of a Markdown file, without heads and rulers."""
    lines = document.read_text(encoding="utf-8").splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line.startswith("|") and not _is_ruler(line) and not _is_ruler(following):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def _is_ruler(line: str) -> bool:
    return bool(re.fullmatch(r"\|[\s:|-]+\|", line.strip()))


def code_spans(text: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`]+)`", text)


def sections(document: Path) -> dict[str, str]:
    """The text below every heading of the second level."""
    parts = re.split(r"^## +(.+)$", document.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(map(str.strip, parts[1::2]), parts[2::2], strict=True))
