"""Composite parameters: a code together with the value beside it (R4 §3.1.1.4.12)."""

import re
from collections.abc import Callable, Mapping
from datetime import tzinfo

from adapter.fhir.search_pairs import DATE, before, joined
from adapter.fhir.search_parameter import Parameter
from adapter.fhir.search_values import plain
from adapter.request_errors import BadParameter
from adapter.store.reach import Compiled
from adapter.store.search_ranges import dated, of_quantity
from adapter.store.search_texts import plain_text, refuse, split

LAST_CHARACTER = "\U0010ffff"

_Token = tuple[str | None, str]
"""A system, None where any will do, and a code."""


def composite(parameter: Parameter, modifier: str, text: str, zone: tzinfo, _base: str) -> Compiled:
    """A composite parameter: `code$value`.

    Raises:
        BadParameter: it has not two parts, one of them is not understood, or there is a modifier.
    """
    refuse(parameter, modifier, ("",))
    parts = split(text, "$")
    if len(parts) != 2 or not all(parts):
        raise BadParameter(f"{parameter.code} is a code and a value with $ between them")
    return _COMPILERS[parameter.components[1].type](parameter, _token(parameter, parts[0]), parts[1], zone)


def _token(parameter: Parameter, text: str) -> _Token:
    match [plain_text(part) for part in split(text, "|")]:
        case [code] if code:
            return None, code
        case [system, code] if code:
            return system, code
        case _:
            raise BadParameter(f"a part of {parameter.code} is code, system|code or |code")


def _with_token(parameter: Parameter, first: _Token, text: str, _zone: tzinfo) -> Compiled:
    second = _token(parameter, text)
    where, values = "c.code = ?", [joined(first[1], second[1])]
    if first[0] is not None and second[0] is not None:
        return f"{where} AND c.system = ?", (*values, joined(first[0], second[0]))
    if first[0] is not None:
        where, values = f"{where} AND c.system LIKE ? ESCAPE '!'", [*values, _like(before(first[0])) + "%"]
    if second[0] is not None:
        where, values = f"{where} AND c.system LIKE ? ESCAPE '!'", [*values, "%" + _like(joined("", second[0]))]
    return where, tuple(values)


def _with_string(_parameter: Parameter, first: _Token, text: str, _zone: tzinfo) -> Compiled:
    begins = before(first[1]) + plain(plain_text(text))
    where, values = "c.value_normalised >= ? AND c.value_normalised < ?", (begins, begins + LAST_CHARACTER)
    return (where, values) if first[0] is None else (f"{where} AND c.value = ?", (*values, first[0]))


def _with_quantity(parameter: Parameter, first: _Token, text: str, _zone: tzinfo) -> Compiled:
    return _coded(first, of_quantity(parameter, text))


def _with_date(parameter: Parameter, first: _Token, text: str, zone: tzinfo) -> Compiled:
    where, values = dated(parameter, text, zone, "low", "high")
    return _coded(first, (f"c.unit = '{DATE}' AND ({where})", tuple(float(value) for value in values)))


def _coded(first: _Token, compiled: Compiled) -> Compiled:
    where, values = compiled
    if first[0] is None:
        return f"c.code = ? AND ({where})", (first[1], *values)
    return f"c.code = ? AND c.system = ? AND ({where})", (first[1], first[0], *values)


def _like(text: str) -> str:
    return re.sub(r"([!%_])", r"!\1", text)


_COMPILERS: Mapping[str, Callable[[Parameter, _Token, str, tzinfo], Compiled]] = {
    "token": _with_token,
    "string": _with_string,
    "quantity": _with_quantity,
    "date": _with_date,
}
