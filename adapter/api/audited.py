"""No answer with what is stored leaves before the access audit has it on disk (F32)."""

import asyncio
import itertools
import re
from collections.abc import Callable
from datetime import datetime

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapter.access.audit import Access, Trail
from adapter.api.failures import refusal
from adapter.request_errors import AuditUnavailable
from adapter.store.incidents import Incidents

AUDITED = ("/fhir/", "/operator/")
BUDGET_SECONDS = 3.0
"""A disk that does not answer must not keep readers waiting for ever."""

OPERATED = frozenset({"messages", "incidents", "figures", "codes", "queries", "requeue", "release"})
"""What stands in the place of a resource type in an address of the operator's interface."""

_METADATA = "/fhir/metadata"  # says what is served, and nothing of anybody
_NAMED = 410  # an answer that says: there was one of this id
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class Audited:
    """ASGI middleware: holds the head of an answer back until its access is recorded, and answers 503 if it cannot be.

    Who is not let in (401) is told to the incidents and not to the audit: nobody without a token can fill its disk.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        trail: Trail,
        incidents: Incidents,
        clock: Callable[[], datetime],
        types: frozenset[str],
    ) -> None:
        """Stand before `app`; `types` are the names that may be recorded, since anything may stand in an address."""
        self._app, self._trail, self._incidents, self._clock, self._types = app, trail, incidents, clock, types
        self._numbers, self._start = itertools.count(1), f"{round(clock().timestamp()):x}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; its answer leaves when it is recorded."""
        if scope["type"] != "http" or not scope["path"].startswith(AUDITED) or scope["path"] == _METADATA:
            await self._app(scope, receive, send)
            return
        name = self._request_id(Headers(scope=scope).get("x-request-id", ""))
        unrecorded = False

        async def recording(message: Message) -> None:
            nonlocal unrecorded
            if unrecorded:
                return
            if message["type"] == "http.response.start":
                try:
                    await self._record(scope, message["status"], name)
                except AuditUnavailable as error:
                    unrecorded = True
                    await refusal(error)(scope, receive, send)
                    return
                MutableHeaders(scope=message)["X-Request-Id"] = name
            await send(message)

        await self._app(scope, receive, recording)

    async def _record(self, scope: Scope, status: int, name: str) -> None:
        client = Request(scope).client
        peer = client.host if client else ""
        if status == 401:
            self._incidents.note("login_refused", channel="fhir", peer=peer)
            return
        written = self._trail.put(self._access(scope, status, peer, name))
        try:
            async with asyncio.timeout(BUDGET_SECONDS):
                await asyncio.wrap_future(written)
        except TimeoutError:
            self._incidents.note("audit_unavailable", detail="the disk does not answer")
            raise AuditUnavailable("this read cannot be recorded in time, so it is not answered") from None

    def _access(self, scope: Scope, status: int, peer: str, name: str) -> Access:
        room, kind, *others = scope["path"].split("/")[1:]
        state = scope.get("state", {})
        named = others and others[0] != "_search" and (status < 400 or status == _NAMED)
        known = self._types if room == "fhir" else OPERATED
        return Access(
            at=self._clock(),
            principal=state.get("principal", "anonymous"),
            client=peer,
            method=scope["method"],
            interaction=_interaction(others) if room == "fhir" else room,
            type=kind if kind in known else "",
            id=others[0] if named else "",
            status=status,
            resources=state.get("resources", 0),
            request=name,
        )

    def _request_id(self, given: str) -> str:
        """The client's name for its request (R4 RESTful API, custom headers), unless it may say more than a name."""
        return given if _REQUEST_ID.fullmatch(given) else f"{self._start}-{next(self._numbers)}"


def _interaction(address: list[str]) -> str:
    """FHIR's name of what is asked, by the parts of the address behind the type."""
    match address:
        case [] | ["_search"]:
            return "search-type"
        case [_]:
            return "read"
        case [_, "_history"]:
            return "history-instance"
        case [_, "_history", _]:
            return "vread"
        case _:
            return "unknown"
