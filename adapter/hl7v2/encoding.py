r"""Which characters the bytes are: decided from MSH-18 and the site, decoded strictly, before anything is split.

In GB 18030 the second byte of a character may be `|`, `^`, `~` or `\`: bytes are never split (catalogue C10).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from adapter.errors import ControlCharacter, Location, UndecodableBytes, UnknownCharset, WideCharset
from adapter.hl7v2.slim import Cut, Slim

SUSPECT = "the bytes are valid UTF-8 too"
"""Ends the reason of a decision that a person should look at (catalogue C4)."""

GB18030 = "gb18030"
BYTE_ORDER_MARK = "\ufeff"

# HL7 table 0211, and what senders write instead (C5). GB 18030 contains GB 2312, GBK and code page 936.
_OFFICIAL: Mapping[str, str] = {
    "ASCII": "ascii",
    **{f"8859/{part}": f"iso8859-{part}" for part in (*range(1, 10), 15)},
    "GB 18030-2000": GB18030,
    "KS X 1001": "euc_kr",
    "BIG-5": "big5",
    "UNICODE": "utf-8",
    "UNICODE UTF-8": "utf-8",
}
_ALIASES: Mapping[str, str] = {
    "USASCII": "ascii",
    "UTF8": "utf-8",
    "65001": "utf-8",
    **dict.fromkeys(("GB18030", "GBK", "GB2312", "CP936", "936", "GB180302005", "GB180302022"), GB18030),
    **{f"{name}{part}": f"iso8859-{part}" for name in ("8859", "ISO8859", "ISOIR8859") for part in (*range(1, 10), 15)},
    "LATIN1": "iso8859-1",
    **dict.fromkeys(("CP1252", "WINDOWS1252", "1252"), "cp1252"),
    "BIG5": "big5",
    "EUCKR": "euc_kr",
}
_WIDE = ("UTF16", "UTF32", "UCS2", "UCS4")
_WIDE_STARTS = (b"\xff\xfe", b"\xfe\xff", b"M\0", b"\0M", b"\0\0")
_CONTROLS = bytes(code for code in range(0x20) if code not in b"\t\n\r")
_WITHOUT_CONTROLS = dict.fromkeys(_CONTROLS)
# Signs below U+0800 that Chinese laboratory messages do contain.
_COMMON_SIGNS = frozenset("°±²³µ·×÷‰αβγδκλμΔ")


class Habits(NamedTuple):
    """What the bytes of a site are known for: MSH-18 that is never right (C1), controls that mean nothing (C13)."""

    ignores_declared: bool = False
    strips_controls: bool = False


STRICT = Habits()


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text, the Python codec that gave it, and why this one."""

    text: str
    encoding: str
    reason: str


def decode(slim: Slim, *, declared: str, default: str | None) -> Decoded:
    """Decode a whole message strictly.

    Args:
        slim: the bytes as received, a large message without its documents.
        declared: MSH-18, first repetition.
        default: what the site sends when MSH-18 is empty; without it UTF-8 is tried, then GB 18030.

    Raises:
        WideCharset: UTF-16 or UTF-32 (C9).
        UnknownCharset: a name in no table (C6).
        UndecodableBytes: names the byte and the field (C1, C3, C12).
    """
    encoding, reason = _choose(declared, default)
    raw = slim.raw
    if raw.isascii():
        return Decoded(raw.decode("ascii"), encoding or "utf-8", reason)
    if raw.startswith(BYTE_ORDER_MARK.encode()):
        encoding, reason = "utf-8", "byte order mark"  # in any other character set the bytes do not begin with MSH
    if encoding is None:
        return _try_both(slim)
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise _undecodable(slim, error, reason) from error
    if encoding == GB18030 and _is_utf8_text(raw):
        reason = f"{reason}; {SUSPECT}"
    return Decoded(text, encoding, reason)


def refuse_wide(raw: bytes) -> None:
    """Refuse UTF-16 and UTF-32 by their byte order mark or their zeros.

    Raises:
        WideCharset: it is one of them (C9).
    """
    if raw.startswith(_WIDE_STARTS):
        raise WideCharset("the bytes are UTF-16 or UTF-32")


def codec(name: str) -> str | None:
    """The Python codec for a name of HL7 table 0211 or one of its usual spellings; None: unknown."""
    official = _OFFICIAL.get(name.strip())
    return official or _ALIASES.get(_plain(name)) or _OFFICIAL.get(name.strip().upper())


def _plain(name: str) -> str:
    return "".join(filter(str.isalnum, name.upper())).removeprefix("UNICODE")


def _choose(declared: str, default: str | None) -> tuple[str | None, str]:
    if not declared.strip():
        return default and (codec(default) or default), "site default" if default else "neither MSH-18 nor site default"
    if _plain(declared).startswith(_WIDE):
        raise WideCharset("MSH-18 names a character set of 16 or 32 bits")
    found = codec(declared)
    if found is None:
        raise UnknownCharset("MSH-18 is neither in table 0211 nor a usual spelling of it")
    return found, "MSH-18" if declared in _OFFICIAL else "MSH-18, not as in table 0211"


def _try_both(slim: Slim) -> Decoded:
    try:
        return Decoded(slim.raw.decode("utf-8"), "utf-8", "MSH-18 empty, valid UTF-8")
    except UnicodeDecodeError:
        reason = "MSH-18 empty, not UTF-8, valid GB 18030"
    try:
        return Decoded(slim.raw.decode(GB18030), GB18030, reason)
    except UnicodeDecodeError as error:
        raise _undecodable(slim, error, "MSH-18 is empty") from error


