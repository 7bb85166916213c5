"""What happens to messages in the transaction that stores them: known ones, numbers used twice, gaps, fragments.

Everything is asked once for all messages of a transaction, however many they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from adapter.intake.draft import UNKNOWN_SITE
from adapter.protocol_errors import ControlIdReused, SequenceBroken
from adapter.replies import owed
from adapter.store import fragments, inbox, resent
from adapter.store.database import Connection, run_many
from adapter.store.links import RESET, START, Links
from adapter.store.members import lock

CONTROL_ID_REUSED, PROBABLE_RESEND = "control_id_reused", "probable_resend"

_IS_RESEND = "UPDATE message SET resend_of = ?, flags = trim(flags || ' probable_resend') WHERE id = ?"


@dataclass(frozen=True, slots=True)
class Stored:
    """A record is on disk. `ack` is the answer that the first of equal messages was given.

    `message` is what the record became; None where it came before, or is no message.
    """

    message_id: int | None
    ack: bytes | None = None
    repeated: bool = False
    ack_code: str = ""
    message: inbox.NewMessage | None = None


def store_messages(connection: Connection, messages: Sequence[inbox.NewMessage]) -> list[Stored]:
    """Insert what is new; of what is known, in the inbox or earlier in this batch, note another attempt (B14, B18)."""
    if not messages:
        return []
    keys = [message.key for message in messages]
    first: dict[inbox.Key, inbox.NewMessage] = {}
    for key, message in zip(keys, messages, strict=True):
        first.setdefault(key, message)
    take_turns(connection, messages)
    looked_up = inbox.look_up(connection, [*first], other_site=UNKNOWN_SITE)
    known = looked_up.acks
    judged = _judge(connection, first, known, looked_up.used)
    lifted = _lift_refusals(connection, judged, known)
    new = {key: message for key, message in judged.items() if key not in known}
    for (key, message), number in zip(new.items(), _insert(connection, [*new.values()]), strict=True):
        known[key] = inbox.StoredAck(number, message.ack_code, message.ack)
    results: list[Stored] = []
    attempts: list[inbox.Attempt] = []
    for key, message in zip(keys, messages, strict=True):
        found = known[key]
        is_first = first[key] is message
        is_new = is_first and key in new
        is_judged_now = is_new or (is_first and found.message_id in lifted)
        row = judged[key] if is_judged_now else None
        results.append(Stored(found.message_id, found.ack, not is_judged_now, found.ack_code, row))
        if not is_new:
            place = (message.channel, message.transport, message.peer, message.received_at)
            attempts.append(inbox.Attempt(found.message_id, *place))
    inbox.record_attempt(connection, attempts)
    _finish(connection, [(one.message_id or 0, one.message) for one in results if one.message])
    return results


def take_turns(connection: Connection, messages: Sequence[inbox.NewMessage]) -> None:
    """Another process may be storing the same: who comes second must see what the first has stored (B18)."""
    lock(connection, {f"intake {message.site}" for message in messages})


def _judge(
    connection: Connection,
    first: Mapping[inbox.Key, inbox.NewMessage],
    known: dict[inbox.Key, inbox.StoredAck],
    used: dict[tuple[str, str], set[bytes]],
) -> dict[inbox.Key, inbox.NewMessage]:
    """Judge what is new, or was refused before, with what the inbox knows."""
    judged = dict(first)
    links = Links(connection)
    for key, message in first.items():
        before = known.get(key)
        if before and before.ack_code not in inbox.REFUSALS:
            continue
        if message.judge and message.judge.sequence is not None:
            judged[key] = _in_sequence(message, message.judge, message.judge.sequence, links)
            if before and judged[key].cause_code:
                # Still refused; but what is expected may be another number now.
                known[key] = inbox.StoredAck(before.message_id, judged[key].ack_code, judged[key].ack)
        if message.unique and judged[key].ack_code not in inbox.REFUSALS:
            mine = used.setdefault(key[:2], set())
            if mine - {key[2]}:
                judged[key] = _with_used_id(judged[key])
            if judged[key].ack_code not in inbox.REFUSALS:
                mine.add(key[2])
    return judged


def _in_sequence(message: inbox.NewMessage, judge: inbox.Judge, number: int, links: Links) -> inbox.NewMessage:
    """Take the number that is expected; refuse another (B34 to B36)."""
    expected = links.expected(message.site, message.channel)
    if number == START:
        return judge.again(None, expected or 1)
    if number == RESET:
        links.keep(message.site, message.channel, RESET)
        return judge.again(None, RESET)
    if expected is None or number == expected:
        links.keep(message.site, message.channel, number)
        return message
    return judge.again(SequenceBroken(_gap(expected, number)), expected)


def _gap(expected: int, number: int) -> str:
    if number < expected:
        return f"expected {expected}"
    return f"missing {expected}" if number == expected + 1 else f"missing {expected}-{number - 1}"


def _with_used_id(message: inbox.NewMessage) -> inbox.NewMessage:
    """Flag, or refuse, what has the MSH-10 of another message although its site promises to use none twice (B15)."""
    if message.judge and message.judge.strict:
        return message.judge.again(ControlIdReused("this control id was that of another message"))
    return replace(message, flags=f"{message.flags} {CONTROL_ID_REUSED}".strip())


def _insert(connection: Connection, messages: Sequence[inbox.NewMessage]) -> list[int]:
    """Insert, and say of what has the content of another message that it is probably sent again (B16)."""
    contents = [message.content for message in messages if message.content is not None]
    before = inbox.find_contents(connection, contents) if contents else {}
    marked = [_resent(message, before) for message in messages]
    numbers = inbox.insert(connection, marked)
    within: list[tuple[int, int]] = []
    for message, number in zip(marked, numbers, strict=True):
        if message.content is None or message.resend_of:
            continue
        if (origin := before.setdefault(message.content, number)) != number:
            within.append((origin, number))
    run_many(connection, _IS_RESEND, within)
    return numbers


def _resent(message: inbox.NewMessage, before: Mapping[int, int]) -> inbox.NewMessage:
    origin = before.get(message.content) if message.content is not None else None
    if origin is None:
        return message
    return replace(message, resend_of=origin, flags=f"{message.flags} {PROBABLE_RESEND}".strip())


def _finish(connection: Connection, made: Sequence[tuple[int, inbox.NewMessage]]) -> None:
    """What follows at once: fragments that are complete now, replies to what is never converted."""
    judges = {one.site: one.judge for _, one in made if one.judge and one.state == "fragment"}
    for site, judge in judges.items():
        fragments.assemble(connection, site, judge.whole)
    ended = [number for number, one in made if one.state == "ignored" and "reply_" in one.flags]
    owed.write(connection, ended)


def _lift_refusals(
    connection: Connection, first: Mapping[inbox.Key, inbox.NewMessage], known: dict[inbox.Key, inbox.StoredAck]
) -> set[int]:
    """Accept what was refused when it came before and is not now; `known` then holds the new answers."""
    again: dict[int, inbox.NewMessage] = {}
    strays = {number for site, number, _ in known if site == UNKNOWN_SITE}
    for key, message in first.items():
        before = known.get(key)
        if before is None and key[1] in strays:
            before = known.get(key_before_its_site(message))
        if before and before.ack_code in inbox.REFUSALS and message.ack_code not in inbox.REFUSALS:
            again[before.message_id] = message
    if not again:
        return set()
    lifted = resent.lift(connection, list(again.items()))
    for number in lifted:
        known[again[number].key] = inbox.StoredAck(number, again[number].ack_code, again[number].ack)
    if len(lifted) < len(again):
        known |= inbox.find_duplicate(connection, [message.key for message in again.values()])
    return lifted


def key_before_its_site(message: inbox.NewMessage) -> inbox.Key:
    """The key that the same bytes had while no site matched their sender (D1)."""
    return (UNKNOWN_SITE, message.key[1], sha256(message.raw).digest())
