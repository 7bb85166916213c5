"""How a command of this machine finds the running program: a file in the data folder that only its owner can read."""

import os
import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from adapter.fhir import json

NAME = "operator.json"


@dataclass(frozen=True, slots=True)
class Door:
    """Where the program answers operators, and the token of this start."""

    url: str
    token: str


def new_token() -> str:
    """A token for one start of the program."""
    return secrets.token_urlsafe(32)


@contextmanager
def opened(data: Path, door: Door) -> Generator[None]:
    """Keep the file while the program runs.

    Raises:
        OSError: the folder cannot be written.
    """
    data.mkdir(parents=True, exist_ok=True)
    file = data / NAME
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as writing:
        writing.write(json.dumps({"url": door.url, "token": door.token}))
    new.replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def find(data: Path) -> Door | None:
    """The door of the program that runs on this folder; None where there is none that we may use."""
    try:
        said = json.loads((data / NAME).read_bytes())
        return Door(str(said["url"]), str(said["token"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
