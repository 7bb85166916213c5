"""What a listener notices, as an incident for people."""

from collections.abc import Mapping
from dataclasses import dataclass

from adapter.wire import certificates, tls
from adapter.wire.listener import Notice, Refused, Undelivered
from adapter.wire.mllp import (
    BROKEN,
    CLOSED,
    HTTP_HERE,
    RESTARTED,
    TLS_HERE,
    Abandoned,
    Frame,
    Garbage,
    Noise,
    NoRoom,
)
from adapter.wire.notices import CROWD, FORBIDDEN, FULL, SLOW, STALLED, Joined, Stranger, Unread, Unwelcome, Vanished
from adapter.wire.spool import Spooled

_SHOWN = 16
_ABANDONED = {
    CLOSED: "frame_truncated",
    BROKEN: "frame_truncated",
    STALLED: "frame_stalled",
    RESTARTED: "frame_restarted",
    SLOW: "frame_slow",
}
_GARBAGE = {TLS_HERE: "wrong_protocol", HTTP_HERE: "wrong_protocol"}
_REFUSED = {FULL: "connections_full", CROWD: "connections_of_address", FORBIDDEN: "address_forbidden"}
_UNWELCOME = {
    tls.PLAIN: "wrong_protocol",
    tls.MISSING: "certificate_missing",
    tls.UNTRUSTED: "certificate_refused",
}


@dataclass(frozen=True, slots=True)
class Remark:
    """A kind of `incident_kinds`, what is added for people, and whether each peer is an incident of its own."""

    kind: str
    detail: str = ""
    of_peer: bool = True


_PLAINLY: Mapping[type, Remark] = {
    Frame: Remark("end_block_lenient"),
    Spooled: Remark("end_block_lenient"),
    Undelivered: Remark("acknowledgement_undelivered"),
    Unread: Remark("answers_unread"),
    Vanished: Remark("peer_vanished"),
}


def remark(notice: Notice) -> Remark | None:
    """What an operator is to see; None where it is nothing to be seen."""
    return _PLAINLY.get(type(notice)) or _of_bytes(notice) or _of_peer(notice)


def _of_bytes(notice: Notice) -> Remark | None:
    match notice:
        case Noise():
            return Remark("framing_noise" if notice.blank else "framing_junk")
        case Garbage(head, reason):
            # So little tells the protocol, and no patient: even an HL7 message is not past its sender here.
            text = f"{reason}; first bytes: {head[:_SHOWN].hex(' ')}"
            return Remark(_GARBAGE.get(reason, "no_start_block"), text)
        case Abandoned(_, _, reason) if reason in _ABANDONED:
            return Remark(_ABANDONED[reason])
        case NoRoom(reason):
            return Remark("spool_full", reason, of_peer=False)
        case _:
            return None


def _of_peer(notice: Notice) -> Remark | None:
    match notice:
        case Refused(reason, connections):
            return Remark(_REFUSED[reason], f"{connections} are open", of_peer=reason != FULL)
        case Joined(connections):
            return Remark("second_connection", f"{connections} are open")
        case Unwelcome(reason, detail, certificate):
            words = [reason, detail, _named(certificate)]
            return Remark(_UNWELCOME.get(reason, "handshake_failed"), ": ".join(filter(None, words)))
        case Stranger(certificate):
            return Remark("certificate_foreign", _named(certificate))
        case _:
            return None


def _named(certificate: bytes) -> str:
    known = certificates.parse(certificate) if certificate else None
    return str(known) if known else ""
