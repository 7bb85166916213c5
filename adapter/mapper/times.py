"""HL7 v2 times (DT, TM, TS, DTM) as FHIR writes them. None means: this is no date; nothing is ever filled in.

Precision is kept; a time without offset gets the one that its zone had then (China had summer time 1986-1991),
never a guessed `Z`. HL7 v2.9 chapter 2A, DTM; FHIR R4 date, dateTime, instant, time.
"""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import NamedTuple

LONGEST_OFFSET = 14 * 60


class _Parts(NamedTuple):
    digits: str
    fraction: str
    offset: str


def fhir_date(text: str) -> str | None:
    """`20180509000000` → `2018-05-09`; `202601` → `2026-01`; `20260230` → None."""
    parts = _parts(text)
    if parts is None or _moment(parts.digits, UTC) is None:
        return None
    return _date(parts.digits)


def fhir_datetime(text: str, zone: tzinfo) -> str | None:
    """`201712240915` in Asia/Shanghai → `2017-12-24T09:15:00+08:00`; `2018` → `2018`.

    A time of hours alone has no form in FHIR: its date is given (see `whole_hours`).
    """
    parts = _parts(text)
    moment = _moment(parts.digits, zone) if parts else None
    if parts is None or moment is None:
        return None
    digits, fraction, offset = parts
    if len(digits) < 12:
        return _date(digits)
    clock = f"{digits[8:10]}:{digits[10:12]}:{digits[12:14] or '00'}"
    return f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}T{clock}{fraction}{offset or _offset(moment)}"


def fhir_instant(text: str, zone: tzinfo) -> str | None:
    """As `fhir_datetime`, but None where the time of day is missing."""
    made = fhir_datetime(text, zone)
    return made if made and "T" in made else None


def fhir_time(text: str) -> str | None:
    """`0915` → `09:15:00`; `2500` → None. An offset has no place in FHIR time and is left out."""
    parts = _parts("20000101" + text)
    if parts is None or len(parts.digits) < 12 or _moment(parts.digits, UTC) is None:
        return None
    digits = parts.digits
    return f"{digits[8:10]}:{digits[10:12]}:{digits[12:14] or '00'}{parts.fraction}"


def whole_hours(text: str) -> bool:
    """Whether the time has hours and no minutes, which FHIR cannot say."""
    parts = _parts(text)
    return parts is not None and len(parts.digits) == 10


def order_key(text: str, zone: tzinfo) -> str:
    """The instant in UTC as text of one length, so that keys sort as times do; empty for what is no date."""
    parts = _parts(text)
    moment = _moment(parts.digits, zone) if parts else None
    if parts is None or moment is None:
        return ""
    shift = _shift(parts.offset) if parts.offset else moment.utcoffset() or timedelta()
    try:
        moment = moment.replace(tzinfo=UTC) - shift
    except OverflowError:
        return ""
    return f"{moment.replace(tzinfo=None).isoformat(timespec='seconds')}.{parts.fraction[1:]:0<6.6}Z"


def _parts(text: str) -> _Parts | None:
    if text.isascii() and text.isdigit():
        return _Parts(text, "", "") if len(text) in {4, 6, 8, 10, 12, 14} else None
    head, sign, tail = text.partition("-" if "-" in text else "+")
    offset = f"{sign}{tail[:2]}:{tail[2:]}" if sign else ""
    if sign and not (len(tail) == 4 and _digits(tail) and _offset_fits(tail)):
        return None
    digits, dot, fraction = head.partition(".")
    if len(digits) not in {4, 6, 8, 10, 12, 14} or not _digits(digits):
        return None
    if dot and not (len(digits) == 14 and 1 <= len(fraction) <= 9 and _digits(fraction)):
        return None
    return _Parts(digits, dot + fraction, offset)


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _offset_fits(digits: str) -> bool:
    return int(digits[2:]) < 60 and int(digits[:2]) * 60 + int(digits[2:]) <= LONGEST_OFFSET


def _shift(offset: str) -> timedelta:
    shift = timedelta(hours=int(offset[1:3]), minutes=int(offset[4:]))
    return shift if offset[0] == "+" else -shift


def _moment(digits: str, zone: tzinfo) -> datetime | None:
    """The earliest moment that the digits can mean; None where the calendar has no such time."""
    try:
        return datetime(
            int(digits[:4]),
            int(digits[4:6] or 1),
            int(digits[6:8] or 1),
            int(digits[8:10] or 0),
            int(digits[10:12] or 0),
            int(digits[12:14] or 0),
            tzinfo=zone,
        )
    except ValueError:
        return None


def _date(digits: str) -> str:
    return "-".join(part for part in (digits[:4], digits[4:6], digits[6:8]) if part)


def _offset(moment: datetime) -> str:
    minutes = round((moment.utcoffset() or timedelta()).total_seconds() / 60)
    sign, minutes = ("-", -minutes) if minutes < 0 else ("+", minutes)
    return f"{sign}{minutes // 60:02}:{minutes % 60:02}"
