"""The guide under `/guide`: pages that tell nothing of anybody."""

from collections.abc import Awaitable, Callable

from fastapi import Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse

_HEADERS = {"Content-Security-Policy": "default-src 'self' 'unsafe-inline'"}

Pages = Callable[[str], bytes | None]
"""A page by the name of its file; None where there is none."""


def endpoint(pages: Pages) -> Callable[[Request], Awaitable[Response]]:
    """The handler of `/guide/{name}`."""

    async def shown(request: Request) -> Response:
        body = await run_in_threadpool(pages, request.path_params["name"])
        if body is None:
            return Response(b"there is no such page\n", status_code=404, media_type="text/plain")
        return Response(body, media_type="text/html", headers=_HEADERS)

    return shown


def contents(_request: Request) -> Response:
    """`/guide` leads to the contents, so that links between pages are the same here and in a folder."""
    return RedirectResponse("/guide/index.html", status_code=307)
