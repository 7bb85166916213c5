"""Payloads that are too long to be kept in memory: on disk in an unlinked file, or only counted and hashed."""

import contextlib
import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

HEAD = 64 * 1024
KEEP = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Room:
    """Where payloads above `keep` go: `open` gives a file that vanishes when it is closed; OSError without room."""

    open: Callable[[], BinaryIO]
    keep: int = KEEP


@dataclass(frozen=True, slots=True)
class Oversize:
    """A frame above the limit (A26), or one that never ends (A27: `ended` is false)."""

    head: bytes
    length: int
    sha256: str
    ended: bool


@dataclass(frozen=True, slots=True)
class Spooled:
    """One whole payload in a file, read from its beginning (A25). Whoever takes it closes the file."""

    file: BinaryIO = field(compare=False, repr=False)
    head: bytes = field(repr=False)
    length: int
    sha256: str
    lenient: bool = False


def room(folder: Path) -> Room:
    """Files in this folder, without a name: nothing of them is left when the program ends."""

    def opened() -> BinaryIO:
        return tempfile.TemporaryFile(dir=folder)

    return Room(opened)


class Long:
    """A payload that arrives: its head, length and hash, and its file while it is not above the limit."""

    def __init__(self, max_length: int, max_drain: int, room: Room | None) -> None:
        """Nothing has come; OSError when the file cannot be opened."""
        self.head = bytearray()
        self.length = 0
        self.full = False
        self._max_length, self._max_drain = max_length, max_drain
        self._digest = hashlib.sha256()
        self._file = room.open() if room else None

    def add(self, data: memoryview) -> None:
        """Take the next bytes; OSError when the disk is full."""
        self.full = self.length + len(data) > self._max_drain
        counted = data[: self._max_drain - self.length]
        self.head += counted[: HEAD - len(self.head)]
        self.length += len(counted)
        self._digest.update(counted)
        if self._file and self.length > self._max_length:
            self.close()
        self._do(lambda file: file.write(counted))

    def end(self, *, lenient: bool = False) -> Spooled | Oversize:
        """What it was; the file, if any, is the caller's; OSError when the disk is full."""
        head, digest = bytes(self.head), self._digest.hexdigest()
        if self._file is None:
            return Oversize(head, self.length, digest, ended=not self.full)
        self._do(lambda file: file.seek(0))
        file, self._file = self._file, None
        return Spooled(file, head, self.length, digest, lenient)

    def close(self) -> None:
        """Give the file up."""
        file, self._file = self._file, None
        if file:
            # What is still to be written would fail again.
            with contextlib.suppress(OSError):
                file.close()

    def _do(self, step: Callable[[BinaryIO], object]) -> None:
        try:
            if self._file:
                step(self._file)
        except OSError:
            self.close()
            raise
