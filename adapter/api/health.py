"""Health checks: alive, and able to answer."""

from fastapi import Request, Response

from adapter.api.exchange import serving
from adapter.errors import StorageUnavailable
from adapter.store.database import rows

_JSON = "application/json"


async def live() -> Response:
    """The process runs."""
    return Response(b'{"status":"live"}', media_type=_JSON)


def ready(request: Request) -> Response:
    """The database answers; 503 when it does not."""
    try:
        with serving(request).database.read() as connection:
            rows(connection, "SELECT 1")
    except StorageUnavailable:
        return Response(b'{"status":"storage unavailable"}', status_code=503, media_type=_JSON)
    return Response(b'{"status":"ready"}', media_type=_JSON)
