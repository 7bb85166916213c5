"""A large message without its documents: long base64 in OBX-5 is cut out, hashed and checked in one pass.

What is cut is decided here alone, and only where nothing else can be meant: component 5 of an OBX-5 that OBX-2 calls
ED and ED-4 calls Base64, in a message with the usual delimiters. In its place stands a mark that begins and ends with
a control character. A sender cannot write one: his own control character is made another, and refused as it is (C13).
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha1, sha256
from typing import NamedTuple, Protocol

from adapter.hl7v2.base64 import Base64

LONG = 65_536
"""Base64 of this many bytes is a document that is kept beside its resource, not in it."""

MARK = "\x1a"

_BLOCK = LONG // 2
_LONGEST_HEAD = 1_000_000
_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_RUN = _BASE64 + b"\\.\n"  # with the line breaks that senders put between: \.br\, \X0D\, LF
_MARKED = re.compile(f"{MARK}L([0-9]+)N([0-9]+)S([0-9a-f]{{64}})H([0-9a-f]{{40}})V([01]){MARK}")
_SENDERS_MARK, _INSTEAD = MARK.encode(), b"\x19"


class Bytes(Protocol):
    """What `bytes` and `mmap` have in common."""

    def __len__(self) -> int:
        """How many bytes."""
        ...

    def __getitem__(self, part: slice, /) -> bytes:
        """A copy of some."""
        ...

    def find(self, part: bytes, start: int = ..., end: int = ..., /) -> int:
        """Where a part first stands, or -1."""
        ...

    def rfind(self, part: bytes, start: int = ..., end: int = ..., /) -> int:
        """Where a part last stands, or -1."""
        ...


@dataclass(frozen=True, slots=True)
class Document:
    """What is known of a document without having it: bytes, hashes of them (hex), whether its base64 is whole."""

    size: int
    sha256: str
    sha1: str
    valid: bool


@dataclass(frozen=True, slots=True)
class Cut:
    """One cut: `at` is its mark's place in the slim bytes; `start` and `length` are those of the base64 as received."""

    at: int
    start: int
    length: int
    document: Document

    @property
    def mark(self) -> str:
        """What stands in its place."""
        known = self.document
        return f"{MARK}L{self.length}N{known.size}S{known.sha256}H{known.sha1}V{known.valid:d}{MARK}"


class Slim(NamedTuple):
    """A message to be read: its bytes with marks for documents, and what was cut, in order."""

    raw: bytes
    documents: tuple[Cut, ...] = ()

    def original(self, offset: int) -> int:
        """Where in the bytes as received something of `raw` stands; inside a mark: where its document begins."""
        number = bisect_right(self.documents, offset, key=lambda cut: cut.at) - 1
        if number < 0:
            return offset
        cut = self.documents[number]
        behind = offset - cut.at - len(cut.mark)
        return cut.start + cut.length + behind if behind >= 0 else cut.start


def slim(data: Bytes) -> Slim:
    """Cut the long documents out of a message.

    Args:
        data: the message as received, without framing; a memory-mapped file is read in pieces.

    Returns:
        The message with marks; the bytes unchanged where there is nothing to cut.
    """
    cuts: list[Cut] = []
    parts: list[bytes] = []
    done = at = 0
    for start, end in _document_runs(data) if _usual(data) else ():
        cut = Cut(at + start - done, start, end - start, _measured(data, start, end))
        parts += [data[done:start].replace(_SENDERS_MARK, _INSTEAD), cut.mark.encode()]
        cuts.append(cut)
        at, done = cut.at + len(cut.mark), end
    parts.append(data[done : len(data)].replace(_SENDERS_MARK, _INSTEAD))
    return Slim(b"".join(parts), tuple(cuts))


