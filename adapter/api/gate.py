"""Who is let in at an HTTP listener, before anything of a request is read."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from fastapi import Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from adapter.api.exchange import holds
from adapter.api.failures import refusal
from adapter.api.rate import Rate
from adapter.request_errors import AccessDenied, LoginRequired, RequestError, TooManyRequests

Refused = Callable[[str, str], None]
"""Hears the kind of an incident, and the address of the peer."""


class Certificate(Protocol):
    """The certificate of a client, as its connection puts it into the state of the request."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate."""
        ...

    def is_one_of(self, subjects: frozenset[str]) -> bool:
        """Whether it is named there, by a name or by its fingerprint."""
        ...


@dataclass(frozen=True, slots=True)
class Terms:
    """What a listener asks of a client; by default nothing.

    `subjects` are the certificates that are let in; none named means every certificate of the listener's authorities.
    """

    admits: Callable[[str], bool] = lambda _address: True
    certified: bool = False
    subjects: frozenset[str] = frozenset()
    token: str | None = None
    rate: Rate | None = None


class Gate:
    """ASGI middleware: a request that is not let in is answered here, and told."""

    def __init__(self, app: ASGIApp, *, terms: Terms, refused: Refused) -> None:
        """Stand before `app`."""
        self._app, self._terms, self._refused = app, terms, refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        answer = self._judge(Request(scope)) if scope["type"] == "http" else None
        await (answer or self._app)(scope, receive, send)

    def _judge(self, request: Request) -> Response | None:
        address = request.client.host if request.client else ""
        certificate: Certificate | None = request.scope.get("state", {}).get("certificate")
        kind, error = self._fault(request, address, certificate)
        headers: dict[str, str] = {}
        if error is None and (seconds := self._wait(certificate.fingerprint if certificate else address)):
            kind, error = "rate_exceeded", TooManyRequests("more requests than this client may send")
            headers["Retry-After"] = str(seconds)
        if error is None:
            return None
        self._refused(kind, address)
        return refusal(error, headers)

    def _wait(self, client: str) -> int:
        return self._terms.rate.wait(client) if self._terms.rate else 0

    def _fault(
        self, request: Request, address: str, certificate: Certificate | None
    ) -> tuple[str, RequestError | None]:
        terms = self._terms
        if not terms.admits(address):
            return "address_forbidden", AccessDenied("requests from this network are not taken here")
        if terms.certified and certificate is None:
            return "certificate_missing", LoginRequired("a client certificate is needed")
        if certificate and terms.subjects and not certificate.is_one_of(terms.subjects):
            return "certificate_foreign", AccessDenied("this certificate is not let in here")
        if terms.token is not None and not holds(request, terms.token):
            return "login_refused", LoginRequired("a bearer token is needed")
        return "", None
