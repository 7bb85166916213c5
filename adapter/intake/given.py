"""Messages that the program makes of an imported file: they come in like any other, over a channel of their own."""

import asyncio
from collections.abc import Sequence

from adapter.errors import StorageUnavailable
from adapter.intake.origin import Answer, Origin
from adapter.intake.receive import Intake
from adapter.listeners import Channel

TRANSPORT = "import"


async def receive_made(intake: Intake, raws: Sequence[bytes], *, site: str, actor: str) -> list[Answer]:
    """Give messages to the intake, in their order.

    Args:
        intake: stores them.
        raws: the messages.
        site: whose they are; those of another are refused.
        actor: who imports; kept with each message as its peer.

    Raises:
        StorageUnavailable: one of them is not stored.
    """
    origin = Origin(Channel(TRANSPORT, frozenset({site})), TRANSPORT, actor)
    answers = await asyncio.gather(*(intake.receive(raw, origin=origin) for raw in raws))
    if any(answer.close for answer in answers):
        raise StorageUnavailable("not every row of the import is stored; it may be imported again")
    return answers
