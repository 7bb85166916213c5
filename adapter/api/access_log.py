"""One event in the log for every request under /fhir: never a query's values, never an id."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapter import log


class AccessLog:
    """ASGI middleware; `types` are the names that may be logged, since anything may stand in an address."""

    def __init__(self, app: ASGIApp, *, types: frozenset[str]) -> None:
        """Stand before `app`."""
        self._app, self._types = app, types

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and log its outcome."""
        if scope["type"] != "http" or not scope["path"].startswith("/fhir/"):
            await self._app(scope, receive, send)
            return
        status = 500

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        finally:
            first = scope["path"].split("/")[2]
            log.event(
                "fhir_request",
                method=scope["method"],
                resource_type=first if first in self._types or first == "metadata" else None,
                status=status,
                principal=scope.get("state", {}).get("principal", "anonymous"),
            )
