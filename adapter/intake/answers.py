"""The answers to a file, in a file: written beside, synced, renamed, so that it is there whole or not at all."""

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from adapter.hl7v2 import envelope

_LONGEST_NAME = 200  # bytes; the time and the ending still fit into what file systems allow
_HEAD = b"BHS|^~\\&"


@dataclass(slots=True)
class Answers:
    """Acknowledgements in an answering batch of our own; the answer to a batch stands for itself."""

    file: IO[bytes]
    path: Path
    control_id: Callable[[datetime], str]
    clock: Callable[[], datetime]
    count: int = 0
    _open: int | None = None

    @classmethod
    @contextmanager
    def beside(
        cls, folder: Path, name: str, control_id: Callable[[datetime], str], clock: Callable[[], datetime]
    ) -> Generator["Answers"]:
        """Begin to answer the file of this name; unless it is put away, nothing remains."""
        path = folder / f".{_short(name)}.part"
        with path.open("wb") as file:
            answers = cls(file, path, control_id, clock)
            try:
                yield answers
            finally:
                with suppress(FileNotFoundError):
                    path.unlink()

    def add(self, acks: Sequence[bytes]) -> None:
        """Write the next answers."""
        for ack in acks:
            if envelope.begins(ack):
                self._close()
            elif self._open is None:
                now = self.clock()
                self.file.write(envelope.head(_HEAD, self.control_id(now), now))
                self._open = 0
            if self._open is not None:
                self._open += 1
            self.file.write(ack)
            self.count += 1

    def put_away(self, file: Path, folder: Path) -> None:
        """Put the answers and then the file they answer into `folder`, under its name and the time."""
        self._close()
        self.file.flush()
        os.fsync(self.file.fileno())
        place = folder / f"{_short(file.name)}.{self.clock():%Y%m%dT%H%M%S.%fZ}"
        if self.count:
            self.path.rename(place.with_name(f"{place.name}.ack"))
            _sync(folder)
        file.rename(place)
        _sync(folder)
        _sync(file.parent)

    def _close(self) -> None:
        if self._open is not None:
            self.file.write(envelope.trailer(b"BTS", _HEAD, self._open))
            self._open = None


def _short(name: str) -> str:
    return os.fsdecode(os.fsencode(name)[:_LONGEST_NAME])


def _sync(folder: Path) -> None:
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
