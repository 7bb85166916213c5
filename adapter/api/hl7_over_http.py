"""HL7 v2 over HTTP: one message in a POST, its acknowledgement in the answer."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from adapter.api.body import Body, collect, packed
from adapter.request_errors import BadBody, TooLong, TooSlow, UnsupportedMedia

_MEDIA = frozenset({"application/hl7-v2", "application/hl7-v2+er7", "x-application/hl7-v2+er7"})
_LARGE = 1024 * 1024

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

    @property
    def message_id(self) -> int | None:
        """The number of the stored message."""
        ...


class Entrance(Protocol):
    """The intake, as a channel over HTTP sees it."""

    async def receive(self, raw: bytes, *, peer: str) -> Answer:
        """Store the message, then answer."""
        ...

    async def receive_large(self, body: Body, *, peer: str) -> Answer:
        """The same for a message in a file."""
        ...

    async def undelivered(self, message_id: int, *, peer: str) -> None:
        """The client went away before it had its answer (A40)."""
        ...

    async def partial(self, head: bytes, *, peer: str) -> None:
        """The client went away before its message was whole."""
        ...

    def refused(self, kind: str, address: str) -> None:
        """A request was refused; `kind` is that of the incident."""
        ...

    def charset(self, ack: bytes) -> str | None:
        """The characters of an acknowledgement, by their IANA name; None where it does not say."""
        ...


def endpoint(entrance: Entrance, *, maximum: int, stall_seconds: float = 30.0, folder: Path | None = None) -> PostHl7:
    """The handler of `POST /hl7`.

    Args:
        entrance: takes the messages.
        maximum: bytes of a message, without their packing.
        stall_seconds: how long a body may pause.
        folder: where large bodies wait until they are whole; by default that of the system.
    """

    async def post_hl7(request: Request) -> Response:
        """200 with the acknowledgement, whatever it says; 503 without a body when the message is not stored."""
        if _media_type(request) not in _MEDIA:
            raise UnsupportedMedia(f"HL7 v2 comes as {' or '.join(sorted(_MEDIA))}")
        address, peer = _peer(request)
        with Body(maximum=maximum, packed=packed(request), folder=folder) as body:
            try:
                _refuse_declared(request, maximum)
                await collect(request, body, stall_seconds=stall_seconds)
            except ClientDisconnect:
                await entrance.partial(bytes(body.head), peer=peer)
                return Response(status_code=400)  # nobody is there to read it
            except (TooLong, TooSlow, BadBody):
                entrance.refused("body_refused", address)
                raise
            if body.length > _LARGE:
                answer = await entrance.receive_large(body, peer=peer)
            else:
                answer = await entrance.receive(body.read(), peer=peer)
        if answer.message_id is not None and await request.is_disconnected():
            await entrance.undelivered(answer.message_id, peer=peer)
        return _response(request, answer, entrance.charset)

    return post_hl7


def _refuse_declared(request: Request, maximum: int) -> None:
    """Ask for no byte of a body that says itself that it is too long."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > maximum:
        raise TooLong(f"a message has at most {maximum} bytes")


def _response(request: Request, answer: Answer, charset: Callable[[bytes], str | None]) -> Response:
    if answer.close:
        return Response(status_code=503, headers={"Retry-After": "30"})
    if answer.ack is None:
        return Response(status_code=204)
    # The acknowledgement is written in the characters of MSH-18, whatever the request's header said of them.
    named = charset(answer.ack) or _charset_sent(request)
    return Response(
        answer.ack, headers={"Content-Type": _media_type(request) + (f"; charset={named}" if named else "")}
    )


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _charset_sent(request: Request) -> str:
    for part in request.headers.get("content-type", "").split(";")[1:]:
        name, _, value = part.partition("=")
        if name.strip().lower() == "charset":
            return value.strip().strip('"')
    return ""


def _peer(request: Request) -> tuple[str, str]:
    """The address, and the address with its port."""
    return (request.client.host, f"{request.client.host}:{request.client.port}") if request.client else ("", "")
