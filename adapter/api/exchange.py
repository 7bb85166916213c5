"""What every FHIR request and answer has: who asks, which form is wanted, addresses, entity tags."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from email.utils import format_datetime
from typing import Any, Protocol

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool

from adapter.access.guard import Caller, Guard
from adapter.api.cursors import Cursors
from adapter.request_errors import (
    BadParameter,
    LoginRequired,
    NotAcceptable,
    NotGranted,
    TooLongAddress,
    UnknownResourceType,
)
from adapter.store.database import Connection, Database
from adapter.store.origins import Wish
from adapter.store.reach import IDENTIFIED, Reach
from adapter.store.resources import Stored

Endpoint = Callable[[Request], Awaitable[Response]]
FHIR_JSON = "application/fhir+json"
LONGEST_QUERY = 8192
_ACCEPTED = frozenset({FHIR_JSON, "application/json", "text/json", "application/*", "*/*", "json"})


class Made(Protocol):
    """Resources of one type that are made when they are read, beside those that are stored: of identified data."""

    def read(self, connection: Connection, reach: Reach, resource_id: str) -> bytes | None:
        """The one of this id, as JSON."""
        ...

    def find(
        self, connection: Connection, reach: Reach, targets: Sequence[Sequence[Wish]], ids: AbstractSet[str] | None
    ) -> list[int]:
        """The numbers of those that name one of each of these targets, and have one of these ids."""
        ...

    def make(self, connection: Connection, asked: Sequence[int]) -> list[tuple[str, bytes]]:
        """Those of these numbers: id and JSON."""
        ...


@dataclass(frozen=True, slots=True)
class Serving:
    """What the handlers work with; one for an application. `made` by type."""

    database: Database
    guard: Guard
    capability: bytes
    made: Mapping[str, Made]
    cursors: Cursors


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of somebody who may ask for this type: what is served, and what of it is reached."""

    database: Database
    reach: Reach
    maker: Made | None


def serving(request: Request) -> Serving:
    """What the application of this request serves."""
    return request.app.state.serving


def open_to_all(handler: Callable[[Request], Response]) -> Endpoint:
    """An endpoint that asks for no token and reads no database."""

    async def endpoint(request: Request) -> Response:
        _acceptable(request)
        return handler(request)

    return endpoint


def guarded(handler: Callable[..., Response], *, body: Callable[[Request], Awaitable[Any]] | None = None) -> Endpoint:
    """An endpoint that asks for the token, and runs `handler` in a thread with the parts of the path by name.

    Plain endpoints and not FastAPI's: its dependencies cost as much as a read of the database.

    Args:
        handler: takes the request and the parts of the path.
        body: reads the body first; what it returns is handed on as `body`.
    """

    async def endpoint(request: Request) -> Response:
        _acceptable(request)
        if len(request.url.query) > LONGEST_QUERY:
            raise TooLongAddress(f"a query has at most {LONGEST_QUERY} bytes: POST it to _search")
        await admitted(request)
        read = {"body": await body(request)} if body else {}
        return await run_in_threadpool(handler, request, **request.path_params, **read)

    return endpoint


def asked(request: Request, right: str, resource_type: str) -> Asked:
    """What a request for this type has to do with.

    Args:
        request: of a caller who is admitted.
        right: what it needs, a letter of cruds.
        resource_type: the type in the address.

    Raises:
        UnknownResourceType: the type is not served, or not in the caller's view.
        NotGranted: the caller has not this right.
    """
    found, reach = serving(request), caller(request).reach
    if resource_type not in reach.index.parameters:
        names = ", ".join(reach.index.parameters)
        raise UnknownResourceType(f"this resource type is not served; served are {names}")
    if not reach.may(right, resource_type):
        raise NotGranted(f"the token does not allow system/{resource_type}.{right}")
    maker = found.made.get(resource_type) if reach.view is IDENTIFIED else None
    return Asked(found.database, reach, maker)


def whole_number(name: str, value: str) -> int:
    """The value of a parameter that counts.

    Raises:
        BadParameter: it is no whole number.
    """
    if not (value.isascii() and value.isdigit() and len(value) < 19):
        raise BadParameter(f"{name} is a whole number")
    return int(value)


def base_of(request: Request) -> str:
    """The address of the FHIR service as the client wrote it."""
    return f"{str(request.base_url).rstrip('/')}/fhir"


def shown(request: Request, resources: int) -> None:
    """Tell the access audit how many resources the answer holds."""
    request.state.resources = resources


def stored_response(request: Request, stored: Stored) -> Response:
    """The stored bytes with their version; 304 without them where the client has that version."""
    tag = f'W/"{stored.version}"'
    headers = {"ETag": tag, "Last-Modified": format_datetime(stored.last_updated, usegmt=True)}
    if matches(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    shown(request, 1)
    return fhir_response(stored.body, headers=headers)


def digest_response(request: Request, body: bytes) -> Response:
    """A resource without versions: its entity tag is its digest."""
    headers = {"ETag": f'W/"{hashlib.blake2b(body, digest_size=8).hexdigest()}"'}
    if matches(request.headers.get("if-none-match"), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    shown(request, 1)
    return fhir_response(body, headers=headers)


def matches(condition: str | None, tag: str) -> bool:
    """Whether If-None-Match names this entity tag; weak comparison (RFC 9110 §13.1.2)."""
    if not condition:
        return False
    names = {item.strip().removeprefix("W/") for item in condition.split(",")}
    return "*" in names or tag.removeprefix("W/") in names


def fhir_response(body: bytes, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer in FHIR's JSON."""
    return Response(body, status_code=status, headers=headers, media_type=FHIR_JSON)


def holds(request: Request, token: str) -> bool:
    """Whether a request bears this token (RFC 6750 §2.1)."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    # Compared in constant time, so that the answer's delay tells nothing of the token.
    return scheme.lower() == "bearer" and hmac.compare_digest(given.strip().encode(), token.encode())


async def admitted(request: Request) -> Caller:
    """Who asks.

    Raises:
        LoginRequired: no token, or one that is not good.
    """
    guard = serving(request).guard
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not given:
        raise LoginRequired("a bearer token is needed")
    found = guard.remembered(given) or await run_in_threadpool(guard.admit, given)
    request.state.caller, request.state.principal = found, found.principal.client
    return found


def caller(request: Request) -> Caller:
    """Who asks, of a request that is admitted."""
    return request.state.caller


def through(request: Request, door: str) -> None:
    """Let through who has this door.

    Raises:
        NotGranted: the caller's role has it not.
    """
    if door not in caller(request).role.doors:
        raise NotGranted("the role of the token does not allow this")


def _acceptable(request: Request) -> None:
    # `_format` goes before Accept (R4 §3.1.0.1.11).
    wanted = request.query_params.get("_format") or request.headers.get("accept") or "*/*"
    # A blank is what an unencoded '+' of an address becomes.
    if not any(_is_ours(item.replace("fhir json", "fhir+json")) for item in wanted.split(",")):
        raise NotAcceptable(f"only {FHIR_JSON}; fhirVersion=4.0 is served")


def _is_ours(wanted: str) -> bool:
    name, *parameters = (part.strip().lower() for part in wanted.split(";"))
    refused = any(part.startswith("q=0") and not part[3:].strip(".0") for part in parameters)
    versions = [part.partition("=")[2].strip('"') for part in parameters if part.startswith("fhirversion=")]
    return name in _ACCEPTED and not refused and all(version.startswith("4.0") for version in versions)
