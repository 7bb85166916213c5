"""Binary: the documents that Attachments name by url (R4 §2.29), as they are and only to be saved (catalogue C26)."""

from collections.abc import Callable, Iterator
from typing import Protocol

from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.routing import Route

from adapter.api.exchange import Endpoint, admitted, shown
from adapter.request_errors import NotFound, NotGranted
from adapter.store.reach import IDENTIFIED, Reach

_UNKNOWN_TYPE = "application/octet-stream"


class Document(Protocol):
    """What is served: its media type, its size, its bytes piece by piece."""

    @property
    def media(self) -> str:
        """Empty where nobody said what it is."""
        ...

    @property
    def size(self) -> int:
        """In bytes."""
        ...

    @property
    def pieces(self) -> Iterator[bytes]:
        """From the first to the last."""
        ...


Find = Callable[[Reach, str], Document | None]


def install(app: FastAPI, find: Find) -> None:
    """Serve `GET /fhir/Binary/<SHA-256 in hex>`, before the path of all other resources."""
    app.router.routes.insert(0, Route("/fhir/Binary/{sha256}", _endpoint(find), methods=["GET"]))


def _endpoint(find: Find) -> Endpoint:
    """A browser must never show what a hospital sent: it is saved, whatever it says it is."""

    async def read(request: Request) -> Response:
        reach = (await admitted(request)).reach
        if reach.view is not IDENTIFIED or not reach.may("r", "DiagnosticReport"):
            raise NotGranted("documents are of the reports of identified patients: the token does not allow them")
        found = await run_in_threadpool(find, reach, request.path_params["sha256"].lower())
        if found is None:
            raise NotFound("there is no such document")
        shown(request, 1)
        headers = {
            "Content-Length": str(found.size),
            "Content-Disposition": "attachment",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox",
            "Cache-Control": "private, no-store",
        }
        return StreamingResponse(found.pieces, headers=headers, media_type=found.media or _UNKNOWN_TYPE)

    return read
