"""FHIR search on the index tables.

The rarest condition leads: its rows are found first, and each is tested against the other conditions by a look-up.
Pages go on after the last resource of the page before (keyset), so that no page costs more than the first.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from adapter.fhir.search_parameter import Parameter
from adapter.request_errors import BadParameter
from adapter.store.database import instant, marks, rows
from adapter.store.included import NAMES, Include, Included, collect, includes
from adapter.store.joins import Names
from adapter.store.reach import Compiled, Reach
from adapter.store.resources import Stored
from adapter.store.search_conditions import Condition
from adapter.store.visible import visible

# A condition with more rows than the first is not worth sorting for where a date could lead; with more than the second,
# nowhere.
_FEW, _MANY = 1000, 50_000


@dataclass(frozen=True, slots=True)
class Sort:
    """The order of the answer: by a date, then by key. `param` is the parameter's number, None for `_lastUpdated`."""

    param: int | None
    descending: bool


@dataclass(frozen=True, slots=True)
class Query:
    """A compiled search of what `reach` lets see.

    `applied` are the parameters that count, `ignored` the names of the others, `includes` what comes with
    what is found.
    """

    reach: Reach
    resource_type: str
    conditions: tuple[Condition, ...]
    sort: Sort | None
    applied: tuple[tuple[str, str], ...]
    ignored: tuple[str, ...]
    includes: tuple[Include, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """One page; `next_cursor` is None on the last, `total` is None where it was not asked for and is not free."""

    rows: list[Stored]
    total: int | None
    next_cursor: str | None
    included: Included


def compile_query(
    reach: Reach, resource_type: str, params: Sequence[tuple[str, str]], *, base: str, lenient: bool = False
) -> Query:
    """Compile the parameters of a search; `_sort` is one of them.

    Args:
        reach: what the caller reaches.
        resource_type: a served type.
        params: names and values in the order sent; all of them must hold.
        base: our own address, which absolute references may begin with.
        lenient: leave out what is not known instead of refusing it (`Prefer: handling=lenient`).

    Raises:
        BadParameter: an unknown parameter (not when lenient), or a value that is not understood.
    """
    known, sort = reach.index.parameters[resource_type], None
    conditions: list[Condition] = []
    applied: list[tuple[str, str]] = []
    ignored: list[str] = []
    further, names = includes(reach, params), Names(reach, base)
    for name, value in params:
        if name == "_sort":
            sort = _sort(known, value)
        elif name.partition(":")[0] in NAMES:
            pass
        elif (found := names.compiled(resource_type, name, value)) is not None:
            conditions.append(found)
        elif lenient:
            ignored.append(name)
            continue
        else:
            raise BadParameter(f"unknown search parameter; {resource_type} has {', '.join(sorted(known))}")
        applied.append((name, value))
    return Query(reach, resource_type, tuple(conditions), sort, tuple(applied), tuple(ignored), tuple(further))


def search(connection: Connection, query: Query, *, count: int, cursor: str | None = None) -> Page:
    """One page of a search.

    Raises:
        BadParameter: the cursor is not of this search.
    """
    after = _read_cursor(query, cursor) if cursor else None
    lead = _lead(connection, query)
    found = _positions(connection, query, lead, after, count + 1) if lead else []
    page, more = found[:count], len(found) > count
    bodies = _bodies(connection, query, [position.key for position in page])
    more_of_it = _cursor(query, page[-1]) if more and page else None
    included = collect(connection, query.reach, query.includes, bodies) if query.includes else Included([], cut=False)
    return Page(bodies, None if more or after else len(page), more_of_it, included)


def total(connection: Connection, query: Query) -> int:
    """How many resources a search finds."""
    lead = _lead(connection, replace(query, sort=None))
    if lead is None:
        return 0
    where, values = _led_by(lead, query)
    return rows(connection, f"SELECT count(DISTINCT d.key) FROM {lead.table} d WHERE {where}", values)[0][0]


@dataclass(frozen=True, slots=True)
class _Position:
    """A place in the answer. Resources without the date that is sorted by come last, in phase 1."""

    phase: int
    at: int
    key: int


def _all(query: Query) -> Condition:
    return Condition(query.reach.view.table("resource"), "NOT c.deleted", (), of_resource=True)


def _lead(connection: Connection, query: Query) -> Condition | None:
    """The condition to begin with, all resources when none is rare; None when nothing can be found."""
    positive = [condition for condition in query.conditions if not condition.negated]
    ordered = next((condition for condition in positive if condition.ordered), _all(query))
    if query.sort is None and positive == [ordered]:
        return ordered
    if not positive:
        return _all(query)
    counts = _count(connection, query.resource_type, positive, _FEW)
    fewest = min(counts)
    if fewest <= _FEW:
        return positive[counts.index(fewest)] if fewest else None
    if query.sort:
        return _all(query)
    # Of whom it is says more than what it is: a trial grows by its subjects.
    referring = [one for one in positive if one.table == query.reach.view.table("index_reference")]
    rare = (one for one in referring if _count(connection, query.resource_type, [one], _MANY)[0] <= _MANY)
    return next(rare, ordered)


def _count(connection: Connection, resource_type: str, conditions: Sequence[Condition], most: int) -> list[int]:
    """How many rows each condition has; counting stops behind `most`."""
    compiled = [condition.among(resource_type) for condition in conditions]
    counts = ", ".join(
        f"(SELECT count(*) FROM (SELECT 1 FROM {condition.table} c WHERE {where} LIMIT {most + 1}) few)"
        for condition, (where, _) in zip(conditions, compiled, strict=True)
    )
    return list(rows(connection, f"SELECT {counts}", [value for _, values in compiled for value in values])[0])


def _led_by(lead: Condition, query: Query) -> Compiled:
    """The lead's own condition on the alias `d`, and the tests of all others."""
    where, values = lead.among(query.resource_type)
    # What stands in it besides has aliases of its own, among them `c`.
    own = f"d.key IN (SELECT c.key FROM {lead.table} c WHERE {where})" if lead.nested else where.replace("c.", "d.")
    return _and((own, values), _tests(query, "d.key", lead))


def _tests(query: Query, key: str, lead: Condition | None) -> list[Compiled]:
    tests = [condition.test(key) for condition in query.conditions if condition is not lead]
    seen, values = visible(query.reach, query.resource_type, "c")
    if seen:
        table = query.reach.view.table("resource")
        tests.append((f"EXISTS (SELECT 1 FROM {table} c WHERE c.key = {key} AND {seen})", values))
    return tests


def _and(first: Compiled, others: Sequence[Compiled]) -> Compiled:
    wheres, values = zip(first, *others, strict=True)
    return " AND ".join(wheres), tuple(value for items in values for value in items)


def _positions(
    connection: Connection, query: Query, lead: Condition, after: _Position | None, limit: int
) -> list[_Position]:
    if query.sort is None:
        return _by_key(connection, query, lead, after, limit)
    in_first_phase = after is None or after.phase == 0
    found = _by_date(connection, query, lead, after, limit) if in_first_phase else []
    if len(found) < limit and query.sort.param is not None:
        undated = Condition(query.reach.view.table("index_date"), "c.param = ?", (query.sort.param,), negated=True)
        rest = replace(query, conditions=(*query.conditions, undated))
        last = None if in_first_phase else after
        found += _by_key(connection, rest, lead, last, limit - len(found))
    return found


def _by_key(
    connection: Connection, query: Query, lead: Condition, after: _Position | None, limit: int
) -> list[_Position]:
    beyond = [("d.key > ?", (after.key,))] if after else []
    where, values = _and(_led_by(lead, query), beyond)
    sql = f"SELECT DISTINCT d.key FROM {lead.table} d WHERE {where} ORDER BY 1 LIMIT {limit:d}"
    return [_Position(1, 0, row[0]) for row in rows(connection, sql, values)]


def _by_date(
    connection: Connection, query: Query, lead: Condition, after: _Position | None, limit: int
) -> list[_Position]:
    descending = query.sort is not None and query.sort.descending
    source, date, first = _dated(query, lead)
    order, beyond = ("DESC", "<") if descending else ("ASC", ">")
    others = [(f"({date}, s.key) {beyond} (?, ?)", (after.at, after.key))] if after else []
    if lead.everything:
        others += _tests(query, "s.key", None)
    where, values = _and(first, others)
    sql = (
        f"SELECT DISTINCT {date} AS at, s.key FROM {source} WHERE {where} ORDER BY 1 {order}, 2 {order} LIMIT {limit:d}"
    )
    return [_Position(0, row[0], row[1]) for row in rows(connection, sql, values)]


def _dated(query: Query, lead: Condition) -> tuple[str, str, Compiled]:
    """Where the dates to sort by are read from: tables, the date, and the condition that joins them."""
    param = query.sort.param if query.sort else None
    view = query.reach.view
    table, date, chosen = (
        view.table("resource"),
        "s.last_updated",
        ("s.resource_type = ? AND NOT s.deleted", (query.resource_type,)),
    )
    if param is not None:
        table, date, chosen = view.table("index_date"), "s.low", ("s.param = ?", (param,))
    if lead.everything:
        return f"{table} s", date, chosen
    # CROSS JOIN keeps SQLite from turning the order round; PostgreSQL plans as it likes.
    return f"{lead.table} d CROSS JOIN {table} s", date, _and(_led_by(lead, query), [("s.key = d.key", ()), chosen])


def _bodies(connection: Connection, query: Query, keys: list[int]) -> list[Stored]:
    table = query.reach.view.table("resource")
    sql = f"SELECT key, id, version, last_updated, body FROM {table} WHERE key IN ({marks(keys)}) AND NOT deleted"
    found = {row[0]: row[1:] for row in rows(connection, sql, keys)} if keys else {}
    return [
        Stored(query.resource_type, number, version, instant(updated), deleted=False, body=bytes(body))
        for number, version, updated, body in (found[key] for key in keys if key in found)
    ]


def _sort(known: Mapping[str, Parameter], value: str) -> Sort:
    name = value.removeprefix("-")
    if name == "_lastUpdated":
        return Sort(None, descending=value != name)
    if name not in known or known[name].type != "date":
        dates = sorted(code for code, parameter in known.items() if parameter.type == "date")
        raise BadParameter(f"_sort takes one of {', '.join(dates)}, with '-' in front for the latest first")
    return Sort(known[name].number, descending=value != name)


def _fingerprint(query: Query) -> str:
    return hashlib.blake2b(repr((query.resource_type, sorted(query.applied))).encode(), digest_size=6).hexdigest()


def _cursor(query: Query, last: _Position) -> str:
    content = json.dumps([_fingerprint(query), last.phase, last.at, last.key], separators=(",", ":"))
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def _read_cursor(query: Query, cursor: str) -> _Position:
    try:
        content = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        fingerprint, phase, at, key = content
        position = _Position(int(phase), int(at), int(key))
    except (ValueError, TypeError, binascii.Error):
        raise BadParameter("_cursor comes from a next link and cannot be made by hand") from None
    if fingerprint != _fingerprint(query):
        raise BadParameter("_cursor belongs to another search")
    return position
