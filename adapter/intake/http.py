"""Intake behind HTTP."""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, Protocol, cast

from adapter import log
from adapter.errors import HeaderRefusal
from adapter.hl7v2.encoding import codec
from adapter.hl7v2.header import header
from adapter.intake.origin import Answer, Origin
from adapter.intake.receive import Intake
from adapter.listeners import Channel
from adapter.wire.spool import Spooled

TRANSPORT = "http"
HTTP = Channel(TRANSPORT)
"""Beside the FHIR API, for every site."""

# IANA's names of Python's codecs (RFC 2978), where they are not the same.
_IANA = {
    "ascii": "us-ascii",
    "euc_kr": "euc-kr",
    "cp1252": "windows-1252",
    **{f"iso8859-{part}": f"iso-8859-{part}" for part in range(1, 16)},
}


class LargeBody(Protocol):
    """A body in a file (`api/body.py`)."""

    file: SpooledTemporaryFile[bytes]
    head: bytearray
    length: int

    @property
    def sha256(self) -> str:
        """The hash of all of it."""
        ...


class HttpLine:
    """Between one HTTP listener and the intake: what is no message is recorded, too."""

    def __init__(self, intake: Intake, channel: Channel = HTTP) -> None:
        """Hand on what comes over `channel`."""
        self._intake, self._channel = intake, channel

    async def receive(self, raw: bytes, *, peer: str) -> Answer:
        """As `Intake.receive`."""
        with self._counted():
            return await self._intake.receive(raw, origin=self._origin(peer))

    async def receive_large(self, body: LargeBody, *, peer: str) -> Answer:
        """As `Intake.receive_large`."""
        body.file.seek(0)
        spooled = Spooled(cast("BinaryIO", body.file), bytes(body.head), body.length, body.sha256)
        with self._counted():
            return await self._intake.receive_large(spooled, origin=self._origin(peer))

    async def undelivered(self, message_id: int, *, peer: str) -> None:
        """Note that an answer did not leave, since the client had gone (A40)."""
        self.refused("acknowledgement_undelivered", peer.rpartition(":")[0])
        await self._intake.undelivered(message_id, origin=self._origin(peer))

    async def partial(self, head: bytes, *, peer: str) -> None:
        """Keep what came of a message whose sender went away."""
        log.event("connection_partial", level=logging.WARNING, channel=self._channel.name, peer=peer)
        if head:
            await self._intake.record_event("partial", head, origin=self._origin(peer))

    def refused(self, kind: str, address: str) -> None:
        """Note an incident."""
        self._intake.incidents.note(kind, channel=self._channel.name, peer=address)

    def charset(self, ack: bytes) -> str | None:
        """The characters of an acknowledgement by their IANA name: it bears the MSH-18 of its message."""
        try:
            found = codec(header(ack).charset)
        except HeaderRefusal:
            return None
        return found and _IANA.get(found, found)

    @contextmanager
    def _counted(self) -> Generator[None]:
        tally, channel = self._intake.tally, self._channel.name
        began = tally.begin(channel)
        try:
            yield
        finally:
            tally.end(channel, began)

    def _origin(self, peer: str) -> Origin:
        return Origin(self._channel, TRANSPORT, peer)
