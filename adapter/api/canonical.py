"""Another base of canonical URLs than the one that mappings/ and profiles/ are written with.

Resources are stored as the files say, so that ids and history are the same whatever the base; an answer leaves with the
base that is set, and a question is understood with it.
"""

import re

from starlette.types import ASGIApp, Message, Receive, Scope, Send

DEFAULT = "https://fhir.tli-trial.example.org"
"""The base that the files are written with."""

_PATHS = ("/fhir", "/guide")
_CODED = {":": "(?::|%3[Aa])", "/": "(?:/|%2[Ff])"}


class Rebased:
    """ASGI middleware: exchanges the two bases in answers, in queries and in posted forms."""

    def __init__(self, app: ASGIApp, *, base: str) -> None:
        """Wrap an application; `base` has no `/` at its end."""
        self._app, self._base = app, base.encode()
        pattern = "".join(_CODED.get(letter, re.escape(letter)) for letter in base)
        self._asked = re.compile(pattern.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http" or not scope["path"].startswith(_PATHS):
            await self._app(scope, receive, send)
            return
        asked = {**scope, "query_string": self._inwards(scope["query_string"])}
        outwards = _Outwards(send, self._base)

        async def received() -> Message:
            message = await receive()
            return {**message, "body": self._inwards(message["body"])} if message.get("body") else message

        await self._app(asked, received, outwards)

    def _inwards(self, sent: bytes) -> bytes:
        return self._asked.sub(DEFAULT.encode(), sent)


class _Outwards:
    """Keeps the head of an answer until its body is whole, for the length may change."""

    def __init__(self, send: Send, base: bytes) -> None:
        self._send, self._base = send, base
        self._head: Message = {}
        self._body = bytearray()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._head = message
            return
        self._body += message.get("body", b"")
        if message.get("more_body"):
            return
        body = bytes(self._body).replace(DEFAULT.encode(), self._base)
        headers = [(name, value) for name, value in self._head["headers"] if name != b"content-length"]
        length = (b"content-length", str(len(body)).encode())
        # The answer to HEAD, and 304, have no body, and the length of none.
        await self._send({**self._head, "headers": [*headers, length] if body else self._head["headers"]})
        await self._send({**message, "body": body})
