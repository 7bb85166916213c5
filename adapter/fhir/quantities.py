"""Quantities as search compares them: a range in base units, and the same range as it was written.

Ranges are floats: values span forty powers of ten (10*9/L in m-3), more than a scaled integer of 64 bits holds. They
are made of exact fractions, so that equal values are equal floats whatever unit they were written in.
"""

import math
import re
import sys
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from adapter.fhir import ucum

LEAST, GREATEST = -sys.float_info.max, sys.float_info.max

CURRENCY = "urn:iso:std:iso:4217"

Range = tuple[float, float]
"""The least and the greatest value that is meant, both included."""

Measured = tuple[str, float, float, float, float]
"""Unit, range in base units, range as written."""

_NUMBER = re.compile(r"[+-]?\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,2})?", re.ASCII)
_OPEN_BELOW, _OPEN_ABOVE = ("<", "<="), (">", ">=")


@lru_cache(maxsize=1_000)
def unit_key(system: str, code: str) -> tuple[str, Fraction]:
    """The unit that the index holds, and how many of it one `code` is.

    What is no UCUM, or has no factor there, stays as it is, with its system in front.
    """
    found = ucum.unit(code) if system == ucum.SYSTEM else None
    return (found.text, found.factor) if found else (f"{system}|{code}", Fraction(1))


@lru_cache(maxsize=65_536)
def measured(value: str, comparator: str, system: str, unit: str) -> Measured | None:
    """A Quantity's value as the index holds it.

    Args:
        value: the number's text.
        comparator: `<`, `<=`, `>=`, `>`, or nothing. What is below 5 may be anything below 5.
        system: of the unit.
        unit: its code, or its text where it has no code.

    Returns:
        None when it is no number that a float holds.
    """
    key, factor = unit_key(system, unit)
    number = _fraction(value)
    based, written = _float(number, factor), _float(number, Fraction(1))
    if based is None or written is None:
        return None
    return key, *_opened(based, comparator), *_opened(written, comparator)


def wanted(text: str, factor: Fraction, width: str) -> Range | None:
    """The range that a number of a query means, in units of which one of the query's is `factor`.

    Args:
        text: the number.
        factor: of the unit.
        width: `implicit`: 5.4 means 5.35 to 5.45 (R4 §3.1.1.4.6); `exact`: the number itself, which is what the
            prefixes gt, lt, ge, le, sa and eb compare with; `approximate`: a tenth to either side.

    Returns:
        None when it is no number that a float holds.
    """
    number = _fraction(text)
    if number is None:
        return None
    half = abs(number) / 10 if width == "approximate" else Fraction(0)
    if width == "implicit":
        half = Fraction(Decimal(1).scaleb(int(Decimal(text).as_tuple().exponent))) / 2
    low, high = _float(number - half, factor), _float(number + half, factor)
    if low is None or high is None:
        return None
    return (low, math.nextafter(high, LEAST)) if width == "implicit" else (low, high)


def _fraction(text: str) -> Fraction | None:
    return Fraction(text) if _NUMBER.fullmatch(text) else None


def _float(number: Fraction | None, factor: Fraction) -> float | None:
    if number is None:
        return None
    try:
        return float(number * factor)
    except OverflowError:
        return None


def _opened(value: float, comparator: str) -> Range:
    """A value with a comparator as the range that it may be in."""
    if comparator in _OPEN_BELOW:
        return LEAST, value if comparator == "<=" else math.nextafter(value, LEAST)
    if comparator in _OPEN_ABOVE:
        return value if comparator == ">=" else math.nextafter(value, GREATEST), GREATEST
    return value, value
