r"""Which characters the bytes are: decided from MSH-18 and the site, decoded strictly, before anything is split.

In GB 18030 the second byte of a character may be `|`, `^`, `~` or `\`: bytes are never split (catalogue C10).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from adapter.errors import ControlCharacter, Location, UndecodableBytes, UnknownCharset, WideCharset

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
# Signs below U+0800 that Chinese laboratory messages do contain.
_COMMON_SIGNS = frozenset("°±²³µ·×÷‰αβγδκλμΔ")


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text, the Python codec that gave it, and why this one."""

    text: str
    encoding: str
    reason: str


def decode(raw: bytes, *, declared: str, default: str | None) -> Decoded:
    """Decode a whole message strictly.

    Args:
        raw: the bytes as received.
        declared: MSH-18, first repetition.
        default: what the site sends when MSH-18 is empty; without it UTF-8 is tried, then GB 18030.

    Raises:
        WideCharset: UTF-16 or UTF-32 (C9).
        UnknownCharset: a name in no table (C6).
        UndecodableBytes: names the byte and the field (C1, C3, C12).
    """
    encoding, reason = _choose(declared, default)
    if raw.isascii():
        return Decoded(raw.decode("ascii"), encoding or "utf-8", reason)
    if raw.startswith(BYTE_ORDER_MARK.encode()):
        encoding, reason = "utf-8", "byte order mark"  # in any other character set the bytes do not begin with MSH
    if encoding is None:
        return _try_both(raw)
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        raise _undecodable(raw, error, reason) from error
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


def _try_both(raw: bytes) -> Decoded:
    try:
        return Decoded(raw.decode("utf-8"), "utf-8", "MSH-18 empty, valid UTF-8")
    except UnicodeDecodeError:
        reason = "MSH-18 empty, not UTF-8, valid GB 18030"
    try:
        return Decoded(raw.decode(GB18030), GB18030, reason)
    except UnicodeDecodeError as error:
        raise _undecodable(raw, error, "MSH-18 is empty") from error


def _is_utf8_text(raw: bytes) -> bool:
    """Whether bytes above 0x7F read as UTF-8 give what people write, not letters that chance put there."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return all(sign.isascii() or sign >= "\u0800" or sign in _COMMON_SIGNS for sign in text)


def _undecodable(raw: bytes, error: UnicodeDecodeError, reason: str) -> UndecodableBytes:
    before = raw[: error.start].decode(error.encoding, "replace")
    shown = raw[error.start : error.start + 2].hex(" ")
    text = f"byte {error.start}: {shown} is not {error.encoding.upper()} ({reason})"
    return UndecodableBytes(text, at=locate(before, len(before)))


def check_controls(text: str, raw: bytes) -> None:
    """Refuse control characters other than TAB, CR and LF (A12, A13, C13).

    Args:
        text: the decoded message.
        raw: the same as bytes; in every supported character set the controls are single bytes.

    Raises:
        ControlCharacter: names the character and the field.
    """
    if len(raw.translate(None, _CONTROLS)) == len(raw):
        return
    offset = next(number for number, sign in enumerate(text) if sign < " " and sign not in "\t\n\r")
    raise ControlCharacter(f"control character {ord(text[offset]):02X} (hex)", at=locate(text, offset))


def locate(text: str, offset: int) -> Location:
    """The segment and field in which a character stands, in a message that need not be whole."""
    lines = text[:offset].removeprefix(BYTE_ORDER_MARK).split("\r" if "\r" in text else "\n")
    lines = [line.lstrip("\n") for line in lines]
    name = lines[-1][:3]
    if not (len(name) == 3 and name.isascii() and name.isalnum()):
        return Location("MSH")
    field = lines[-1].count(lines[0][3:4] or "|") + (name == "MSH")
    return Location(name, sum(line.startswith(name) for line in lines), field)
