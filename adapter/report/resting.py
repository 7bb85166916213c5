"""What the numbers rest on, in a temporary file: of thousands of subjects these are millions of references."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from os import SEEK_END
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Rests:
    """The references of one list, in their order; `count` says how many, the rest where they stand in the file."""

    file: BinaryIO
    offset: int
    length: int
    count: int

    def joined(self, separator: str) -> str:
        """All of them in one text."""
        self.file.seek(self.offset)
        return self.file.read(self.length).decode().replace("\n", separator)

    def listed(self) -> list[str]:
        """All of them."""
        return self.joined("\n").split("\n") if self.count else []


class Shelf:
    """Keeps lists of references (`Type/id`), each once, however many numbers rest on it."""

    def __init__(self, file: BinaryIO) -> None:
        """Write to an empty file, which stays open as long as the lists are read."""
        self._file = file
        self._known: dict[bytes, Rests] = {}

    def put(self, refs: Iterable[str]) -> Rests:
        """Keep a list: sorted, each reference once, empty ones left out."""
        listed = sorted({*refs} - {""})
        text = "\n".join(listed).encode()
        digest = blake2b(text, digest_size=16).digest()
        if digest not in self._known:
            self._known[digest] = Rests(self._file, self._file.seek(0, SEEK_END), len(text), len(listed))
            self._file.write(text)
        return self._known[digest]
