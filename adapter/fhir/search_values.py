"""The values that search compares: dates and numbers as ranges, text without case, references split.

The index and the query use the same functions, so that a resource is found by its own value.
"""

import re
import unicodedata
from calendar import monthrange
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache

# Open ends of a Period; FHIR years have four digits.
EARLIEST, LATEST = -(2**62), 2**62

_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9})\d*)?)?(Z|[+-]\d\d:\d\d)?)?)?)?", re.ASCII
)
_NUMBER = re.compile(r"[+-]?\d{1,18}(?:\.(\d{1,6})\d{0,12})?", re.ASCII)
_MILLIONTH = 6
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_REFERENCE = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/[A-Za-z0-9\-.]{1,64})?")


@lru_cache(maxsize=65_536)
def date_range(text: str, zone: tzinfo) -> tuple[int, int] | None:
    """First and last microsecond since 1970 (UTC) that a FHIR date, dateTime or instant may mean.

    Args:
        text: with the precision it has: `2019`, `2019-06`, `2019-06-27`, `2019-06-27T06:20:00+08:00`;
            a query may leave out the seconds and the offset (R4 §3.1.1.4.7).
        zone: for what says no offset.

    Returns:
        None when it is not a date.
    """
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    try:
        clock = int(hour or 0), int(minute or 0), int(second or 0), int((fraction or "")[:6].ljust(6, "0"))
        place = zone if offset is None else datetime.fromisoformat(f"2000-01-01T00:00:00{offset}").tzinfo
        start = datetime(int(year), int(month or 1), int(day or 1), *clock, tzinfo=place)
        # Wall-clock arithmetic: a day of summer time's beginning or end is not 24 hours long.
        return _microseconds(start), _microseconds(start + _width(start, match) - _MICROSECOND)
    except (ValueError, OverflowError):
        return None


def _width(start: datetime, match: re.Match[str]) -> timedelta:
    _, month, day, hour, _, second, fraction, _ = match.groups()
    if fraction:
        return _MICROSECOND * 10 ** max(0, 6 - len(fraction))
    if hour:
        return timedelta(seconds=1) if second else timedelta(minutes=1)
    if day:
        return timedelta(days=1)
    return timedelta(days=monthrange(start.year, start.month)[1] if month else 366 - (not _is_leap(start.year)))


def _is_leap(year: int) -> bool:
    return monthrange(year, 2)[1] == 29


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def number_range(text: str, *, exact: bool = False) -> tuple[int, int] | None:
    """The least and the greatest millionth that a number may mean: 7 means 6.5 to 7.5 (R4 §3.1.1.4.6).

    Args:
        text: as it is written; the last digit says how exact it is.
        exact: the number itself, whatever its last digit.

    Returns:
        None when it is not a number, or too large for the index.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    value = int(Decimal(text).scaleb(_MILLIONTH))
    if abs(value) >= LATEST:
        return None
    half = 0 if exact else 10 ** max(0, _MILLIONTH - len(match[1] or "")) // 2
    return value - half, value + max(0, half - 1)


def plain(text: str) -> str:
    """Text as string search compares it: no case, no accents, single blanks (R4 §3.1.1.4.8)."""
    decomposed = unicodedata.normalize("NFKD", text)
    bare = "".join(character for character in decomposed if not unicodedata.combining(character))
    return " ".join(bare.casefold().split())


@lru_cache(maxsize=65_536)
def split_reference(text: str) -> tuple[str, str]:
    """A reference as (type, id); a URL or URN as ("", text), since it may belong to another server."""
    match = _REFERENCE.fullmatch(text)
    return (match[1], match[2]) if match else ("", text)
