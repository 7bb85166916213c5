"""How messages end, for sites that are answered when their resources are stored (`ack_point: mapped`).

The worker may be a process of its own: the inbox is asked, once for all that wait.
"""

import asyncio
from collections.abc import Sequence

from adapter.errors import Held, StorageUnavailable
from adapter.hl7v2.ack import Fault
from adapter.store import answers
from adapter.store.database import Database

LOOK_SECONDS = 0.03

BLOCKED = Fault(Held.code, "Held", "an earlier message of the same patient waits for a person", Held.mender)


class Outcomes:
    """Waits for messages to be mapped or held. Belongs to one event loop."""

    def __init__(self, database: Database) -> None:
        """Ask this inbox."""
        self._database = database
        self._waiting: dict[int, list[asyncio.Future[Fault | None]]] = {}
        self._looking: asyncio.Task[None] | None = None

    async def of(self, message_id: int) -> Fault | None:
        """Wait until the message has ended; return why a person must look, or None.

        Raises:
            StorageUnavailable: the inbox cannot be asked.
        """
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[Fault | None] = loop.create_future()
        self._waiting.setdefault(message_id, []).append(ended)
        if self._looking is None:
            self._looking = loop.create_task(self._look())
        return await ended

    async def _look(self) -> None:
        while self._waiting:
            asked = [number for number, futures in self._waiting.items() if not all(one.done() for one in futures)]
            self._waiting = {number: self._waiting[number] for number in asked}
            try:
                for ended in await asyncio.to_thread(self._ask, asked):
                    _tell(self._waiting.pop(ended.id, ()), _fault(ended))
            except StorageUnavailable as failure:
                for futures in self._waiting.values():
                    _tell(futures, failure)
                self._waiting = {}
            await asyncio.sleep(LOOK_SECONDS)
        self._looking = None

    def _ask(self, message_ids: Sequence[int]) -> list[answers.Ended]:
        with self._database.read() as connection:
            return answers.ended(connection, message_ids)


def _fault(ended: answers.Ended) -> Fault | None:
    if ended.state == "received":
        return BLOCKED
    return Fault.held(ended.cause_code, ended.cause, ended.mender) if ended.state == "held" else None


def _tell(futures: "Sequence[asyncio.Future[Fault | None]]", outcome: Fault | StorageUnavailable | None) -> None:
    for one in futures:
        if one.done():
            continue
        if isinstance(outcome, StorageUnavailable):
            one.set_exception(outcome)
        else:
            one.set_result(outcome)
