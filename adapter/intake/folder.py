"""A watched folder: what is put there is read once, its answers stand beside it, and nothing is ever deleted.

A file is complete when its size and time have stood still for two seconds. What was read goes to `done/`, with its
answers; what is no HL7 goes to `refused/`. A file that was read and not moved, because the process died between, is
read again: its messages are known by their bytes and stored once.
"""

import asyncio
import gzip
import logging
import os
import stat
import zlib
from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from adapter import log
from adapter.errors import ConfigurationError, StorageUnavailable, TooLarge
from adapter.hl7v2.units import is_hl7, units
from adapter.intake.answers import Answers
from adapter.intake.origin import Answer, Origin
from adapter.listeners import Folder
from adapter.store.incidents import Incidents

TRANSPORT = "file"
POLL_SECONDS = 1.0
STILL_SECONDS = 2.0
LONGEST_PAUSE = 60.0
DONE, REFUSED = "done", "refused"

_UNFINISHED = (".part", ".tmp")
_TOGETHER = 16  # units on their way to the disk at once
_GZIP = b"\x1f\x8b"
_BROKEN = (TooLarge, gzip.BadGzipFile, EOFError, zlib.error)


class Door(Protocol):
    """What the folder needs of the intake."""

    incidents: Incidents

    async def receive(self, raw: bytes, *, origin: Origin) -> Answer:
        """Store a message or batch, then answer."""
        ...

    def control_id(self, now: datetime) -> str:
        """A control id of our own."""
        ...


@dataclass(frozen=True, slots=True)
class _Seen:
    size: int
    changed: int
    since: float


@dataclass(slots=True)
class _Pause:
    """After a failure that may pass: until when, and how long the next one is."""

    until: float = 0.0
    seconds: float = POLL_SECONDS

    def lengthen(self) -> None:
        now = asyncio.get_running_loop().time()
        self.until, self.seconds = now + self.seconds, min(2 * self.seconds, LONGEST_PAUSE)

    @property
    def over(self) -> bool:
        return asyncio.get_running_loop().time() >= self.until


