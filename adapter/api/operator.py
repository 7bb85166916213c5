"""The operator's interface under /operator: messages, incidents, requeue, release and replay, as JSON.

It always asks for a token: that of ADAPTER_OPERATOR_TOKEN, or the one that this start wrote for the commands of this
machine (`operate/door.py`). Every request is in the access audit before it is answered (`audited.py`).
"""

import hmac
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, cast

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool

from adapter import log
from adapter.api.exchange import serving
from adapter.fhir import json
from adapter.operate import confirming, messages, repairs, worklist
from adapter.operate.asked import NAMES, asked_for
from adapter.operate.first_tokens import Order as TokenOrder
from adapter.operate.first_tokens import give
from adapter.operate.imports import Imports, Rows
from adapter.operate.queries import Only
from adapter.operate.replays import Order, Replays, selected
from adapter.request_errors import BadParameter, LoginRequired, NotFound, NotGranted
from adapter.store import record, standing
from adapter.store.database import Connection, Database
from adapter.store.repair import Accept, Doing

MOST = 1000
STUCK_SHOWN = 50
LARGEST_BODY = 64 * 1024

LOCAL = "local"
"""Whom the token of this start belongs to."""

_Handler = Callable[["Operator", Request, dict[str, Any]], Any]


@dataclass(frozen=True, slots=True)
class Operator:
    """What the operator's interface works with; `tokens` by the name of whom each belongs to."""

    database: Database
    tokens: dict[str, str]
    explain: messages.Explain
    accept: Accept | None = None
    replays: Replays | None = None
    imports: Imports | None = None
    queries: Callable[[Only], Iterator[dict[str, Any]]] | None = None
    confirms: confirming.Confirms | None = None