def stored(raw: bytes) -> Slim:
    """What `slim` gave, from its bytes alone: only it writes marks."""
    cuts: list[Cut] = []
    shift = 0
    for found in _MARKED.finditer(raw.decode("latin-1")):
        length = int(found[1])
        cuts.append(Cut(found.start(), found.start() + shift, length, _document(found)))
        shift += length - len(found[0])
    return Slim(raw, tuple(cuts))


def marked(text: str) -> Document | None:
    """The document that a component stands for; None where the component is no mark, and nothing but a mark."""
    found = _MARKED.fullmatch(text)
    return _document(found) if found else None


def content(parts: Iterable[bytes], cut: Cut) -> Iterator[bytes]:
    """The bytes of a document, piece by piece.

    Args:
        parts: the message as received, in order, in pieces of any size.
        cut: which of its documents.
    """
    reader, offset, end = Base64(), 0, cut.start + cut.length
    for part in parts:
        piece = part[max(0, cut.start - offset) : max(0, end - offset)]
        offset += len(part)
        if piece and (found := reader.read(piece)):
            yield found
        if offset >= end:
            return


def _document(found: re.Match[str]) -> Document:
    return Document(int(found[2]), found[3], found[4], found[5] == "1")


def _usual(data: Bytes) -> bool:
    """Whether it has the usual delimiters, none of which occurs in base64, and a document at all."""
    return data[:11].removeprefix(b"\xef\xbb\xbf").startswith(b"MSH|^~\\&") and data.find(b"|ED") >= 0


def _document_runs(data: Bytes) -> Iterator[tuple[int, int]]:
    """The long runs of base64 that stand where a document does."""
    ends = (b"\r",) if data.find(b"\r") >= 0 else (b"\n",)
    head: bytes | None = b""
    seen = 0
    for start, end in _runs(data):
        begins = max(data.rfind(sign, seen, start) for sign in ends)
        known, since = (b"", begins + 1) if begins >= 0 else (head, seen)
        fits = known is not None and len(known) + start - since <= _LONGEST_HEAD
        head = known + data[since:start] if known is not None and fits else None
        seen = end
        if head is not None and _before_document(head):
            yield start, end


def _runs(data: Bytes) -> Iterator[tuple[int, int]]:
    """Where at least `LONG` signs in a row are base64 or its line breaks: such a run covers a whole block."""
    at = floor = 0
    while at + _BLOCK <= len(data):
        if data[at : at + _BLOCK].translate(None, _RUN):
            at += _BLOCK
            continue
        before = data[max(floor, at - _BLOCK) : at]
        start = at - len(before) + len(before.rstrip(_RUN))
        floor = at = _run_end(data, at + _BLOCK)
        if at - start >= LONG:
            yield start, at


def _run_end(data: Bytes, at: int) -> int:
    while block := data[at : at + _BLOCK]:
        if block.translate(None, _RUN):
            return at + len(block) - len(block.lstrip(_RUN))
        at += len(block)
    return at


def _before_document(head: bytes) -> bool:
    """Whether a segment that begins so is in component 5 of an ED in OBX-5 that is base64, or does not say."""
    fields = _text(head).split("|")
    if len(fields) != 6 or fields[0].strip() != "OBX" or fields[2].partition("^")[0].strip() != "ED":
        return False
    components = fields[5].rpartition("~")[2].split("^")
    return len(components) == 5 and components[3].strip().upper() in {"", "BASE64"}


def _text(head: bytes) -> str:
    """The beginning of a segment in characters: in GB 18030 a byte `|` may be half of one (C10)."""
    try:
        return head.decode()
    except UnicodeDecodeError:
        return head.decode("gb18030", "replace")


def _measured(data: Bytes, start: int, end: int) -> Document:
    reader, size, digests = Base64(), 0, (sha256(), sha1(usedforsecurity=False))
    for at in range(start, end, LONG):
        piece = reader.read(data[at : min(at + LONG, end)])
        size += len(piece)
        for digest in digests:
            digest.update(piece)
    return Document(size, digests[0].hexdigest(), digests[1].hexdigest(), reader.whole)
