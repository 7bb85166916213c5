"""The acknowledgement of a message (HL7 v2.5.1 §2.9.2, chapter 2.15.8 MSA and 2.15.5 ERR)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from adapter.errors import Location, Refusal
from adapter.hl7v2.message import LONGEST_SPLIT_KEPT, escape
from adapter.hl7v2.parse import Header
from adapter.judged_errors import told

CONDITIONS = {
    "0": "Message accepted",
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "104": "Value too long",
    "199": "Other HL7 error",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "204": "Unknown key identifier",
    "205": "Duplicate key identifier",
    "206": "Application record locked",
    "207": "Application internal error",
}
"""HL7 table 0357."""

LONGEST_TEXT = 80
DEFAULT_VERSION = "2.5.1"
_CONTROLS = bytes(range(0x20))
_OF_ONE_MESSAGE = frozenset({7, 10, 13})
"""The fields of MSH that differ from message to message: time, control id, sequence number."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a message, where it is known from its row only; `situation` is the leaf in words."""

    code: str
    situation: str
    text: str
    mender: str
    condition: str = "207"
    at: Location | None = None
    ack: str = "AE"
    condition_since_29: str = ""

    @classmethod
    def held(cls, code: str, cause: str, mender: str) -> "Fault":
        """Of a message that is held: what its row says."""
        condition, at = told(code, cause)
        return cls(code, "Held", cause, mender, condition, at)

    @classmethod
    def of(cls, refusal: "Refusal | Fault") -> "Fault":
        """The same of a leaf of the error tree: `MissingField` is "Missing field"."""
        if isinstance(refusal, Fault):
            return refusal
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", type(refusal).__name__).capitalize()
        return cls(
            refusal.code,
            words,
            refusal.text,
            refusal.mender,
            refusal.condition,
            refusal.at,
            refusal.ack,
            refusal.condition_since_29,
        )


def acknowledge(  # noqa: PLR0913 - the parts of an acknowledgement, all named by the caller
    header: Header,
    *,
    code: str,
    control_id: str,
    now: datetime,
    error: Refusal | Fault | None = None,
    warnings: Sequence[Refusal | Fault] = (),
    text: str = "",
    expected: int | None = None,
    unanswered: bool = False,
    sender: tuple[str, str] = ("", ""),
) -> bytes:
    """Write the acknowledgement, in the version, characters and delimiters of the message.

    Args:
        header: of the message (NO_HEADER where it has none).
        code: MSA-1: AA, AE, AR, CA, CE, CR.
        control_id: MSH-10 of the acknowledgement.
        now: when it is made, with its offset.
        error: why the message is refused; it says code, place and text, never a value of the message.
        warnings: faults that do not refuse it (ERR-4 `W`; versions before 2.5 cannot say this and leave them out).
        text: MSA-3; by default that of the error.
        expected: MSA-4, the sequence number that should come next (§2.10.1).
        unanswered: ask for no acknowledgement of this one: MSH-15 and MSH-16 are `NE` (§2.9.3.2).
        sender: our application and facility; by default as the message addressed us.

    Returns:
        The message without framing; what the sender wrote (MSH-10, its names) comes back byte for byte.
    """
    fault = Fault.of(error) if error else None
    lines = [
        _msh(header, control_id, now, sender, unanswered=unanswered),
        _msa(header, code, text or (fault.text if fault else ""), expected),
    ]
    detailed = _numbers(header) >= (2, 5)
    if detailed:
        lines += [_err(header, fault, "E")] if fault else []
        lines += [_err(header, Fault.of(warning), "W") for warning in warnings]
    elif fault:
        lines.append(_err_before_25(header, fault))
    return b"".join(line + b"\r" for line in lines)


def acknowledged(raw: bytes, header: Header) -> str:
    """MSA-2 of an acknowledgement that came to us; empty where it says none."""
    separator = header.raw(1)
    lines = re.split(rb"[\r\n]+", raw)
    line = next((line for line in lines if line.startswith(b"MSA" + separator)), b"")
    fields = line.split(separator)
    return fields[2].decode(header.encoding, "replace") if len(fields) > 2 else ""


def _msh(header: Header, control_id: str, now: datetime, sender: tuple[str, str], *, unanswered: bool) -> bytes:
    fields = [b"" if number in _OF_ONE_MESSAGE else field for number, field in enumerate(header.fields)]
    lasting = Header(header.delimiters, tuple(fields), header.encoding)
    parts = _parts_of_msh if sum(map(len, fields)) <= LONGEST_SPLIT_KEPT else _parts_of_msh.__wrapped__
    before, between, after = parts(lasting, sender, unanswered)
    time = _text(header, _stamp(now))  # its sign may be a delimiter
    return b"".join((before, time, between, _text(header, control_id), after))