def endpoint(operator: Operator, handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that asks for a token, and runs `handler` in a thread with what was asked."""

    async def answer(request: Request) -> Response:
        request.state.principal = _principal(operator, request)
        said = await _said(request)
        made = await run_in_threadpool(handler, operator, request, said)
        if isinstance(made, bytes):
            return Response(made, media_type="application/octet-stream", headers=_PRIVATE)
        return Response(json.dumps(made), media_type="application/json", headers=_PRIVATE)

    return answer


def list_messages(operator: Operator, _: Request, said: dict[str, Any]) -> dict[str, Any]:
    """`GET /operator/messages`: a page, the newest first; `before` in it asks for the next."""
    limit = min(_number(said, "limit") or 50, MOST)
    before = _number(said, "before")
    asked = asked_for({name: said[name] for name in said if name not in {"limit", "before"}})
    with operator.database.read() as connection:
        found = messages.page(connection, asked, before=before, limit=limit)
    return {"messages": found, "before": found[-1]["id"] if len(found) == limit else None}


def one_message(operator: Operator, request: Request, said: dict[str, Any]) -> dict[str, Any]:
    """`GET /operator/messages/N`: the record; `contents=true` adds text and tree, `ledger=true` the account."""
    number = _path(request)
    wanted = messages.Wanted(_true(said, "contents") or _true(said, "ledger"), _true(said, "ledger"))
    with operator.database.read() as connection:
        _exists(connection, number)
        found = messages.message(connection, number, explain=operator.explain, wanted=wanted)
    if found is None:
        raise NotFound("there is no such message")
    return found


def raw_message(operator: Operator, request: Request, said: dict[str, Any]) -> bytes:
    """`GET /operator/messages/N/raw`: the bytes as they came; `start` and `length` ask for a piece."""
    number = _path(request)
    with operator.database.read() as connection:
        _exists(connection, number)
        return record.content(connection, number, start=_number(said, "start") or 0, length=_number(said, "length"))


def list_incidents(operator: Operator, _: Request, said: dict[str, Any]) -> dict[str, Any]:
    """`GET /operator/incidents`: those that are open; `all=true`: also those that are over."""
    limit = min(_number(said, "limit") or 100, MOST)
    with operator.database.read() as connection:
        return {"incidents": messages.open_incidents(connection, every=_true(said, "all"), limit=limit)}


def figures(operator: Operator, _: Request, __: dict[str, Any]) -> dict[str, Any]:
    """`GET /operator/figures`: how each site stands, and the lanes that are blocked."""
    with operator.database.read() as connection:
        sites, stuck = standing.of_sites(connection), standing.stuck(connection, limit=STUCK_SHOWN)
    return {"sites": [asdict(one) for one in sites], "stuck": [asdict(one) for one in stuck]}


def list_codes(operator: Operator, _: Request, said: dict[str, Any]) -> dict[str, Any]:
    """`GET /operator/codes`: codes and units without a row, those for which most messages wait first."""
    limit = min(_number(said, "limit") or 100, MOST)
    with operator.database.read() as connection:
        return {"codes": worklist.codes(connection, site=str(said.get("site", "")), limit=limit)}


def list_queries(operator: Operator, _: Request, said: dict[str, Any]) -> dict[str, Any]:
    """`GET /operator/queries`: what the trial office must ask about, as it is now."""
    if operator.queries is None:
        raise NotFound("this program answers no queries")
    only = Only(*(str(said.get(name, "")) for name in ("subject", "site", "rule", "severity")))
    return {"queries": list(operator.queries(only))}


def list_proposals(operator: Operator, _: Request, said: dict[str, Any]) -> dict[str, Any]:
    """`GET /operator/proposals`: derived facts that wait for a person; `status=final`: those that do not."""
    texts = {name: str(said[name]) for name in ("subject", "fact", "status") if name in said}
    with operator.database.read() as connection:
        return {"proposals": list(confirming.listing(connection, confirming.Wanted(**texts)))}


def confirm(operator: Operator, request: Request, said: dict[str, Any]) -> dict[str, Any]:
    """`POST /operator/confirm`: the body holds `facts` (numbers or ids of derived facts), `by` and `reason`."""
    if operator.confirms is None:
        raise NotFound("this program confirms nothing")
    facts = said.get("facts")
    if not isinstance(facts, list):
        raise BadParameter("facts is a list of numbers or ids of derived facts")
    names = [str(one) for one in cast("list[Any]", facts)]
    order = confirming.Order(names, str(said.get("by") or ""), str(said.get("reason") or ""))
    made = operator.confirms.confirm(order)
    log.event("facts_confirmed", count=len(made["facts"]), principal=request.state.principal)
    return made


def repair(kind: str) -> _Handler:
    """`POST /operator/requeue` and its like: without `plan` the plan; with it the next part is done.

    The body holds `filter` or `message`; to do it, also `plan`, `actor` and `reason`.
    """

    def handler(operator: Operator, request: Request, said: dict[str, Any]) -> dict[str, Any]:
        chosen = repairs.Chosen(kind, asked_for(said.get("filter") or {}), _number(said, "message"))
        if not said.get("plan"):
            return repairs.plan(operator.database, chosen)
        doing = Doing(kind, str(said.get("actor") or ""), str(said.get("reason") or ""))
        token = str(said["plan"])
        done = repairs.carry_out(operator.database, chosen, token=token, doing=doing, accept=operator.accept)
        log.event("messages_repaired", how=kind, count=done["done"], principal=request.state.principal)
        return done

    return handler


def replay(operator: Operator, request: Request, said: dict[str, Any]) -> dict[str, Any]:
    """`POST /operator/replay`: with `actor` and `reason` a replay begins; without, its next part is done.

    The body holds `mapping`, the version of the mappings that is meant; to begin, `filter` too; to go on, `replay`,
    the number of one (by default of the last).
    """
    if operator.replays is None:
        raise NotFound("this program carries out no replays")
    mapping = str(said.get("mapping") or "")
    if "reason" not in said:
        return operator.replays.go_on(_number(said, "replay"), mapping)
    order = Order(selected(said.get("filter") or {}), mapping, str(said.get("actor") or ""), str(said["reason"] or ""))
    begun = operator.replays.begin(order)
    log.event("replay_ordered", count=begun["messages"], principal=request.state.principal)
    return begun


def take_rows(operator: Operator, request: Request, said: dict[str, Any]) -> dict[str, Any]:
    """`POST /operator/import`: some rows of a table are checked, and what they say is given to the intake.

    The body holds `kind`, `text` (the table's first row and these), `numbers` (of each in the file) and `actor`.
    """
    if operator.imports is None:
        raise NotFound("this program imports nothing")
    numbers = said.get("numbers")
    if not isinstance(numbers, list):
        raise BadParameter("numbers is a list with the number of each row")
    whole = [_whole(str(one), "a row's number") for one in cast("list[Any]", numbers)]
    kind, text, actor = (str(said.get(name) or "") for name in ("kind", "text", "actor"))
    made = operator.imports.take(Rows(kind, text, whole, actor))
    log.event("rows_imported", count=len(made["rows"]), principal=request.state.principal)
    return made


def give_token(operator: Operator, request: Request, said: dict[str, Any]) -> dict[str, Any]:
    """`POST /operator/token`: a token for first steps, for who has the data folder (`local`) and for nobody else.

    The body holds `role`, and `site`, `scope`, `minutes` where they are not the usual ones.
    """
    if request.state.principal != LOCAL:
        raise NotGranted("tokens are given to commands of this machine")
    guard = serving(request).guard
    return give(operator.database, guard.compiler.roles, TokenOrder.of(said), guard.clock())


_PRIVATE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def _principal(operator: Operator, request: Request) -> str:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    found = ""
    for name, token in operator.tokens.items():
        # Every token is compared, in constant time, so that the answer's delay tells nothing.
        if hmac.compare_digest(given.strip().encode(), token.encode()):
            found = name
    if scheme.lower() != "bearer" or not found:
        raise LoginRequired("the operator's bearer token is needed")
    return found


async def _said(request: Request) -> dict[str, Any]:
    if request.method != "POST":
        return dict(request.query_params)
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > LARGEST_BODY:
            raise BadParameter(f"a request has at most {LARGEST_BODY} bytes")
    try:
        said = json.loads(bytes(body))
    except (ValueError, RecursionError):
        said = None
    if isinstance(said, dict):
        found = cast("dict[str, Any]", said)
        if _are_texts(found.get("filter") or {}):
            return found
    raise BadParameter(f"the body is a JSON object; filter holds texts for {', '.join(NAMES)}")


def _are_texts(said: Any) -> bool:
    return isinstance(said, dict) and all(isinstance(value, str) for value in cast("dict[str, Any]", said).values())


def _path(request: Request) -> int:
    return _whole(str(request.path_params["number"]), "a message's number")


def _number(said: dict[str, Any], name: str) -> int | None:
    return _whole(str(said[name]), name) if said.get(name) is not None else None


def _whole(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise BadParameter(f"{name} is a whole number")
    return int(text)


def _true(said: dict[str, Any], name: str) -> bool:
    return str(said.get(name, "")).lower() == "true"


def _exists(connection: Connection, number: int) -> None:
    if record.find(connection, number) is None:
        raise NotFound("there is no such message")