def _is_utf8_text(raw: bytes) -> bool:
    """Whether bytes above 0x7F read as UTF-8 give what people write, not letters that chance put there."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return all(sign.isascii() or sign >= "\u0800" or sign in _COMMON_SIGNS for sign in text)


def _undecodable(slim: Slim, error: UnicodeDecodeError, reason: str) -> UndecodableBytes:
    raw, start = slim.raw, error.start
    before = raw[:start].decode(error.encoding, "replace")
    shown = raw[start : start + 2].hex(" ")
    text = f"byte {slim.original(start)}: {shown} is not {error.encoding.upper()} ({reason})"
    return UndecodableBytes(text, at=locate(before, len(before)))


def has_controls(slim: Slim) -> bool:
    """Whether there are control characters other than TAB, CR and LF: single bytes in every character set here."""
    return len(slim.raw.translate(None, _CONTROLS)) != len(slim.raw) - 2 * len(slim.documents)


def refuse_controls(text: str, documents: Sequence[Cut]) -> None:
    """Refuse the first control character (A12, A13, C13).

    Raises:
        ControlCharacter: names the character and the field.
    """
    for cut in documents:
        text = text.replace(cut.mark, "0" * len(cut.mark), 1)
    offset = next(number for number, sign in enumerate(text) if sign < " " and sign not in "\t\n\r")
    raise ControlCharacter(f"control character {ord(text[offset]):02X} (hex)", at=locate(text, offset))


def without_controls(text: str, documents: Sequence[Cut] = ()) -> str:
    """The text without its control characters, where a site's are known to mean nothing (C13)."""
    parts: list[str] = []
    for cut in documents:
        before, mark, text = text.partition(cut.mark)
        parts += [before.translate(_WITHOUT_CONTROLS), mark]
    return "".join([*parts, text.translate(_WITHOUT_CONTROLS)])


def refuse_switching(text: str, charsets: str, scheme: str, delimiters: Sequence[str | None]) -> None:
    r"""Refuse a message that changes its character set on the way (ISO 2022, `\C..\` and `\M..\`; C7).

    Args:
        text: the message.
        charsets: MSH-18; a second repetition announces a change.
        scheme: MSH-20, which does too.
        delimiters: of the message.

    Raises:
        UndecodableBytes: names the field of the first change.
    """
    _, _, repetition, escape, *_ = delimiters
    if not (scheme or (repetition and repetition in charsets)):
        return
    mark = re.escape(escape or "")
    found = re.search(f"{mark}[CM](?:[0-9A-Fa-f]{{2}}){{2,3}}{mark}", text)
    if found:
        why = "the text changes its character set by an escape sequence, which is not read here"
        raise UndecodableBytes(why, at=locate(text, found.start()))


def locate(text: str, offset: int) -> Location:
    """The segment and field in which a character stands, in a message that need not be whole."""
    lines = text[:offset].removeprefix(BYTE_ORDER_MARK).split("\r" if "\r" in text else "\n")
    lines = [line.lstrip("\n") for line in lines]
    name = lines[-1][:3]
    if not (len(name) == 3 and name.isascii() and name.isalnum()):
        return Location("MSH")
    field = lines[-1].count(lines[0][3:4] or "|") + (name == "MSH")
    return Location(name, sum(line.startswith(name) for line in lines), field)


@dataclass(frozen=True, slots=True)
class Candidate:
    r"""How the bytes would read in one character set, for a person who must decide (C1, C3, C4).

    Args:
        encoding: the Python codec.
        reason: what speaks for it.
        at: the first field that cannot be read in it; None: every byte can.
        byte: the number of the first byte that cannot be read; -1: every one can.
        preview: the first segment that is not plain ASCII, as it reads; a byte that cannot be read stays `\xd5`.
    """

    encoding: str
    reason: str
    at: Location | None
    byte: int
    preview: str

    @property
    def fits(self) -> bool:
        """Whether every byte can be read."""
        return self.at is None


def candidates(raw: bytes, *, declared: str, default: str | None) -> tuple[Candidate, ...]:
    """The readings to choose from: as declared, as the site usually sends, UTF-8 and GB 18030, each once.

    Args:
        raw: the message as received.
        declared: MSH-18, first repetition.
        default: the site's character set.
    """
    known = {
        codec(declared) if declared else None: "MSH-18",
        codec(default) or default if default else None: "site default",
    }
    reasons = {"utf-8": "alternative", GB18030: "alternative"} | {name: why for name, why in known.items() if name}
    return tuple(
        _candidate(raw, name, why) for name, why in sorted(reasons.items(), key=lambda one: one[1] != "MSH-18")
    )


def _candidate(raw: bytes, encoding: str, reason: str) -> Candidate:
    preview = _telling_segment(raw).decode(encoding, "backslashreplace")
    try:
        raw.decode(encoding)
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode(encoding, "replace")
        return Candidate(encoding, reason, locate(before, len(before)), error.start, preview)
    return Candidate(encoding, reason, None, -1, preview)


def _telling_segment(raw: bytes) -> bytes:
    """The first segment with a byte above 0x7F; the first segment where there is none."""
    lines = raw.replace(b"\n", b"\r").split(b"\r")
    return next((line for line in lines if not line.removeprefix(b"\xef\xbb\xbf").isascii()), lines[0])


_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb]"
)


def visible(text: str) -> str:
    """A text with its invisible characters shown as `<U+202E>`: they turn or hide what a person reads (C14)."""
    return _INVISIBLE.sub(lambda sign: f"<U+{ord(sign[0]):04X}>", text)
