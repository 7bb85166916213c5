"""Numbers, dates and quantities of a search: a prefix and a value that means a range (R4 §3.1.1.4.5)."""

import re
from collections.abc import Mapping
from datetime import tzinfo
from fractions import Fraction

from adapter.fhir import ucum
from adapter.fhir.quantities import CURRENCY, unit_key, wanted
from adapter.fhir.search_parameter import Parameter
from adapter.fhir.search_values import date_range, number_range
from adapter.request_errors import BadParameter
from adapter.store.database import marks
from adapter.store.reach import Compiled
from adapter.store.search_texts import plain_text, refuse, split

_PREFIX = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.*)", re.DOTALL)

# Prefix → SQL, and which ends of the searched range it takes (0 first, 1 last), by R4 §3.1.1.4.5. `ge` and `le`
# take every range that reaches into the searched one, as HAPI and Blaze do: an admission that lasts is found.
_RANGES: Mapping[str, tuple[str, tuple[int, ...]]] = {
    "eq": ("{low} >= ? AND {high} <= ?", (0, 1)),
    "ne": ("{low} < ? OR {high} > ?", (0, 1)),
    "gt": ("{high} > ?", (1,)),
    "lt": ("{low} < ?", (0,)),
    "ge": ("{high} >= ?", (0,)),
    "le": ("{low} <= ?", (1,)),
    "sa": ("{low} > ?", (1,)),
    "eb": ("{high} < ?", (0,)),
    "ap": ("{low} <= ? AND {high} >= ?", (1, 0)),
}
# Between which values a number lies, by prefix: only these take the last digit for how exact it is (§3.1.1.4.6).
_WIDTHS = {"eq": "implicit", "ne": "implicit", "ap": "approximate"}


def number(parameter: Parameter, modifier: str, text: str, _zone: tzinfo, _base: str) -> Compiled:
    """A number parameter.

    Raises:
        BadParameter: it is no number, or has a modifier.
    """
    refuse(parameter, modifier, ("",))
    prefix, written = _prefixed(text)
    found = number_range(written, exact=prefix not in ("eq", "ne"))
    if found and prefix == "ap":
        found = found[0] - abs(found[0]) // 10, found[1] + abs(found[1]) // 10
    if found is None:
        raise BadParameter(f"{parameter.code} is a number such as 7, -10 or ge0")
    return _compared(prefix, found, "low", "high")


def date(parameter: Parameter, modifier: str, text: str, zone: tzinfo, _base: str) -> Compiled:
    """A date parameter; what says no offset is of `zone`.

    Raises:
        BadParameter: it is no date, or has a modifier.
    """
    refuse(parameter, modifier, ("",))
    low, high = ("last_updated",) * 2 if parameter.code == "_lastUpdated" else ("low", "high")
    return dated(parameter, text, zone, low, high)


def dated(parameter: Parameter, text: str, zone: tzinfo, low: str, high: str) -> Compiled:
    """A date with its prefix, compared with two columns.

    Raises:
        BadParameter: it is no date.
    """
    prefix, written = _prefixed(text)
    # '+' of an offset arrives as a blank where the client forgot to encode it.
    found = date_range(written.replace(" ", "+"), zone)
    if prefix == "ap" or found is None:
        raise BadParameter(f"{parameter.code} is a date such as 2019-06, ge2019-06-27 or lt2019-06-27T06:20:00Z")
    return _compared(prefix, found, low, high)


def quantity(parameter: Parameter, modifier: str, text: str, _zone: tzinfo, _base: str) -> Compiled:
    """A quantity parameter (R4 §3.1.1.4.11).

    Raises:
        BadParameter: it is no quantity, or has a modifier.
    """
    refuse(parameter, modifier, ("",))
    where, values = of_quantity(parameter, text)
    return f"c.code = '' AND ({where})", values


def of_quantity(parameter: Parameter, text: str) -> Compiled:
    """A quantity with its prefix: `5.4`, `5.4|system|code`, or `5.4||code` for a unit of whatever system.

    Raises:
        BadParameter: it is none of these.
    """
    amount, *unit = (plain_text(part) for part in split(text, "|"))
    prefix, written = _prefixed(amount)
    width = _WIDTHS.get(prefix, "exact")
    if len(unit) == 1 or len(unit) > 2 or (unit and not unit[1]) or wanted(written, Fraction(1), width) is None:
        raise BadParameter(f"{parameter.code} is a quantity: 5.4, gt5.4|{ucum.SYSTEM}|g/L or le5.4||g/L")
    if not unit:
        found = wanted(written, Fraction(1), width)
        return _compared(prefix, found or (0, 0), "least", "greatest")
    systems = (unit[0],) if unit[0] else (ucum.SYSTEM, "", CURRENCY)
    compiled = [_in_unit(prefix, written, width, system, unit[1]) for system in systems]
    units = [values[0] for _, values in compiled]
    any_of = " OR ".join(f"({where})" for where, _ in compiled)
    # The units alone are said first: they are what the index is asked.
    return f"c.unit IN ({marks(units)}) AND ({any_of})", (*units, *(one for _, values in compiled for one in values))


def _in_unit(prefix: str, written: str, width: str, system: str, code: str) -> Compiled:
    unit, factor = unit_key(system, code)
    found = wanted(written, factor, width)
    if found is None:
        raise BadParameter("the number of a quantity is too great")
    where, values = _compared(prefix, found, "low", "high")
    return f"c.unit = ? AND ({where})", (unit, *values)


def _compared(prefix: str, found: tuple[float, float], low: str, high: str) -> Compiled:
    where, picked = _RANGES[prefix]
    return where.format(low=f"c.{low}", high=f"c.{high}"), tuple(found[index] for index in picked)


def _prefixed(text: str) -> tuple[str, str]:
    match = _PREFIX.fullmatch(text)
    return (match[1] or "eq", match[2]) if match else ("eq", "")
