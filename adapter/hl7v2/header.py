"""MSH alone, as bytes: what is needed to answer a message, even one that cannot be read."""

from dataclasses import dataclass, field
from functools import lru_cache

from adapter.errors import BadDelimiters, HeaderTooShort, Location, NoHeader, NotEr7
from adapter.hl7v2.encoding import BYTE_ORDER_MARK, GB18030, codec, refuse_wide
from adapter.hl7v2.message import LONGEST_SPLIT_KEPT, Delimiters, split_field

_UTF8_MARK = BYTE_ORDER_MARK.encode()


@dataclass(frozen=True, slots=True)
class Header:
    """MSH as bytes, enough to answer a message that cannot be read. `fields[n]` is MSH-n, as it was sent."""

    delimiters: Delimiters
    fields: tuple[bytes, ...] = field(repr=False)
    encoding: str = "utf-8"

    def raw(self, n: int) -> bytes:
        """MSH-n byte for byte; empty beyond the end."""
        return self.fields[n] if n < len(self.fields) else b""

    def text(self, n: int, component: int = 1) -> str:
        """One component of MSH-n, first repetition, unescaped."""
        if n >= len(self.fields) or not (raw := self.fields[n]):
            return ""
        split = _components if len(raw) <= LONGEST_SPLIT_KEPT else _components.__wrapped__
        found = split(raw, self.encoding, self.delimiters)
        return found[component - 1] if component <= len(found) else ""

    @property
    def control_id(self) -> bytes:
        """MSH-10, to be echoed byte for byte (B13)."""
        return self.raw(10)

    @property
    def sending_application(self) -> str:
        """MSH-3.1."""
        return self.text(3)

    @property
    def sending_facility(self) -> str:
        """MSH-4.1."""
        return self.text(4)

    @property
    def sent_at(self) -> str:
        """MSH-7.1, as it was written."""
        return self.text(7)

    @property
    def type(self) -> str:
        """MSH-9.1."""
        return self.text(9)

    @property
    def event(self) -> str:
        """MSH-9.2."""
        return self.text(9, 2)

    @property
    def structure_sent(self) -> str:
        """MSH-9.3."""
        return self.text(9, 3)

    @property
    def processing_id(self) -> str:
        """MSH-11.1."""
        return self.text(11)

    @property
    def version(self) -> str:
        """MSH-12.1."""
        return self.text(12)

    @property
    def sequence_number(self) -> str:
        """MSH-13."""
        return self.text(13)

    @property
    def accept_ack(self) -> str:
        """MSH-15, table 0155: when a commit acknowledgement is wanted."""
        return self.text(15)

    @property
    def application_ack(self) -> str:
        """MSH-16, table 0155: when an application acknowledgement is wanted."""
        return self.text(16)

    @property
    def charset(self) -> str:
        """MSH-18.1, first repetition."""
        return self.text(18)


@lru_cache(maxsize=4096)
def _components(raw: bytes, encoding: str, delimiters: Delimiters) -> tuple[str, ...]:
    """The first repetition of a field; a sender writes much the same into MSH every time."""
    value = split_field(raw.decode(encoding, "replace"), delimiters)
    return tuple([component[0] for component in value[0]]) if value else ()


NO_HEADER = Header(Delimiters("|", "^", "~", "\\", "&", None), (b"MSH", b"|", b"^~\\&"))
"""Stands in for the header of a message that has none, so that it can be answered (B1)."""


def header(raw: bytes) -> Header:
    """Read MSH alone, without decoding the message.

    Raises:
        NoHeader: the bytes do not begin with MSH (B1).
        NotEr7: they are XML (B47).
        HeaderTooShort: MSH ends before its encoding characters (B2).
        BadDelimiters: MSH-1 or MSH-2 cannot be delimiters (B5).
    """
    raw = raw.removeprefix(_UTF8_MARK)
    if not raw.startswith(b"MSH"):
        _refuse_start(raw)
    line = raw[: _line_end(raw)]
    separator = line[3:4]
    delimiters = _delimiters(separator.decode("latin-1"), line[4:].split(separator or b"|", 1)[0].decode("latin-1"))
    encoding = _header_encoding(line)
    if encoding == GB18030:
        values = [value.encode(GB18030) for value in line[4:].decode(GB18030).split(delimiters.field)]
    else:
        values = line[4:].split(separator)
    return Header(delimiters, (b"MSH", separator, *values), encoding)


def _line_end(raw: bytes) -> int:
    end = raw.find(b"\r")
    line_feed = raw.find(b"\n", 0, end if end >= 0 else len(raw))
    return min((place for place in (end, line_feed) if place >= 0), default=len(raw))


def _header_encoding(line: bytes) -> str:
    """The characters of MSH alone: UTF-8 where that fits, else what MSH-18 says, else GB 18030 where that fits."""
    if line.isascii() or _is(line, "utf-8"):
        return "utf-8"
    values = line.split(line[3:4])
    declared = codec(values[17].decode("ascii", "replace")) if len(values) > 17 else None
    if declared not in {None, "utf-8", GB18030}:
        return declared or "latin-1"
    return GB18030 if _is(line, GB18030) else "latin-1"


def _is(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _refuse_start(raw: bytes) -> None:
    refuse_wide(raw)
    if raw.lstrip()[:1] == b"<":
        raise NotEr7("the payload is XML; this channel takes ER7")
    raise NoHeader("the payload does not begin with MSH")


@lru_cache(maxsize=64)
def _delimiters(separator: str, characters: str) -> Delimiters:
    if len(characters) < 4:
        raise HeaderTooShort(f"MSH-2 has {len(characters)} characters, 4 are required")
    every = separator + characters
    for number, sign in enumerate(every):
        if not "!" <= sign <= "~" or sign.isalnum():
            at = Location("MSH", field=2 if number else 1)
            raise BadDelimiters(f"delimiter {number + 1} is a letter, digit, blank or control", at=at)
    if len(characters) > 5 or len(set(every)) < len(every):
        raise BadDelimiters("MSH-1 and MSH-2 repeat a character, or MSH-2 has more than 5")
    component, repetition, escape, subcomponent = characters[:4]
    return Delimiters(separator, component, repetition, escape, subcomponent, characters[4:] or None)
