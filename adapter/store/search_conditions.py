"""One search parameter of a query, as a condition on one table (R4 §3.1.1)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any

from adapter.fhir.search_parameter import OF_THE_RESOURCE, Parameter
from adapter.fhir.search_values import plain, split_reference
from adapter.request_errors import BadParameter
from adapter.store.database import marks
from adapter.store.reach import Compiled, Reach, View
from adapter.store.search_composites import LAST_CHARACTER, composite
from adapter.store.search_ranges import date, number, quantity
from adapter.store.search_texts import plain_text, refuse, split

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
    where = f"{_of(parameter)} AND c.{_LEADING[parameter.rows]} IN ({marks(said)}) AND {any_of}"
    return replace(
        found,
        where=where,
        values=(*parameter.numbers, *said, *values),
        negated=modifier == "not",
        ordered=len(texts) == len(parameter.numbers) == 1,
    )


def _of_the_index(parameter: Parameter, where: str, values: tuple[Any, ...], view: View) -> Condition:
    return Condition(
        view.table(f"index_{parameter.rows}"), f"{_of(parameter)} AND {where}", (*parameter.numbers, *values)
    )


def _of(parameter: Parameter) -> str:
    numbers = parameter.numbers
    return "c.param = ?" if len(numbers) == 1 else f"c.param IN ({marks(numbers)})"


def _missing(parameter: Parameter, value: str, view: View) -> Condition:
    if value not in ("true", "false") or parameter.code in OF_THE_RESOURCE:
        raise BadParameter(f"{parameter.code}:missing is true or false, and of an element that may be missing")
    found = _of_the_index(parameter, "TRUE", (), view)
    if parameter.target:
        found = _of_the_index(parameter, "c.target_type = ?", (parameter.target,), view)
    return replace(found, negated=value == "true", seeks=parameter.rows not in _LEADING)


def _token(parameter: Parameter, modifier: str, text: str, _zone: tzinfo, _base: str) -> Compiled:
    refuse(parameter, modifier, ("", "not"))
    parts = [plain_text(part) for part in split(text, "|")]
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
    kind, target = split_reference(plain_text(text).removeprefix(base + "/"))
    wanted = modifier or parameter.target
    if not kind and not _ID.fullmatch(target):
        return "c.target_id = ? AND c.target_type = ''", (target,)
    if kind and wanted and kind != wanted:
        raise BadParameter(f"{parameter.code} points to a {wanted}, not to a {kind}")
    kinds = (kind,) if kind else (wanted,) if wanted else parameter.targets
    return f"c.target_id = ? AND c.target_type IN ({marks(kinds)})", (target, *kinds)


def _uri(parameter: Parameter, modifier: str, text: str, _zone: tzinfo, _base: str) -> Compiled:
    refuse(parameter, modifier, ("",))
    return "c.code = ?", (plain_text(text),)


def _string(parameter: Parameter, modifier: str, text: str, _zone: tzinfo, _base: str) -> Compiled:
    refuse(parameter, modifier, ("", "exact", "contains"))
    text = plain_text(text)
    if modifier == "exact":
        return "c.value_normalised = ? AND c.value = ?", (plain(text), text)
    wanted = plain(text)
    if not wanted:
        raise BadParameter(f"{parameter.code} has an empty value")
    if modifier == "contains":
        escaped = re.sub(r"([!%_])", r"!\1", wanted)
        return "c.value_normalised LIKE ? ESCAPE '!'", (f"%{escaped}%",)
    return "c.value_normalised >= ? AND c.value_normalised < ?", (wanted, wanted + LAST_CHARACTER)


_COMPILERS: Mapping[str, Callable[[Parameter, str, str, tzinfo, str], Compiled]] = {
    "token": _token,
    "reference": _reference,
    "date": date,
    "uri": _uri,
    "number": number,
    "quantity": quantity,
    "composite": composite,
    "string": _string,
}
