"""FHIR's JSON: decimals keep their digits (R4 §2.24.0.1: precision is significant, 0.70 is not 0.7)."""

import json
from decimal import Decimal
from typing import Any

import orjson

_SMALLEST = -30


def dumps(value: Any) -> bytes:
    """Write JSON in UTF-8; a Decimal exactly as it is.

    Raises:
        TypeError: a value that JSON has no form for, NaN and Infinity among them.
    """
    return orjson.dumps(value, default=_decimal)


def pretty(value: Any) -> bytes:
    """Write JSON as people read it, with a line end."""
    return orjson.dumps(value, default=_decimal, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def canonical(value: Any) -> bytes:
    """Write JSON with the keys in order, so that equal values are equal bytes."""
    return orjson.dumps(value, default=_decimal, option=orjson.OPT_SORT_KEYS)


def loads(text: bytes | str) -> Any:
    """Read JSON; every number with a fraction or an exponent becomes a Decimal.

    Raises:
        ValueError: this is no JSON.
    """
    return _DECODER.decode(text if isinstance(text, str) else text.decode())


def computable(text: bytes) -> Any:
    """Read JSON, fractions as floats: ten times as fast, for computing with values and not for keeping them.

    Raises:
        ValueError: this is no JSON.
    """
    return orjson.loads(text)


def _decimal(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal) and value.is_finite():
        text = str(value)
        # str() turns to exponents below 0.000001; the same digits are written out, as people send them.
        return orjson.Fragment(f"{value:f}" if "E-" in text and value.adjusted() > _SMALLEST else text)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


# Made once: json.loads would make one for every call.
_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_constant)
