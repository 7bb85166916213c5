"""A disk whose power can be cut: what SQLite wrote and synced is written down, and played again up to any moment.

`disk.c` stands between the real program with its real SQLite and the system. After a cut the platter holds whatever
was synced; of the rest nothing, or all, or some: whole writes in any order, or single sectors of them.
"""

import os
import random
import shutil
import struct
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

HEAD = struct.Struct("<cBQI")
SECTOR = 512
FATES = ("nothing", "everything", "beginning", "some", "sectors")
"""What the platter holds of that which was not synced."""


@cache
def library() -> Path:
    """The compiled shim; the test is skipped where it cannot be made."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None or os.uname().sysname != "Linux":
        pytest.skip("the power cannot be cut here: that takes Linux and a C compiler")
    made = Path(mkdtemp(prefix="adapter-disk-")) / "disk.so"
    source = Path(__file__).with_name("disk.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", made, source, "-ldl"], check=True)
    return made


def environment(*, trace: Path | None = None, faults: Path | None = None) -> dict[str, str]:
    """The environment of a program whose disk is to be recorded, or to fail."""
    more = {"LD_PRELOAD": str(library())}
    more |= {"DISK_TRACE": str(trace)} if trace else {}
    more |= {"DISK_FAULTS": str(faults)} if faults else {}
    return {**os.environ, **more}


@dataclass(frozen=True, slots=True)
class Record:
    """`kind`: Created, Written, Truncated, Unlinked, Synced, synced Directory, or Acknowledged, by its first letter."""

    kind: str
    name: str
    offset: int
    data: bytes


def acknowledged(trace: int, mark: bytes) -> None:
    """Note in the trace (a file descriptor that appends) that this message was acknowledged."""
    os.write(trace, HEAD.pack(b"A", 0, 0, len(mark)) + mark)


def records(trace: Path) -> Iterator[Record]:
    """What happened, in order."""
    content = memoryview(trace.read_bytes())
    at = 0
    while at < len(content):
        kind, name, offset, length = HEAD.unpack_from(content, at)
        at += HEAD.size
        yield Record(
            kind.decode(), bytes(content[at : at + name]).decode(), offset, bytes(content[at + name :][:length])
        )
        at += name + length


@dataclass
class Platter:
    """What is on the disk for certain, and what may be."""

    files: dict[str, bytearray] = field(default_factory=dict[str, bytearray])
    linked: set[str] = field(default_factory=set[str])
    pending: list[Record] = field(default_factory=list[Record])

    def follow(self, record: Record) -> None:
        """Go on by one record."""
        match record.kind:
            case "C" | "W" | "T" | "U":
                self.pending.append(record)
            case "S":
                self._settle(lambda one: one.name == record.name and one.kind in "WT")
            case "D":
                self._settle(lambda one: one.kind in "CU")
            case _:
                pass

    def cut(self, fate: str, chance: random.Random, folder: Path) -> None:
        """Write the files that a power cut leaves."""
        after = Platter({name: bytearray(content) for name, content in self.files.items()}, set(self.linked))
        for one in self._kept(fate, chance):
            after.apply(one)
        for name in after.files.keys() & after.linked:
            (folder / name).write_bytes(after.files[name])

    def apply(self, record: Record) -> None:
        """Let one record reach the disk."""
        content = self.files.setdefault(record.name, bytearray())
        match record.kind:
            case "C":
                self.linked.add(record.name)
            case "W":
                content.extend(bytes(max(0, record.offset - len(content))))
                content[record.offset : record.offset + len(record.data)] = record.data
            case "T":
                del content[record.offset :]
                content.extend(bytes(record.offset - len(content)))
            case _:
                self.linked.discard(record.name)

    def _settle(self, chosen: Callable[[Record], bool]) -> None:
        for one in self.pending:
            if chosen(one):
                self.apply(one)
        self.pending = [one for one in self.pending if not chosen(one)]

    def _kept(self, fate: str, chance: random.Random) -> list[Record]:
        match fate:
            case "nothing":
                return []
            case "everything":
                return self.pending
            case "beginning":
                return self.pending[: chance.randint(0, len(self.pending))]
            case "some":
                return [one for one in self.pending if chance.random() < 0.5]
            case _:
                return [part for one in self.pending for part in _sectors(one) if chance.random() < 0.5]


def _sectors(record: Record) -> list[Record]:
    """A write in pieces that each reach the platter whole or not at all."""
    if record.kind != "W":
        return [record]
    first = SECTOR - record.offset % SECTOR
    starts = [0, *range(first, len(record.data), SECTOR)]
    ends = [*starts[1:], len(record.data)]
    return [
        Record("W", record.name, record.offset + start, record.data[start:end])
        for start, end in zip(starts, ends, strict=True)
    ]
