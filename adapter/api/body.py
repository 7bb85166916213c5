"""The body of a request: counted while it comes, unpacked a little at a time, in a file as soon as it is large."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import TracebackType
from typing import Self

from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from adapter.request_errors import BadBody, TooLong, TooSlow, UnsupportedMedia

IN_MEMORY = 256 * 1024
HEAD = 64 * 1024
_STEP = 64 * 1024
_STALLS = 10
"""A body may take as many times the longest pause; whoever sends a byte a second is cut then."""

_GZIP = 16 + zlib.MAX_WBITS
_PLAIN, _PACKED = frozenset({"", "identity"}), frozenset({"gzip", "x-gzip"})


class Body:
    """The bytes of one body, without their packing."""

    def __init__(self, *, maximum: int, packed: bool, folder: Path | None = None) -> None:
        """Take at most `maximum` bytes, large ones to a file in `folder`; `packed`: they come as gzip."""
        self._maximum = maximum
        self._unpack = zlib.decompressobj(_GZIP) if packed else None
        self._packed, self._begun = packed, False
        self._digest = sha256()
        self.head = bytearray()
        self.length = 0
        self.file = SpooledTemporaryFile[bytes](IN_MEMORY, dir=str(folder) if folder else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.file.close()

    @property
    def slow(self) -> bool:
        """Whether `take` may keep the caller waiting: it unpacks, or writes to a disk."""
        return self._packed or self.length > IN_MEMORY - _STEP

    @property
    def sha256(self) -> str:
        """The hash of all that was taken."""
        return self._digest.hexdigest()

    def take(self, piece: bytes) -> None:
        """Take the next bytes as they came.

        Raises:
            TooLong: there are more than may be.
            BadBody: they are no gzip.
        """
        if not self._packed:
            self._keep(piece)
            return
        try:
            self._take_packed(piece)
        except zlib.error:
            raise BadBody("the body is no gzip") from None

    def end(self) -> None:
        """Nothing more comes.

        Raises:
            BadBody: the gzip stream is not at its end.
        """
        if self._packed and (self._unpack is None or not self._begun or not self._unpack.eof):
            raise BadBody("the gzip body is cut off")

    def read(self) -> bytes:
        """All of it."""
        self.file.seek(0)
        return self.file.read()

    def _take_packed(self, piece: bytes) -> None:
        while piece and self._unpack:
            if self._unpack.eof:
                self._unpack = zlib.decompressobj(_GZIP)  # RFC 1952 §2.2: members may follow one another
            self._begun = True
            self._keep(self._unpack.decompress(piece, _STEP))
            piece = self._unpack.unused_data if self._unpack.eof else self._unpack.unconsumed_tail

    def _keep(self, data: bytes) -> None:
        self.length += len(data)
        if self.length > self._maximum:
            raise TooLong(f"a message has at most {self._maximum} bytes")
        self._digest.update(data)
        self.head += data[: HEAD - len(self.head)]
        self.file.write(data)


async def collect(request: Request, body: Body, *, stall_seconds: float) -> None:
    """Read a body to its end.

    Raises:
        TooLong: it is longer than the body takes, as told beforehand or as it comes.
        TooSlow: nothing comes for `stall_seconds`, or it takes ten times as long.
        BadBody: it is not the gzip that its header says.
        ClientDisconnect: the client went away.
    """
    due = asyncio.get_running_loop().time() + _STALLS * stall_seconds
    pieces = request.stream()
    while (piece := await _next(pieces, stall_seconds, due)) is not None:
        if body.slow:
            await run_in_threadpool(body.take, piece)
        else:
            body.take(piece)
    body.end()


def packed(request: Request) -> bool:
    """Whether the body comes as gzip.

    Raises:
        UnsupportedMedia: it comes in another coding.
    """
    coding = request.headers.get("content-encoding", "").strip().lower()
    if coding not in _PLAIN | _PACKED:
        raise UnsupportedMedia("a body comes as it is, or with Content-Encoding: gzip")
    return coding in _PACKED


async def _next(pieces: AsyncIterator[bytes], stall_seconds: float, due: float) -> bytes | None:
    try:
        async with asyncio.timeout_at(min(due, asyncio.get_running_loop().time() + stall_seconds)):
            return await anext(pieces, None)
    except TimeoutError:
        raise TooSlow("the body does not come to its end") from None