@dataclass(slots=True)
class WatchedFolder:
    """Reads the files of one folder, one after the other, the oldest first."""

    folder: Folder
    door: Door
    clock: Callable[[], datetime]
    largest: int
    stop: asyncio.Event
    _seen: dict[str, _Seen] = field(default_factory=dict[str, _Seen])
    _pause: _Pause = field(default_factory=_Pause)
    _unreadable: dict[str, _Pause] = field(default_factory=dict[str, _Pause])
    _troubled: bool = True

    def prepare(self) -> None:
        """Make the folder and those inside it.

        Raises:
            ConfigurationError: that is not allowed here.
        """
        try:
            for inside in (DONE, REFUSED):
                (self.folder.path / inside).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            name = self.folder.channel.name
            raise ConfigurationError(f"{name}: {self.folder.path} cannot be used: {error.strerror}") from error

    async def run(self) -> None:
        """Look each second, until the service stops; a file under way then is read again after the next start."""
        while not self.stop.is_set():
            try:
                await self._look()
            except OSError as error:
                self._trouble(error)
            with suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self.stop.wait()

    async def _look(self) -> None:
        found = await asyncio.to_thread(_scan, self.folder.path)
        now = asyncio.get_running_loop().time()
        self._seen = {name: self._last_seen(name, *what, now) for name, what in found.items()}
        self._unreadable = {name: pause for name, pause in self._unreadable.items() if name in found}
        still = [(one.changed, name) for name, one in self._seen.items() if now - one.since >= STILL_SECONDS]
        for _, name in sorted(still):
            if self._pause.over and self._unreadable.get(name, self._pause).over:
                await self._take(name)
        if self._troubled and not self._unreadable:
            self.door.incidents.end("folder_unusable", channel=self.folder.channel.name)
            self._troubled = False

    def _last_seen(self, name: str, size: int, changed: int, now: float) -> _Seen:
        known = self._seen.get(name)
        return known if known and (known.size, known.changed) == (size, changed) else _Seen(size, changed, now)

    async def _take(self, name: str) -> None:
        """Read a file and put it away.

        Where our own storage failed it stays, and all others wait behind it; one that cannot be read keeps no other.
        """
        channel = self.folder.channel.name
        try:
            await self._read(self.folder.path / name)
        except FileNotFoundError:
            self._seen.pop(name, None)  # somebody took it away
        except StorageUnavailable as error:
            self._pause.lengthen()
            log.event("file_kept", level=logging.WARNING, failure=error, channel=channel)
        except Exception as error:  # noqa: BLE001  (a bug in reading one file must not stop the others)
            self._unreadable.setdefault(name, _Pause()).lengthen()
            self._trouble(error)
            log.event("file_kept", level=logging.WARNING, failure=error, channel=channel)
        else:
            self._pause = _Pause()
            self._unreadable.pop(name, None)

    async def _read(self, file: Path) -> None:
        before = self._seen[file.name]
        with Answers.beside(self.folder.path / DONE, file.name, self.door.control_id, self.clock) as answers:
            try:
                taken = await self._store(file, answers)
                reason = "" if taken else "no HL7 in it"
            except _BROKEN as error:
                taken, reason = answers.count, getattr(error, "text", "") or "the compressed file is broken"
            if await asyncio.to_thread(_standing, file) != (before.size, before.changed):
                self._seen.pop(file.name)  # still being written: read again when it stands still
                return
            place = self.folder.path / (REFUSED if reason else DONE)
            await asyncio.to_thread(answers.put_away, file, place)
        self._told(file.name, taken, reason)

    async def _store(self, file: Path, answers: Answers) -> int:
        """Give every unit to the intake, in order; return how many there were.

        Raises:
            StorageUnavailable: one of them could not be stored.
        """
        origin = Origin(self.folder.channel, TRANSPORT, os.fsencode(file.name).decode("utf-8", "replace"))
        with _opened(file) as read:
            found = _from_the_first_message(units(read, limit=self.largest))
            stored = 0
            while window := await asyncio.to_thread(_some, found):
                if self.stop.is_set():
                    raise StorageUnavailable("the service stops")
                given = [asyncio.create_task(self.door.receive(unit, origin=origin)) for unit in window]
                told = await asyncio.gather(*given)
                if any(answer.close for answer in told):
                    raise StorageUnavailable("a message of the file is not stored")
                await asyncio.to_thread(answers.add, [answer.ack for answer in told if answer.ack])
                stored += len(told)
        return stored

    def _told(self, name: str, taken: int, reason: str) -> None:
        channel = self.folder.channel.name
        self._seen.pop(name, None)
        if not reason:
            log.event("file_stored", channel=channel, count=taken)
            return
        log.event("file_refused", level=logging.WARNING, channel=channel, count=taken, reason=reason)
        self.door.incidents.note("file_refused", channel=channel, detail=f"{name[:100]!a}: {reason}")

    def _trouble(self, error: Exception) -> None:
        self._troubled = True
        detail = getattr(error, "strerror", "") or type(error).__name__
        self.door.incidents.note("folder_unusable", channel=self.folder.channel.name, detail=detail)


@asynccontextmanager
async def watching(folders: Sequence[WatchedFolder]) -> AsyncGenerator[None]:
    """Read folders inside; at the end each stops after what it has given to the intake.

    Raises:
        ConfigurationError: a folder cannot be made.
    """
    for folder in folders:
        folder.prepare()
    running = [asyncio.create_task(folder.run(), name=folder.folder.channel.name) for folder in folders]
    try:
        yield
    finally:
        for folder in folders:
            folder.stop.set()
        await asyncio.gather(*running)


def _scan(folder: Path) -> dict[str, tuple[int, int]]:
    """The files that wait, with size and time; no folders, links, or files that are still being written."""
    found: dict[str, tuple[int, int]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.endswith(_UNFINISHED):
                continue
            about = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(about.st_mode):
                found[entry.name] = (about.st_size, about.st_mtime_ns)
    return found


def _standing(file: Path) -> tuple[int, int]:
    about = file.stat()
    return about.st_size, about.st_mtime_ns


@contextmanager
def _opened(file: Path) -> Generator[Callable[[int], bytes]]:
    """What reads the file's content; unpacked, whatever its name, where it is a gzip file."""
    with file.open("rb") as plain:
        packed = plain.read(len(_GZIP)) == _GZIP
        plain.seek(0)
        if packed:
            with gzip.GzipFile(fileobj=plain) as unpacked:
                yield unpacked.read
        else:
            yield plain.read


def _from_the_first_message(found: Iterator[bytes]) -> Iterator[bytes]:
    """All units, if one of them is HL7; of another file none."""
    before: list[bytes] = []
    for unit in found:
        before.append(unit)
        if is_hl7(unit):
            yield from before
            yield from found
            return


def _some(found: Iterator[bytes]) -> list[bytes]:
    """The next units: a few, or one large one."""
    window: list[bytes] = []
    for unit in found:
        window.append(unit)
        if len(window) == _TOGETHER or len(unit) > 1024 * 1024:
            break
    return window