def _stamp(now: datetime) -> str:
    """`20180101083000+0800`; `strftime` would cost a third of the whole answer."""
    text = now.isoformat(timespec="seconds")
    return text[:10].replace("-", "") + text[11:].replace(":", "")


@lru_cache(maxsize=256)
def _parts_of_msh(header: Header, sender: tuple[str, str], unanswered: bool) -> tuple[bytes, bytes, bytes]:  # noqa: FBT001
    """MSH before MSH-7, between MSH-7 and MSH-10, and after it: the same for all messages of one kind and sender."""
    d = header.delimiters
    characters = d.component + d.repetition + d.escape + d.subcomponent + (d.truncation or "")
    numbers = _numbers(header)
    type_ = "ACK"
    if numbers >= (2, 4):
        event = _echo(header.event.encode("ascii", "ignore")).decode()
        type_ = d.component.join(["ACK", escape(event, d), "ACK"]) if event else d.component.join(["ACK", "", "ACK"])
    separator = d.field.encode("ascii")
    before = (
        ("MSH" + d.field + characters).encode("ascii"),
        _text(header, sender[0]) or _echo(header.raw(5)),
        _text(header, sender[1]) or _echo(header.raw(6)),
        _echo(header.raw(3)),
        _echo(header.raw(4)),
        b"",
    )
    between = separator.join((b"", b"", type_.encode(header.encoding, "replace"), b""))
    after = _join(
        header,
        "",
        _echo(header.raw(11)) or b"P",
        _echo(header.raw(12)) or _text(header, DEFAULT_VERSION),
        *("", ""),
        *(("NE", "NE") if unanswered else ("", "")),
        "",
        _echo(header.raw(18)),
    )
    return separator.join(before), between, after


def _msa(header: Header, code: str, text: str, expected: int | None) -> bytes:
    number = "" if expected is None else str(expected)
    return _join(header, "MSA", code, _echo(header.control_id), _text(header, text[:LONGEST_TEXT]), number)


def _err(header: Header, fault: Fault, severity: str) -> bytes:
    d = header.delimiters
    number = (_numbers(header) >= (2, 9) and fault.condition_since_29) or fault.condition
    condition = d.component.join([number, CONDITIONS[number], "HL70357"])
    ours = d.component.join([escape(fault.code, d), escape(fault.situation, d), "L"])
    return _join(
        header,
        "ERR",
        "",
        d.component.join(_place(fault.at)),
        condition,
        severity,
        ours,
        "",
        _text(header, fault.text),
        _text(header, f"to be mended by: {fault.mender}"),
    )


def _err_before_25(header: Header, fault: Fault) -> bytes:
    """ERR-1 of type CM: segment, sequence, field, code (a CE whose components became subcomponents)."""
    d = header.delimiters
    code = d.subcomponent.join([fault.condition, CONDITIONS[fault.condition], "HL70357"])
    place = [*_place(fault.at)[:3], "", "", ""][:3]
    return _join(header, "ERR", d.component.join([*place, code]))


def _place(at: Location | None) -> list[str]:
    """ERL: segment, its occurrence, field, repetition, component, as far as they are known."""
    if at is None:
        return []
    place = [at.segment, str(at.occurrence)]
    if at.field:
        place.append(str(at.field))
        place += ["1", str(at.component)] if at.component else []
    return place


def _join(header: Header, *fields: str | bytes) -> bytes:
    separator = header.delimiters.field.encode("ascii")
    values = [field if isinstance(field, bytes) else field.encode(header.encoding, "replace") for field in fields]
    return separator.join(values).rstrip(separator)


def _text(header: Header, text: str) -> bytes:
    return escape(text, header.delimiters).encode(header.encoding, "replace")


def _echo(field: bytes) -> bytes:
    """What the sender wrote; without controls, which could end our frame (B13)."""
    return field.translate(None, _CONTROLS)


def _numbers(header: Header) -> tuple[int, ...]:
    return _parts_of(header.version or DEFAULT_VERSION)


@lru_cache(maxsize=64)
def _parts_of(version: str) -> tuple[int, ...]:
    found = re.match(r"\d{1,4}(?:\.\d{1,4})*", version)
    return tuple([int(number) for number in found[0].split(".")]) if found else (2, 5, 1)
