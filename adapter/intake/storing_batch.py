"""What happens to a batch in the transaction that stores it: the row of the envelope, and those of its messages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from adapter.intake.storing import Stored, key_before_its_site, store_messages, take_turns
from adapter.store import batches, inbox
from adapter.store.database import Connection


@dataclass(slots=True)
class Batch:
    """A batch: the row of its envelope, its messages, and what in it was none.

    `answer` gives the code and the answer of the whole for its messages as they were stored, in their order; `stored`
    is how they were, once they are.
    """

    row: inbox.NewMessage
    messages: Sequence[inbox.NewMessage] = field(repr=False)
    events: Sequence[inbox.Event] = field(repr=False)
    answer: Callable[[Sequence[Stored]], tuple[str, bytes]] = field(repr=False)
    stored: Sequence[Stored] = field(default=(), repr=False)


def store_batch(connection: Connection, batch: Batch) -> Stored:
    """Store a batch with its messages.

    The same batch again gets the same answer, unless some of it was refused before and is taken now.
    """
    row = batch.row
    take_turns(connection, [row, *batch.messages])
    known = inbox.find_duplicate(connection, [row.key, key_before_its_site(row)])
    before = next(iter(known.values()), None)
    if before:
        attempt = inbox.Attempt(before.message_id, row.channel, row.transport, row.peer, row.received_at)
        inbox.record_attempt(connection, [attempt])
        if before.ack_code not in inbox.REFUSALS:
            return Stored(before.message_id, before.ack, repeated=True)
    number = before.message_id if before else inbox.insert(connection, [row])[0]
    inbox.record_event(connection, batch.events)
    batch.stored = store_members(connection, number, batch.messages)
    if before and all(one.repeated for one in batch.stored):
        return Stored(number, before.ack, repeated=True)
    code, answer = batch.answer(batch.stored)
    batches.answer(connection, number, code, answer)
    return Stored(number, answer, ack_code=code, message=row)


def store_members(connection: Connection, number: int, messages: Sequence[inbox.NewMessage]) -> list[Stored]:
    """Store the messages of the batch with this row; those that are new with it name it."""
    stored = store_messages(connection, messages)
    batches.join(connection, number, [one.message_id for one in stored if one.message_id and not one.repeated])
    return stored
