"""What an event means beside its fields: the status of a result, what a sender deletes or says was of somebody else.

`meta.tag` marks such data, so that whoever exported it before can be told (catalogue E15, E31).
"""

from collections.abc import Mapping
from typing import Any

from adapter.hl7v2.message import Field, Repetition
from adapter.mapper.codes import CANONICAL, Coding
from adapter.mapper.datatypes.converter import Bound, Converter, first, part, plain
from adapter.mapper.datatypes.cwe import TableCodes
from adapter.mapper.datatypes.doubt import Doubt, without_doubt
from adapter.mapper.sites import Site

MARKS = f"{CANONICAL}/CodeSystem/tli-mark"
WRONG_PATIENT, DELETION, CONTRADICTED = "wrong-patient", "deletion-asked", "status-contradicted"
"""Kinds of issues; the first two are alarms."""

_WRONG: Coding = {"system": MARKS, "code": "wrong-patient", "display": "Posted for the wrong patient"}
_DELETED: Coding = {"system": MARKS, "code": "deleted-by-sender", "display": "Deleted by the sender"}
_RESULTS, _PENDING = frozenset("ABCFPUV"), frozenset("IPRS")
_CONTRADICTED: Mapping[str, frozenset[str]] = {
    **dict.fromkeys("FC", _PENDING),
    **dict.fromkeys("IONSX", _RESULTS),
}
"""HL7 table 0123 against table 0085: final reports with results to come, and results of reports that have none."""


def _bind_status(site: Site, _paths: tuple[str, ...]) -> Bound:
    """OBX-11 is the status; OBR-25 is only compared (E19)."""
    code = TableCodes(site, "0085-observation-status").code

    def obx_status(status: Field, report: Field) -> str | Doubt | None:
        made = code(status[0]) if status else None
        if first(status) not in _CONTRADICTED.get(first(report), ()):
            return made
        return Doubt(without_doubt(made), "207", "is not what OBR-25 says of the whole: OBX-11 counts", CONTRADICTED)

    return obx_status


def _tag_of_result(repetition: Repetition) -> Doubt | None:
    """W: the result was posted for the wrong patient (HL7 table 0085)."""
    if part(repetition, 1) != "W":
        return None
    return Doubt(_WRONG, "207", "the result was posted for the wrong patient", WRONG_PATIENT)


def _tag_of_event(repetition: Repetition) -> Doubt | None:
    """A23: the record of a visit is deleted (HL7 v2.5.1 §3.3.23); nothing is destroyed here."""
    if part(repetition, 1) != "A23":
        return None
    return Doubt(_DELETED, "207", "the sender deletes the visit: it is kept, marked as an error", DELETION)


def _active(repetition: Repetition) -> Doubt | None:
    """A29: the record of a person is deleted (HL7 v2.5.1 §3.3.29); nothing is destroyed here."""
    if part(repetition, 1) != "A29":
        return None
    return Doubt(value=False, code="207", text="the sender deletes the person: kept, no longer active", kind=DELETION)


def _made(name: str, makes: str, function: Any) -> Converter:
    return Converter(name, makes, plain(function), reads=frozenset({1}))


CONVERTERS = (
    Converter("OBX-status", "code", _bind_status, sources=2, reads=frozenset({1})),
    _made("OBX-tag", "Coding", _tag_of_result),
    _made("MSH-tag", "Coding", _tag_of_event),
    _made("MSH-active", "boolean", _active),
)
