"""Which application acknowledgements are owed, and their text (HL7 v2.5.1 §2.9.3.2).

Written in the transaction that ends the message: an answer can neither be lost nor be given to what did not happen.
"""

from collections.abc import Sequence
from datetime import datetime

from adapter.hl7v2.ack import Fault, acknowledge
from adapter.hl7v2.header import header
from adapter.store import replies
from adapter.store.database import Connection, instant, now_micros

_OURS = "H2FR"
_ENDS = {"mapped": "AA", "unmapped": "AA", "ignored": "AA", "held": "AE"}
_WANTED = {
    "reply_always": frozenset({"AA", "AE"}),
    "reply_on_error": frozenset({"AE"}),
    "reply_on_success": frozenset({"AA"}),
}


def write(connection: Connection, message_ids: Sequence[int]) -> None:
    """Write the replies to messages that have just ended, where their senders want one.

    Doing it again writes the same. A message that is converted again, after a person mended what held it, is answered
    anew only while the first answer has not gone out.
    """
    if not message_ids:
        return
    now = now_micros(connection)
    made = [_reply(ended, now) for ended in replies.ended(connection, message_ids)]
    replies.put(connection, [one for one in made if one])


def control_id(message_id: int) -> str:
    """MSH-10 of the reply to a message: always the same, and never that of an immediate acknowledgement."""
    return f"{_OURS}{message_id:x}"


def message_of(connection: Connection, number: str) -> int | None:
    """The message to which the reply with this MSH-10 was written; None where there is none (B32)."""
    digits = number.removeprefix(_OURS)
    if digits == number or not set(digits) <= set("0123456789abcdef") or not 0 < len(digits) < 16:
        return None
    message_id = int(digits, 16)
    return message_id if replies.is_of(connection, message_id) else None


def _reply(ended: replies.Ended, now: int) -> replies.NewReply | None:
    code = _ENDS.get(ended.state, "")
    flag = next((word for word in ended.flags.split() if word in _WANTED), "")
    if not flag or code not in _WANTED[flag]:
        return None
    number = control_id(ended.id)
    return replies.NewReply(ended.id, ended.site, code, number, _payload(ended, code, number, instant(now)), now)


def _payload(ended: replies.Ended, code: str, number: str, now: datetime) -> bytes:
    fault = Fault.held(ended.cause_code, ended.cause, ended.mender) if code == "AE" else None
    return acknowledge(header(ended.raw), code=code, control_id=number, now=now, error=fault, unanswered=True)
