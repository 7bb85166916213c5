"""Who wants to hear what: original and enhanced mode (HL7 v2.5.1 §2.9.2 and §2.9.3, table 0155)."""

from adapter.errors import Refusal
from adapter.hl7v2.ack import Fault
from adapter.hl7v2.header import Header
from adapter.mapper.policy import ENHANCED, ORIGINAL

_NEVER = frozenset({b"", b"NE"})
_REPLIES = {"AL": "reply_always", "ER": "reply_on_error", "SU": "reply_on_success"}


def acknowledgement(head: Header, refusal: Refusal | Fault | None, default: str = ORIGINAL) -> tuple[str, bool]:
    """The code that answers a message at once, and whether the sender wants to hear it.

    Both MSH-15 and MSH-16 empty is the mode of the site, in both always an answer. MSH-16 alone asks for AA, AE or AR
    by its condition; MSH-15 asks for CA, CE or CR. A condition that is in no table counts as `AL` (B31).

    Args:
        head: of the message.
        refusal: why it is refused; None: it is accepted.
        default: the mode of the site.
    """
    code = refusal.ack if refusal else "AA"
    if not head.raw(15) and not head.raw(16):
        return (f"C{code[1]}" if default == ENHANCED else code), True
    accept, application = head.accept_ack, head.application_ack
    conditions = {"NE": False, "ER": refusal is not None, "SU": refusal is None}
    if not accept:
        return code, conditions.get(application, True)
    return f"C{code[1]}", conditions.get(accept, True)


def reply_flag(head: Header) -> str:
    """The flag of a message whose sender also wants an application acknowledgement, as a message of its own (B27)."""
    if not head.raw(15) or head.raw(16) in _NEVER:
        return ""
    return _REPLIES.get(head.application_ack, _REPLIES["AL"])
