"""Search of one resource type, by GET and by POST (R4 §3.1.1)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from fastapi import Request, Response

from adapter.api import made
from adapter.api.bundle import bundle, entry
from adapter.api.exchange import asked, base_of, caller, fhir_response, serving, shown, whole_number
from adapter.api.subset import Subset, subset
from adapter.fhir import json
from adapter.fhir.outcome import outcome
from adapter.request_errors import BadParameter, TooCostly, UnsupportedMedia
from adapter.store import search as store
from adapter.store.database import Connection
from adapter.store.included import MOST, Included
from adapter.store.resources import Stored
from adapter.store.search import Page, Query

_DEFAULT_COUNT, _MAXIMUM_COUNT = 50, 1000
_MAXIMUM_FORM = 65_536
_MOST_PARAMETERS, _MOST_VALUES = 50, 1000
_FORM = "application/x-www-form-urlencoded"
# They say how to answer, not what to find.
_CONTROLS = frozenset({"_count", "_cursor", "_elements", "_format", "_pretty", "_summary", "_total"})
_VALUES = {"_total": ("accurate", "estimate", "none"), "_summary": ("false", "count", "data", "text")}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """How to answer a search; `made_after` is where a page of what is made goes on, `subset` what of it is sent."""

    count: int
    cursor: str | None
    total: bool
    only_total: bool
    made_after: int | None
    subset: Subset | None


async def posted_form(request: Request) -> list[tuple[str, str]]:
    """The parameters in the body of `POST _search`.

    Raises:
        UnsupportedMedia: the body is no form.
        BadParameter: it is too long, or not UTF-8.
    """
    kind = request.headers.get("content-type", _FORM).partition(";")[0].strip().lower()
    if kind != _FORM:
        raise UnsupportedMedia(f"_search takes {_FORM}")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > _MAXIMUM_FORM:
            raise BadParameter(f"the form is longer than {_MAXIMUM_FORM} bytes")
    try:
        return parse_qsl(body.decode(), keep_blank_values=True)
    except UnicodeDecodeError:
        raise BadParameter("the form is not UTF-8") from None


def search_type(request: Request, resource_type: str) -> Response:
    """Search by the query of the address."""
    return _answer(request, resource_type, request.query_params.multi_items())


def search_posted(request: Request, resource_type: str, body: list[tuple[str, str]]) -> Response:
    """Search by a form, and by the query of the address too."""
    return _answer(request, resource_type, [*request.query_params.multi_items(), *body])


def _answer(request: Request, resource_type: str, sent: Sequence[tuple[str, str]]) -> Response:
    it, base = asked(request, "s", resource_type), base_of(request)
    wanted = _wanted(resource_type, _opened(request, sent))
    filters = [pair for pair in sent if pair[0] not in _CONTROLS]
    lenient = "handling=lenient" in request.headers.get("prefer", "").replace(" ", "").lower()
    query = store.compile_query(it.reach, resource_type, filters, base=base, lenient=lenient)
    further = made.asked(it.maker, it.reach, query.applied, base=base) if it.maker else None
    with it.database.read() as connection:
        page, total = _stored(connection, query, wanted, made=further is not None)
        behind = _behind(connection, further, wanted, page)
    shown(request, len(page.rows) + len(behind.rows) + len(page.included.rows))
    kept = [(name, _told(name, value)) for name, value in sent if name in _CONTROLS - {"_cursor", "_format", "_pretty"}]
    following = page.next_cursor or behind.next_cursor
    ahead = _sealed(request, None if wanted.only_total else following)
    links = _links(f"{base}/{resource_type}", [*query.applied, *kept], (dict(sent).get("_cursor"), ahead))
    matches = [*map(_facts, page.rows), *((resource_type, number, body) for number, body in behind.rows)]
    entries = [*_entries(matches, "match", base, wanted.subset)]
    entries += _entries(map(_facts, page.included.rows), "include", base, wanted.subset)
    entries += _remarks(query, page, further)
    total = None if total is None else total + behind.total
    return fhir_response(bundle("searchset", entries, links=links, total=total))


def _opened(request: Request, sent: Sequence[tuple[str, str]]) -> dict[str, str]:
    """The parameters that say how to answer, the cursor as the store knows it."""
    _affordable(sent)
    said = dict(sent)
    if "_cursor" in said:
        said["_cursor"] = serving(request).cursors.open(caller(request), said["_cursor"])
    return said


def _sealed(request: Request, cursor: str | None) -> str | None:
    return serving(request).cursors.seal(caller(request), cursor) if cursor else None


def _affordable(sent: Sequence[tuple[str, str]]) -> None:
    if len(sent) > _MOST_PARAMETERS:
        raise TooCostly(f"a search has at most {_MOST_PARAMETERS} parameters")
    if any(value.count(",") >= _MOST_VALUES for _, value in sent):
        raise TooCostly(f"a parameter has at most {_MOST_VALUES} values")


def _stored(connection: Connection, query: Query, wanted: _Wanted, *, made: bool) -> tuple[Page, int | None]:
    """What is stored, and how many; none on the later pages of what is `made`."""
    page = Page([], None, None, Included([], cut=False))
    if not (wanted.only_total or (made and wanted.made_after is not None)):
        page = store.search(connection, query, count=wanted.count, cursor=wanted.cursor)
    total = page.total
    if wanted.total and total is None:
        total = store.total(connection, query)
    return page, total


def _behind(connection: Connection, further: made.Asked | None, wanted: _Wanted, page: Page) -> made.Behind:
    """What is made, on the last page of what is stored and behind it."""
    counted = wanted.total or page.total is not None
    if further is None or (page.next_cursor and not counted):
        return made.NOTHING
    room = 0 if wanted.only_total or page.next_cursor else wanted.count - len(page.rows)
    return made.page(connection, further, after=wanted.made_after or 0, room=room)


def _wanted(resource_type: str, sent: dict[str, str]) -> _Wanted:
    for name, allowed in _VALUES.items():
        if sent.get(name, allowed[0]) not in allowed:
            raise BadParameter(f"{name} is one of {', '.join(allowed)}")
    count = whole_number("_count", sent.get("_count", str(_DEFAULT_COUNT)))
    only_total = sent.get("_summary") == "count" or count == 0
    return _Wanted(
        count=min(count, _MAXIMUM_COUNT),
        cursor=sent.get("_cursor"),
        total=only_total or sent.get("_total") in ("accurate", "estimate"),
        only_total=only_total,
        made_after=made.first(sent.get("_cursor")),
        subset=subset(resource_type, sent),
    )


def _links(
    address: str, params: list[tuple[str, str]], cursors: tuple[str | None, str | None]
) -> list[tuple[str, str]]:
    links: list[tuple[str, str]] = []
    for relation, cursor in zip(("self", "next"), cursors, strict=True):
        if relation == "self" or cursor:
            encoded = urlencode([*params, *([("_cursor", cursor)] if cursor else [])], safe=":/,")
            links.append((relation, f"{address}?{encoded}" if encoded else address))
    return links


def _entries(found: Iterable[tuple[str, str, bytes]], mode: str, base: str, part: Subset | None) -> Iterator[bytes]:
    for kind, number, body in found:
        sent = part.of(kind, body) if part else body
        yield entry(sent, full_url=f"{base}/{kind}/{number}", search={"mode": mode})


def _told(name: str, value: str) -> str:
    """What a link says of how to answer: no more than so many on a page."""
    return str(min(int(value), _MAXIMUM_COUNT)) if name == "_count" else value


def _facts(stored: Stored) -> tuple[str, str, bytes]:
    return stored.resource_type, stored.id, stored.body


def _remarks(query: Query, page: Page, further: made.Asked | None) -> Iterator[bytes]:
    if query.ignored:
        yield _remark(f"not known and left out: {', '.join(query.ignored)}")
    if page.included.cut:
        yield _remark(f"more than {MOST} resources would be included: those beyond are left out")
    if further and not further.answerable:
        yield _remark(made.LEFT_OUT)


def _remark(text: str) -> bytes:
    said = json.dumps(outcome("not-supported", text, severity="warning"))
    return entry(said, full_url=None, search={"mode": "outcome"})
