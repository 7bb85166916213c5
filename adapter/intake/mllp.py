"""Intake behind an MLLP listener."""

import asyncio
import logging
from collections.abc import Coroutine

from adapter import log
from adapter.intake.notices import remark
from adapter.intake.origin import Origin
from adapter.intake.receive import Intake
from adapter.listeners import Channel
from adapter.settings import Address
from adapter.wire.listener import OPEN_DOOR, Close, Door, Failed, Limits, Listener, Notice, Peer, Reply, Undelivered
from adapter.wire.mllp import BLANK, Abandoned, Garbage, Noise
from adapter.wire.notices import Acknowledgement, Payload, Unwelcome
from adapter.wire.spool import Spooled

TRANSPORT = "mllp"
EVERY_SITE = Channel("mllp")


async def listen(
    intake: Intake,
    address: Address,
    *,
    channel: Channel = EVERY_SITE,
    limits: Limits | None = None,
    door: Door = OPEN_DOOR,
) -> Listener:
    """Serve MLLP at an address (port 0: any free one): every message goes through `intake`.

    Raises:
        OSError: the address is taken.
    """
    limits = limits or Limits()
    line = _Line(intake, channel, heartbeats=limits.heartbeats)
    listener = Listener(line.handle, line.notify, limits, door)
    await listener.start(address.host, address.port)
    return listener


class _Line:
    """Between one listener and the intake: what is no message is recorded, too."""

    def __init__(self, intake: Intake, channel: Channel, *, heartbeats: bool = True) -> None:
        self._intake, self._channel, self._heartbeats = intake, channel, heartbeats
        self._recording: set[asyncio.Task[None]] = set()

    async def handle(self, payload: Payload, peer: Peer) -> Reply:
        tally, channel = self._intake.tally, self._channel.name
        began = tally.begin(channel)
        try:
            return await self._answer(payload, peer)
        finally:
            tally.end(channel, began)

    async def _answer(self, payload: Payload, peer: Peer) -> Reply:
        origin = self._origin(peer)
        if isinstance(payload, bytes):
            blank = not (self._heartbeats or payload.strip(BLANK))
            answer = self._intake.refuse_empty(origin) if blank else await self._intake.receive(payload, origin=origin)
        elif isinstance(payload, Spooled):
            answer = await self._intake.receive_large(payload, origin=origin)
        else:
            answer = await self._intake.receive_oversize(payload, origin=origin)
            if not payload.ended:
                self._incident("frame_endless", peer, f"after {payload.length} bytes")
        if answer.close:
            return Close(answer.ack)
        if answer.ack is None or answer.message_id is None:
            return answer.ack
        return Acknowledgement(answer.ack, answer.message_id)

    def notify(self, notice: Notice, peer: Peer) -> None:
        self._intake.tally.notices[self._channel.name, type(notice).__name__.lower()] += 1
        remarked = remark(notice)
        if remarked and not isinstance(notice, Abandoned):
            self._incident(remarked.kind, peer if remarked.of_peer else None, remarked.detail)
        match notice:
            case Noise(data) if not notice.blank:
                self._record("noise", data, peer)
            case Abandoned(head, _, _):
                self._record("partial", head, peer, incident=remarked.kind if remarked else "")
            case Garbage(head, _):
                self._record("garbage", head, peer)
            case Unwelcome(first=first) if first:
                self._record("garbage", first, peer)
            case Undelivered(reference) if reference is not None:
                self._later(self._intake.undelivered(reference, origin=self._origin(peer)))
            case Failed(error):
                log.event(
                    "intake_failed", level=logging.ERROR, failure=error, channel=self._channel.name, peer=str(peer)
                )
            case _:
                pass

    def _origin(self, peer: Peer) -> Origin:
        return Origin(self._channel, TRANSPORT, str(peer))

    def _incident(self, kind: str, peer: Peer | None, detail: str) -> None:
        address = peer.address if peer else ""
        self._intake.incidents.note(kind, channel=self._channel.name, peer=address, detail=detail)

    def _record(self, kind: str, raw: bytes, peer: Peer, *, incident: str = "") -> None:
        self._later(self._intake.record_event(kind, raw, origin=self._origin(peer), incident=incident))

    def _later(self, recorded: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(recorded)
        # The event loop itself keeps tasks weakly.
        self._recording.add(task)
        task.add_done_callback(self._recording.discard)
