"""HL7 v2 over HTTP: one message in a POST, its acknowledgement in the answer."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from fastapi import Request, Response

from adapter.api.failures import failure
from adapter.errors import UnsupportedMedia

_MEDIA = frozenset({"application/hl7-v2", "x-application/hl7-v2+er7"})

PostHl7 = Callable[[Request], Awaitable[Response]]


class Answer(Protocol):
    """What the intake says of a message."""

    @property
    def ack(self) -> bytes | None:
        """The acknowledgement; None when none was asked for."""
        ...

    @property
    def close(self) -> bool:
        """A fault of our own: the sender must send again."""
        ...


class Receive(Protocol):
    """The intake's entrance."""

    async def __call__(self, raw: bytes, *, peer: str) -> Answer:
        """Store the message, then answer."""
        ...


def endpoint(receive: Receive, *, maximum: int) -> PostHl7:
    """The handler of `POST /hl7`, handing messages of at most `maximum` bytes to `receive`."""

    async def post_hl7(request: Request) -> Response:
        """200 with the acknowledgement, whatever it says; 503 without a body when the message is not stored."""
        sent = request.headers.get("content-type", "")
        if sent.partition(";")[0].strip().lower() not in _MEDIA:
            raise UnsupportedMedia(f"HL7 v2 comes as {' or '.join(sorted(_MEDIA))}")
        raw = bytearray()
        async for piece in request.stream():
            raw += piece
            if len(raw) > maximum:
                return failure(413, "too-long", f"a message has at most {maximum} bytes")
        peer = f"{request.client.host}:{request.client.port}" if request.client else ""
        answer = await receive(bytes(raw), peer=peer)
        if answer.close:
            return Response(status_code=503, headers={"Retry-After": "30"})
        if answer.ack is None:
            return Response(status_code=204)
        return Response(answer.ack, headers={"Content-Type": sent})

    return post_hl7
