"""One search parameter of a query, as a condition on one table (R4 §3.1.1)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any

from adapter.fhir.search_params import OF_THE_RESOURCE, Parameter
from adapter.fhir.search_values import date_range, number_range, plain, split_reference
from adapter.request_errors import BadParameter
from adapter.store.database import marks
from adapter.store.reach import Compiled, Reach, View

_PREFIX = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)?(.*)", re.DOTALL)
_LAST_CHARACTER = "\U0010ffff"
_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
# The column of an index that comes before the resource's key; one value of it leads to one resource's row.
_LEADING = {"token": "code", "reference": "target_id"}


@dataclass(frozen=True, slots=True)
class Condition:
    """What the rows of `table` must fulfil; its columns are written with the alias `c`.

    `ordered` says that the rows found stand in the index in the order of the resources' keys; `seeks` that an index
    leads from a resource to its rows that fulfil this; `of_resource` that the table is that of the resources; `nested`
    that other tables stand in it too.
    """

    table: str
    where: str
    values: tuple[Any, ...]
    negated: bool = False
    ordered: bool = False
    seeks: bool = True
    of_resource: bool = False
    nested: bool = False

    @property
    def everything(self) -> bool:
        """Whether it asks for nothing but that a resource is there."""
        return self.of_resource and not self.values

    def among(self, resource_type: str) -> Compiled:
        """The condition alone, for resources of a type; index rows are of one type anyway."""
        if not self.of_resource:
            return self.where, self.values
        return f"c.resource_type = ? AND {self.where}", (resource_type, *self.values)

    def test(self, key: str) -> Compiled:
        """SQL, and its values, that says of the resource whose key `key` is whether it fulfils this."""
        if self.seeks:
            sql = f"EXISTS (SELECT 1 FROM {self.table} c WHERE c.key = {key} AND {self.where})"
        else:
            sql = f"{key} IN (SELECT c.key FROM {self.table} c WHERE {self.where})"
        return f"NOT {sql}" if self.negated else sql, self.values


def condition(reach: Reach, parameter: Parameter, name: str, value: str, *, base: str) -> Condition:
    """Compile one `name=value` of a query.

    Args:
        reach: what the caller reaches.
        parameter: what `name` means.
        name: with its modifier, as it was sent: `code:not`.
        value: one value, or several with commas, of which one is enough.
        base: our own address, so that our own absolute references are known.

    Raises:
        BadParameter: the modifier is not supported or a value is not understood.
    """
    view, zone, modifier = reach.view, reach.index.zone, name.partition(":")[2]
    if modifier == "missing":
        return _missing(parameter, value, view)
    texts = split(value, ",")
    if not all(texts):
        raise BadParameter(f"{parameter.code} has an empty value")
    compiled = [_COMPILERS[parameter.type](parameter, modifier, text, zone, base) for text in texts]
    any_of = "(" + " OR ".join(f"({where})" for where, _ in compiled) + ")"
    values = tuple(value for _, found in compiled for value in found)
    if parameter.code in OF_THE_RESOURCE:
        return Condition(
            view.table("resource"), f"{any_of} AND NOT c.deleted", values, negated=modifier == "not", of_resource=True
        )
    found = _of_the_index(parameter, any_of, values, view)
    leading = f"c.{_LEADING[parameter.rows]} = ?" if parameter.rows in _LEADING else ""
    if not leading:
        return replace(found, negated=modifier == "not")
    if not all(where.startswith(leading) for where, _ in compiled):
        return replace(found, negated=modifier == "not", seeks=False)
    # Each alternative begins with its value of the leading column: said once for all, it is what the index is asked.
    said = tuple(found[0] for _, found in compiled)
    where = f"c.param = ? AND c.{_LEADING[parameter.rows]} IN ({marks(said)}) AND {any_of}"
    return replace(
        found,
        where=where,
        values=(parameter.number, *said, *values),
        negated=modifier == "not",
        ordered=len(texts) == 1,
    )


def _of_the_index(parameter: Parameter, where: str, values: tuple[Any, ...], view: View) -> Condition:
    return Condition(view.table(f"index_{parameter.rows}"), f"c.param = ? AND {where}", (parameter.number, *values))


def split(text: str, separator: str) -> list[str]:
    """Split at a separator that no backslash escapes, keeping the escapes (R4 §3.1.1.4.1)."""
    parts, rest = [""], iter(text)
    for character in rest:
        if character == "\\":
            parts[-1] += character + next(rest, "")
        elif character == separator:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _plain_text(text: str) -> str:
    return re.sub(r"\\([\\,|$])", r"\1", text)


def _missing(parameter: Parameter, value: str, view: View) -> Condition:
    if value not in ("true", "false") or parameter.code in OF_THE_RESOURCE:
        raise BadParameter(f"{parameter.code}:missing is true or false, and of an element that may be missing")
    found = _of_the_index(parameter, "TRUE", (), view)
    if parameter.target:
        found = _of_the_index(parameter, "c.target_type = ?", (parameter.target,), view)
    return replace(found, negated=value == "true", seeks=parameter.rows not in _LEADING)


def _token(parameter: Parameter, modifier: str, text: str, _zone: tzinfo, _base: str) -> Compiled:
    _refuse(parameter, modifier, ("", "not"))
    parts = [_plain_text(part) for part in split(text, "|")]
    if parameter.code == "_id":
        if len(parts) != 1 or not _ID.fullmatch(parts[0]):
            raise BadParameter("_id is an id of 1 to 64 letters, digits, '-' or '.'")
        return "c.id = ?", (parts[0],)
    match parts:
        case [code]:
            return "c.code = ?", (code,)
        case [system, ""] if system:
            return "c.system = ?", (system,)
        case [system, code] if code:
            return "c.code = ? AND c.system = ?", (code, system)
        case _:
            raise BadParameter(f"{parameter.code} is code, system|code, |code or system|")


def _reference(parameter: Parameter, modifier: str, text: str, _zone: tzinfo, base: str) -> Compiled:
    if modifier and modifier not in parameter.targets:
        raise BadParameter(
            f"{parameter.code}:{modifier} is not supported; it points to {' or '.join(parameter.targets)}"
        )
    kind, target = split_reference(_plain_text(text).removeprefix(base + "/"))
    wanted = modifier or parameter.target
    if not kind and not _ID.fullmatch(target):
        return "c.target_id = ? AND c.target_type = ''", (target,)
    if kind and wanted and kind != wanted:
        raise BadParameter(f"{parameter.code} points to a {wanted}, not to a {kind}")
    kinds = (kind,) if kind else (wanted,) if wanted else parameter.targets
    return f"c.target_id = ? AND c.target_type IN ({marks(kinds)})", (target, *kinds)


def _uri(parameter: Parameter, modifier: str, text: str, _zone: tzinfo, _base: str) -> Compiled:
    _refuse(parameter, modifier, ("",))
    return "c.code = ?", (_plain_text(text),)


def _number(parameter: Parameter, modifier: str, text: str, _zone: tzinfo, _base: str) -> Compiled:
    _refuse(parameter, modifier, ("",))
    prefix, written = _prefixed(text)
    found = number_range(written)
    if prefix == "ap" or found is None:
        raise BadParameter(f"{parameter.code} is a number such as 7, -10 or ge0")
    where, picked = _RANGES[prefix]
    return where.format(low="c.low", high="c.high"), tuple(found[index] for index in picked)


def _prefixed(text: str) -> tuple[str, str]:
    match = _PREFIX.fullmatch(text)
    return (match[1] or "eq", match[2]) if match else ("eq", "")


def _date(parameter: Parameter, modifier: str, text: str, zone: tzinfo, _base: str) -> Compiled:
    _refuse(parameter, modifier, ("",))
    prefix, written = _prefixed(text)
    # '+' of an offset arrives as a blank where the client forgot to encode it.
    found = date_range(written.replace(" ", "+"), zone)
    if prefix == "ap" or found is None:
        raise BadParameter(f"{parameter.code} is a date such as 2019-06, ge2019-06-27 or lt2019-06-27T06:20:00Z")
    low, high = ("c.last_updated",) * 2 if parameter.code == "_lastUpdated" else ("c.low", "c.high")
    where, picked = _RANGES[prefix]
    return where.format(low=low, high=high), tuple(found[index] for index in picked)


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
}


def _string(parameter: Parameter, modifier: str, text: str, _zone: tzinfo, _base: str) -> Compiled:
    _refuse(parameter, modifier, ("", "exact", "contains"))
    text = _plain_text(text)
    if modifier == "exact":
        return "c.value_normalised = ? AND c.value = ?", (plain(text), text)
    wanted = plain(text)
    if not wanted:
        raise BadParameter(f"{parameter.code} has an empty value")
    if modifier == "contains":
        escaped = re.sub(r"([!%_])", r"!\1", wanted)
        return "c.value_normalised LIKE ? ESCAPE '!'", (f"%{escaped}%",)
    return "c.value_normalised >= ? AND c.value_normalised < ?", (wanted, wanted + _LAST_CHARACTER)


def _refuse(parameter: Parameter, modifier: str, known: tuple[str, ...]) -> None:
    if modifier not in known:
        names = ", ".join(f":{name}" for name in (*known, "missing") if name)
        raise BadParameter(f"{parameter.code}:{modifier} is not supported; {parameter.type} parameters take {names}")


_COMPILERS: Mapping[str, Callable[[Parameter, str, str, tzinfo, str], Compiled]] = {
    "token": _token,
    "reference": _reference,
    "date": _date,
    "uri": _uri,
    "number": _number,
    "string": _string,
}
