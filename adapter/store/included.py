"""What comes with a page of a search: resources that it refers to, and that refer to it (R4 §3.1.1.5.3)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from adapter.fhir import json
from adapter.fhir.search_parameter import Parameter
from adapter.request_errors import BadParameter, NotGranted
from adapter.store.bulk import parts
from adapter.store.database import instant, marks, rows
from adapter.store.reach import Reach
from adapter.store.resources import Stored
from adapter.store.visible import and_visible

NAMES = ("_include", "_revinclude")
MOST = 1000
"""With one page: what is beyond is left out, and the answer says so."""

_AT_ONCE = 500
_ROUNDS = 5
_Name = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Include:
    """One `_include` (forward) or `_revinclude`: of resources of `source`, by the references of `parameters`.

    An empty `source` is any type, by all its references: `_include=*`.
    """

    forward: bool
    iterate: bool
    source: str
    parameters: tuple[Parameter, ...]
    target: str


@dataclass(frozen=True, slots=True)
class Included:
    """The resources, none of which is on the page; `cut` where there are more."""

    rows: list[Stored]
    cut: bool


def includes(reach: Reach, params: Iterable[tuple[str, str]]) -> list[Include]:
    """Read the parameters of a search that ask for more: `_include=Observation:subject:Patient`, `:iterate`.

    Raises:
        BadParameter: a type, a parameter or a modifier that there is not.
        NotGranted: of a type that the caller may not read.
    """
    return [_include(reach, name, value) for name, value in params if name.partition(":")[0] in NAMES]


def collect(connection: Connection, reach: Reach, wanted: Sequence[Include], page: Sequence[Stored]) -> Included:
    """What comes with a page."""
    known = {(one.resource_type, one.id) for one in page}
    found: list[Stored] = []
    new, asked = list(page), list(wanted)
    for _ in range(_ROUNDS):
        names: dict[_Name, None] = {}
        for one in asked:
            names |= dict.fromkeys(_names(connection, reach, one, new, most=MOST + 1 + len(known)))
        new = _read(connection, reach, [name for name in names if name not in known])
        known |= {(one.resource_type, one.id) for one in new}
        found += new
        asked = [one for one in wanted if one.iterate]
        if not (new and asked) or len(found) > MOST:
            return Included(found[:MOST], len(found) > MOST)
    return Included(found, cut=True)


def _include(reach: Reach, name: str, value: str) -> Include:
    kind, _, modifier = name.partition(":")
    if modifier not in {"", "iterate"}:
        raise BadParameter(f"{kind} takes :iterate and no other modifier")
    if value == "*" and kind == "_include":
        return Include(forward=True, iterate=bool(modifier), source="", parameters=(), target="")
    source, _, rest = value.partition(":")
    code, _, target = rest.partition(":")
    known = reach.index.parameters.get(source)
    if known is None:
        raise BadParameter(f"{kind} names a type that is served: Observation:subject")
    references = [one for one in known.values() if one.type == "reference"]
    chosen = tuple(references if code == "*" else [one for one in references if one.code == code])
    if not chosen or (target and not any(target in one.targets for one in chosen)):
        raise BadParameter(f"{source} refers by {', '.join(sorted(one.code for one in references))}")
    if not reach.may("r", source):
        raise NotGranted(f"the token does not allow system/{source}.r")
    return Include(kind == "_include", bool(modifier), source, chosen, target)


def _names(connection: Connection, reach: Reach, wanted: Include, new: Sequence[Stored], *, most: int) -> list[_Name]:
    return _forward(reach, wanted, new) if wanted.forward else _backward(connection, reach, wanted, new, most)


def _forward(reach: Reach, wanted: Include, new: Sequence[Stored]) -> list[_Name]:
    """What these resources refer to; their bodies say it."""
    of = {one.stored_as for one in wanted.parameters}
    own = {one.stored_as: one.target for one in wanted.parameters}
    found: list[_Name] = []
    for one in new:
        if wanted.source in {"", one.resource_type}:
            for name, kind, number in reach.index.rows(json.loads(one.body)).references:
                fits = kind and kind == (wanted.target or own.get(name) or kind)
                found += [(kind, number)] if fits and (not of or name in of) else []
    return found


def _backward(connection: Connection, reach: Reach, wanted: Include, new: Sequence[Stored], most: int) -> list[_Name]:
    """What refers to these resources, the oldest first; the index says it."""
    seen, limits = and_visible(reach, wanted.source, "r")
    numbers = [one.number for one in wanted.parameters]
    sql = f"""SELECT DISTINCT r.key, r.id FROM {reach.view.table("index_reference")} i
        JOIN {reach.view.table("resource")} r ON r.key = i.key
        WHERE i.param IN ({marks(numbers)}) AND i.target_id IN ({{ids}}) AND i.target_type = ? AND NOT r.deleted{seen}
        ORDER BY r.key LIMIT {most:d}"""
    found: list[_Name] = []
    for kind in {one.resource_type for one in new if wanted.target in {"", one.resource_type}}:
        for some in parts([one.id for one in new if one.resource_type == kind], _AT_ONCE):
            values = [*numbers, *some, kind, *limits]
            found += [(wanted.source, number) for _, number in rows(connection, sql.format(ids=marks(some)), values)]
    return found


def _read(connection: Connection, reach: Reach, names: Sequence[_Name]) -> list[Stored]:
    """Those of these resources that the caller may read."""
    found: list[Stored] = []
    for kind in sorted({kind for kind, _ in names if reach.may("r", kind)}):
        seen, limits = and_visible(reach, kind, "r")
        for some in parts([number for of, number in names if of == kind][: MOST + 1], _AT_ONCE):
            sql = f"""SELECT r.id, r.version, r.last_updated, r.body FROM {reach.view.table("resource")} r
                WHERE r.id IN ({marks(some)}) AND r.resource_type = ? AND NOT r.deleted{seen} ORDER BY r.key"""
            found += [
                Stored(kind, number, version, instant(updated), deleted=False, body=bytes(body))
                for number, version, updated, body in rows(connection, sql, [*some, kind, *limits])
            ]
    return found
