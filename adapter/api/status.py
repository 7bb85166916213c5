"""What has happened so far, in numbers: no value of any message, no identifier of any person."""

from dataclasses import asdict
from typing import Any

from fastapi import Request, Response

from adapter.api.exchange import serving, through
from adapter.fhir import json
from adapter.store import due, figures


def status(request: Request) -> Response:
    """`GET /status`: messages by site, state, type; resources by type; what is due; unread fields; doubts."""
    through(request, "operate")
    with serving(request).database.read() as connection:
        messages = [
            {"site": one.site, "state": one.state, "type": f"{one.message_type}^{one.event}", "count": one.messages}
            for one in figures.messages(connection)
        ]
        body: dict[str, Any] = {
            "messages": messages,
            "resources": figures.resources(connection),
            "due": due.waiting(connection),
            "unmapped": [asdict(one) for one in figures.findings(connection, unread=True)],
            "doubts": [asdict(one) for one in figures.findings(connection, unread=False)],
        }
    return Response(json.dumps(body), media_type="application/json")
