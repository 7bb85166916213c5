"""A status that the event decides, else a code of the message: a cancellation ends what it names, whatever it says.

The tables of events name every event of their messages; a row without a target leaves the status to the code.
"""

from functools import partial
from typing import Any

from adapter.hl7v2.message import Field, Repetition
from adapter.mapper.datatypes.converter import Bound, Converter, first, part
from adapter.mapper.datatypes.cwe import TableCodes
from adapter.mapper.datatypes.doubt import Doubt, without_doubt
from adapter.mapper.sites import Site

_GONE = {"MDL": False, "MDC": False, "MAC": True}
"""HL7 table 0180: the record of a master file is deleted, deactivated, active again."""


def ended(by_event: TableCodes, message_type: Field) -> str | None:
    """The status that the event (MSH-9.2) decides; None where it leaves it to the message."""
    return without_doubt(by_event.code(((first(message_type, 2),),)))


def _bind_status(site: Site, _paths: tuple[str, ...], *, events: str, table: str) -> Bound:
    by_event, by_code = TableCodes(site, events), TableCodes(site, table)

    def status(*fields: Field) -> str | Doubt | None:
        *sent, event = fields
        said = next((field for field in sent if field), None)
        return ended(by_event, event) or (by_code.code(said[0]) if said else None)

    return status


def _bind_account(site: Site, _paths: tuple[str, ...]) -> Bound:
    """An event that is in no table says nothing of the account."""
    by_event = TableCodes(site, "event-account-status")

    def account_status(message_type: Repetition) -> str | None:
        return without_doubt(by_event.code(((part(message_type, 1),),)))

    return account_status


def _record_active(event: Field, flag: Field) -> bool | None:
    """MFE-1, else the flag of the record itself (HL7 table 0183: A, I)."""
    return _GONE.get(first(event), {"A": True, "I": False}.get(first(flag)))


def _bind_active(_site: Site, _paths: tuple[str, ...]) -> Bound:
    return _record_active


def _bind_location_status(_site: Site, _paths: tuple[str, ...]) -> Bound:
    def location_status(event: Field, flag: Field) -> str | None:
        active: Any = _record_active(event, flag)
        return None if active is None else "active" if active else "inactive"

    return location_status


CONVERTERS = (
    Converter(
        "CWE-MSG-appointmentStatus",
        "code",
        partial(_bind_status, events="event-appointment-status", table="0278-appointment-status"),
        sources=3,
        reads=frozenset({1, 2, 3}),
    ),
    Converter(
        "CWE-MSG-referralStatus",
        "code",
        partial(_bind_status, events="event-referral-status", table="0283-referral-status"),
        sources=2,
        reads=frozenset({1, 2, 3}),
    ),
    Converter("MSG-accountStatus", "code", _bind_account, reads=frozenset({1})),
    Converter("MFE-ID-active", "boolean", _bind_active, sources=2, reads=frozenset({1})),
    Converter("MFE-ID-locationStatus", "code", _bind_location_status, sources=2, reads=frozenset({1})),
)
