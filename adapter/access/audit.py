"""The access audit: one line for every read, on disk before the answer leaves. No audit, no data.

The lines of a day (UTC) are a file of JSON. Every line holds the SHA-256 of the line before, over the ends of the days,
so that none can be changed, removed from between or put between without its neighbours telling. Nothing is ever taken
away again: what a power cut left of a line stays, closed by a line end, and goes into the hash of the next line.
"""

import fcntl
import os
import queue
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from adapter import log
from adapter.errors import ConfigurationError
from adapter.fhir import json
from adapter.request_errors import AuditUnavailable
from adapter.store.incidents import Incidents

BEGINNING = sha256(b"").hexdigest()
"""What the very first line holds in place of the hash of a line before."""

_LONGEST = 64 * 1024  # no line of ours comes near it
_INCIDENT = "audit_unavailable"


@dataclass(frozen=True, slots=True)
class Access:
    """One read.

    `id` is that of the resource in the address, if one was named: without it nobody could say who saw a given record.
    It is derived (uuid5), not a hospital's number. The values of a search are left out: they are names and numbers of
    persons; `resources` says how many were found.
    """

    at: datetime
    principal: str
    client: str
    method: str
    interaction: str
    type: str
    id: str
    status: int
    resources: int
    request: str


class Trail:
    """The audit of one process: threads hand in accesses, one thread writes all that wait with one fsync."""

    def __init__(self, folder: Path, incidents: Incidents) -> None:
        """Keep the files in `folder`, which is made, readable for us alone.

        Raises:
            ConfigurationError: another process writes there.
        """
        self._folder, self._incidents = folder, incidents
        self._waiting: queue.SimpleQueue[tuple[Access, Future[None]] | None] = queue.SimpleQueue()
        self._file: _File | None = None
        self._healthy = False
        self._lock = _lock(folder)
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def put(self, access: Access) -> "Future[None]":
        """Write an access; the future is done when it is on disk.

        The future raises AuditUnavailable when it could not be written.
        """
        stored: Future[None] = Future()
        self._waiting.put((access, stored))
        return stored

    def close(self) -> None:
        """Return when everything that was handed in is written."""
        self._waiting.put(None)
        self._thread.join()
        self._forget()
        if self._lock is not None:
            os.close(self._lock)

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch = [first, *self._others()]
            # Whom we kept waiting too long has been told so already.
            wanted = [one for one in batch if one[1].set_running_or_notify_cancel()]
            if not wanted:
                continue
            try:
                self._write([access for access, _ in wanted])
            except (OSError, ConfigurationError) as error:
                self._fail(error)
                for _, stored in wanted:
                    stored.set_exception(AuditUnavailable("this read cannot be recorded, so it is not answered"))
            else:
                for _, stored in wanted:
                    stored.set_result(None)

    def _others(self) -> Iterator[tuple[Access, "Future[None]"]]:
        """Whoever waits too; the end, if it is among them, comes again."""
        while not self._waiting.empty():
            one = self._waiting.get()
            if one is None:
                self._waiting.put(None)
                return
            yield one

    def _write(self, accesses: Sequence[Access]) -> None:
        day = accesses[-1].at.date().isoformat()
        # A clock that is put back must not put a line before an older one.
        if self._file is None or day > self._file.day:
            self._open(day)
        if self._file is not None:
            self._file.append(accesses)
        if not self._healthy:
            self._healthy = True
            self._incidents.end(_INCIDENT)

    def _open(self, day: str) -> None:
        self._forget()
        if self._lock is None:
            self._lock = _lock(self._folder)
        found = files(self._folder)
        self._file = _File(self._folder, max([day, *(file.stem for file in found)]), _head(found[-2:]))
        # The log goes elsewhere: what it says of the head cannot be changed together with the file.
        log.event("audit_head", day=self._file.day, sha256=self._file.head)

    def _fail(self, error: OSError | ConfigurationError) -> None:
        self._healthy = False
        self._forget()
        self._incidents.note(_INCIDENT, detail=getattr(error, "strerror", "") or type(error).__name__)

    def _forget(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class _File:
    """The file of a day, open at its end."""

    def __init__(self, folder: Path, day: str, head: str) -> None:
        self.day, self.head = day, head
        path = _path(folder, day)
        is_new = not path.exists()
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        if is_new:
            _sync(folder)
        elif _is_torn(path):
            os.write(self._descriptor, b"\n")

    def append(self, accesses: Sequence[Access]) -> None:
        text = bytearray()
        for access in accesses:
            line = json.dumps({**asdict(access), "previous": self.head})
            self.head = sha256(line).hexdigest()
            text += line + b"\n"
        if os.write(self._descriptor, text) != len(text):
            raise OSError(0, "the line was written in part")
        os.fdatasync(self._descriptor)

    def close(self) -> None:
        os.close(self._descriptor)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the files say: `broken` names each place where a line does not follow from the line before."""

    files: int
    lines: int
    torn: int
    broken: tuple[str, ...]
    head: str


def verify(folder: Path) -> Verdict:
    """Check the chain of all days. The first line that is there is trusted: days before it may have been put away.

    Args:
        folder: of the audit files.

    Returns:
        The counts; `head` is the hash of the last line, to be compared with what the log says of it.

    Raises:
        OSError: a file cannot be read.
    """
    lines, torn, broken, head = 0, 0, list[str](), ""
    found = files(folder)
    for file in found:
        with file.open("rb") as opened:
            for number, line in enumerate(opened, start=1):
                whole = line.removesuffix(b"\n")
                previous = _previous(whole)
                torn += previous is None
                if head and previous not in {None, head}:
                    broken.append(f"{file.name}:{number}")
                head = _follow(head, whole) if whole else head
                lines += 1
    return Verdict(len(found), lines, torn, tuple(broken), head)


def files(folder: Path) -> list[Path]:
    """The files, the oldest first."""
    return sorted(folder.glob("????-??-??.jsonl"))


def _previous(line: bytes) -> str | None:
    """The hash that a line holds; None where it is what is left of one."""
    try:
        found = json.loads(line)
        return str(found["previous"])
    except (ValueError, KeyError, TypeError):
        return None


def _follow(head: str, line: bytes) -> str:
    """The hash after a line; what is left of one holds no hash, so the one before goes in with it."""
    return sha256(line if _previous(line) else head.encode() + line).hexdigest()


def _head(last: Sequence[Path]) -> str:
    """The hash after the last line of these files."""
    head = BEGINNING
    for file in last:
        with file.open("rb") as opened:
            opened.seek(max(0, opened.seek(0, os.SEEK_END) - _LONGEST))
            for line in opened.read().split(b"\n"):
                head = _follow(head, line) if line else head
    return head


def _is_torn(file: Path) -> bool:
    with file.open("rb") as opened:
        size = opened.seek(0, os.SEEK_END)
        opened.seek(max(0, size - 1))
        return opened.read() not in {b"", b"\n"}


def _path(folder: Path, day: str) -> Path:
    return folder / f"{day}.jsonl"


def _sync(folder: Path) -> None:
    """A new file's name is on disk when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _lock(folder: Path) -> int | None:
    """Keep other processes out; None where the folder cannot be used now."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise ConfigurationError(f"another process writes the access audit in {folder}") from None
    return descriptor
