"""The acknowledgement of a message (HL7 v2.5.1 §2.9.2, chapter 2.15.8 MSA and 2.15.5 ERR)."""

import re
from collections.abc import Sequence
from datetime import datetime

from adapter.errors import Location, Refusal
from adapter.hl7v2.message import escape
from adapter.hl7v2.parse import Header

CONDITIONS = {
    "0": "Message accepted",
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "104": "Value too long",
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


def acknowledge(  # noqa: PLR0913 - the parts of an acknowledgement, all named by the caller
    header: Header,
    *,
    code: str,
    control_id: str,
    now: datetime,
    error: Refusal | None = None,
    warnings: Sequence[Refusal] = (),
    text: str = "",
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
        sender: our application and facility; by default as the message addressed us.

    Returns:
        The message without framing; what the sender wrote (MSH-10, its names) comes back byte for byte.
    """
    lines = [_msh(header, control_id, now, sender), _msa(header, code, text or (error.text if error else ""))]
    detailed = _numbers(header) >= (2, 5)
    if detailed:
        faults = ([(error, "E")] if error else []) + [(warning, "W") for warning in warnings]
        lines += [_err(header, fault, severity) for fault, severity in faults]
    elif error:
        lines.append(_err_before_25(header, error))
    return b"".join(line + b"\r" for line in lines)


def _msh(header: Header, control_id: str, now: datetime, sender: tuple[str, str]) -> bytes:
    d = header.delimiters
    characters = d.component + d.repetition + d.escape + d.subcomponent + (d.truncation or "")
    numbers = _numbers(header)
    type_ = "ACK"
    if numbers >= (2, 4):
        event = _echo(header.event.encode("ascii", "ignore")).decode()
        type_ = d.component.join(["ACK", escape(event, d), "ACK"]) if event else d.component.join(["ACK", "", "ACK"])
    return _join(
        header,
        "MSH" + d.field + characters,
        _text(header, sender[0]) or _echo(header.raw(5)),
        _text(header, sender[1]) or _echo(header.raw(6)),
        _echo(header.raw(3)),
        _echo(header.raw(4)),
        _text(header, now.strftime("%Y%m%d%H%M%S%z")),  # its sign may be a delimiter
        "",
        type_,
        _text(header, control_id),
        _echo(header.raw(11)) or b"P",
        _echo(header.raw(12)) or _text(header, DEFAULT_VERSION),
        *("",) * 5,
        _echo(header.raw(18)),
    )


def _msa(header: Header, code: str, text: str) -> bytes:
    return _join(header, "MSA", code, _echo(header.control_id), _text(header, text[:LONGEST_TEXT]))


def _err(header: Header, fault: Refusal, severity: str) -> bytes:
    d = header.delimiters
    condition = d.component.join([fault.condition, CONDITIONS[fault.condition], "HL70357"])
    ours = d.component.join([escape(fault.code, d), escape(_situation(fault), d), "L"])
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


def _err_before_25(header: Header, fault: Refusal) -> bytes:
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


def _situation(fault: Refusal) -> str:
    """The name of the leaf as words: `MissingField` is "Missing field"."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", type(fault).__name__).capitalize()


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
    found = re.match(r"\d{1,4}(?:\.\d{1,4})*", header.version or DEFAULT_VERSION)
    return tuple(int(number) for number in found[0].split(".")) if found else (2, 5, 1)
