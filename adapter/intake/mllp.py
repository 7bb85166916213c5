"""Intake behind an MLLP listener."""

import asyncio
import logging

from adapter import log
from adapter.intake.receive import Intake, Origin
from adapter.listeners import Channel
from adapter.settings import Address
from adapter.wire.listener import Close, Crowded, Failed, Limits, Listener, Notice, Peer, Reply, Undelivered, serve
from adapter.wire.mllp import Abandoned, Frame, Garbage, Noise, Oversize

TRANSPORT = "mllp"
EVERY_SITE = Channel("mllp")


async def listen(
    intake: Intake, address: Address, *, channel: Channel = EVERY_SITE, limits: Limits | None = None
) -> Listener:
    """Serve MLLP at an address (port 0: any free one): every message goes through `intake`.

    Raises:
        OSError: the address is taken.
    """
    line = _Line(intake, channel)
    return await serve(address.host, address.port, handle=line.handle, notify=line.notify, limits=limits)


class _Line:
    """Between one listener and the intake: what is no message is recorded, too."""

    def __init__(self, intake: Intake, channel: Channel) -> None:
        self._intake, self._channel = intake, channel
        self._recording: set[asyncio.Task[None]] = set()

    async def handle(self, payload: bytes | Oversize, peer: Peer) -> Reply:
        origin, tally, channel = self._origin(peer), self._intake.tally, self._channel.name
        began = tally.begin(channel)
        try:
            return await self._answer(payload, origin)
        finally:
            tally.end(channel, began)

    async def _answer(self, payload: bytes | Oversize, origin: Origin) -> Reply:
        if isinstance(payload, Oversize):
            answer = await self._intake.receive_oversize(payload, origin=origin)
        else:
            answer = await self._intake.receive(payload, origin=origin)
        return Close(answer.ack) if answer.close else answer.ack

    def notify(self, notice: Notice, peer: Peer) -> None:
        self._intake.tally.notices[self._channel.name, type(notice).__name__.lower()] += 1
        match notice:
            case Noise(data) if not notice.blank:
                self._record("noise", data, peer, reason="bytes between frames")
            case Abandoned(head, _, reason):
                self._record("partial", head, peer, reason=reason)
            case Garbage(head, reason):
                self._record("garbage", head, peer, reason=reason)
            case Frame():
                self._log("end_block_lenient", peer)
            case Failed(error):
                log.event(
                    "intake_failed", level=logging.ERROR, failure=error, channel=self._channel.name, peer=str(peer)
                )
            case Crowded(connections):
                log.event(
                    "connections_full",
                    level=logging.WARNING,
                    channel=self._channel.name,
                    peer=str(peer),
                    count=connections,
                )
            case Undelivered():
                self._log("acknowledgement_undelivered", peer)
            case _:
                # Blank bytes between frames and heartbeats are the habit of many senders (A1, A14).
                log.event("framing_blank", level=logging.DEBUG, channel=self._channel.name, peer=str(peer))

    def _origin(self, peer: Peer) -> Origin:
        return Origin(self._channel, TRANSPORT, str(peer))

    def _record(self, kind: str, raw: bytes, peer: Peer, *, reason: str) -> None:
        log.event(
            f"connection_{kind}", level=logging.WARNING, channel=self._channel.name, peer=str(peer), reason=reason
        )
        record = self._intake.record_event(kind, raw, origin=self._origin(peer))
        task = asyncio.ensure_future(record)
        # The event loop itself keeps tasks weakly.
        self._recording.add(task)
        task.add_done_callback(self._recording.discard)

    def _log(self, name: str, peer: Peer) -> None:
        log.event(name, level=logging.WARNING, channel=self._channel.name, peer=str(peer))
