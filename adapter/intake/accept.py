"""A person accepts what was refused as a whole: a batch that is not whole, several messages in one frame."""

from collections.abc import Mapping
from datetime import datetime

from adapter.hl7v2 import batch, envelope
from adapter.intake.batches import CAUSES, Door
from adapter.intake.checks import read
from adapter.intake.marks import lane
from adapter.intake.origin import Origin
from adapter.intake.storing_batch import store_members
from adapter.listeners import Channel
from adapter.mapper.catalog import Catalog
from adapter.protocol_errors import WrongOrder
from adapter.store import batches, inbox, repair
from adapter.store.database import Connection


def accept_held(
    connection: Connection, message_id: int, *, door: Door, channels: Mapping[str, Channel], now: datetime
) -> bool:
    """Take a held batch apart and store its messages, each judged now and with a row of its own.

    The row becomes a `batch`, and the same batch sent again hears what became of its messages. What came meanwhile in
    another way is known by its bytes and not stored twice. Doing it again does nothing.

    Args:
        connection: of a transaction, which holds all of it.
        message_id: the row.
        door: the intake.
        channels: the listeners and folders by name, whose sites may send there. Of another channel only messages of
            the row's own site are taken.
        now: the time.

    Returns:
        Whether there was anything to do: the row may be accepted already, or be held for another cause.
    """
    held = batches.take_held(connection, message_id, CAUSES)
    if held is None:
        return False
    channel = channels.get(held.channel) or Channel(held.channel, frozenset({held.site}))
    origin = Origin(channel, held.transport, held.peer)
    records = [door.judge(message, origin=origin) for message in batch.messages(held.raw)]
    inbox.record_event(connection, [one for one in records if isinstance(one, inbox.Event)])
    messages = [one for one in records if isinstance(one, inbox.NewMessage)]
    stored = store_members(connection, message_id, messages)
    acks = [one.ack for one in stored if one.ack]
    code = "AE" if any(one.ack_code in inbox.REFUSALS for one in stored) else "AA"
    batches.answer(connection, message_id, code, _answer(held, acks, door, now))
    return True


def accept_order(connection: Connection, message_id: int, *, catalog: Catalog) -> bool:
    """Let a message whose segments stand in a wrong order be converted as it is (B51).

    Returns:
        Whether there was anything to do: it may be accepted already, or be held for another cause.
    """
    held = repair.held_for(connection, message_id, WrongOrder.code)
    if held is None:
        return False
    site, raw = held
    reading = read(raw, catalog, Channel("", frozenset({site})))
    reading.refusal = None
    repair.convert_anyway(connection, message_id, lane=lane(reading))
    return True


def _answer(held: batches.HeldBatch, acks: list[bytes], door: Door, now: datetime) -> bytes:
    """As the batch was answered before: in an envelope, or each message for itself."""
    if not envelope.begins(held.ack):
        return b"".join(acks)
    asked = envelope.read(held.raw).outline()
    return envelope.wrap(asked, [acks], control_ids=lambda: door.control_id(now), now=now)
