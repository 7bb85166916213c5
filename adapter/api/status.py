"""What has happened so far, in numbers: no value of any message, no identifier of any person."""

from typing import Any

from fastapi import Request, Response

from adapter.api.exchange import serving
from adapter.fhir import json
from adapter.store import figures


def status(request: Request) -> Response:
    """`GET /status`: messages by site, state and type; resources by type; the populated fields that no rule read."""
    with serving(request).database.read() as connection:
        messages = [
            {"site": one.site, "state": one.state, "type": f"{one.message_type}^{one.event}", "count": one.messages}
            for one in figures.messages(connection)
        ]
        unread = [
            {"site": one.site, "structure": one.structure, "path": one.path, "count": one.count}
            for one in figures.unmapped(connection)
        ]
        body: dict[str, Any] = {"messages": messages, "resources": figures.resources(connection), "unmapped": unread}
    return Response(json.dumps(body), media_type="application/json")
