"""What is checked before an acknowledgement, in the catalogue's order: each check is cheap and the same every time.

MSH, sender, characters, controls, MSH-9 to 12, required segments, patient. (Frame and size are the wire's, the
duplicate is found in the transaction that stores.) Everything else waits until the message is safe on disk.
"""

from collections.abc import Sequence
from functools import lru_cache

from adapter.errors import (
    ForeignIdentifier,
    ForeignSender,
    Location,
    MalformedSegment,
    MissingField,
    MissingHeaderField,
    MissingSegment,
    Refusal,
    TooLarge,
    UnknownSender,
    UnsupportedEvent,
    UnsupportedType,
    UnsupportedVersion,
    WrongProcessingId,
)
from adapter.hl7v2 import grammar
from adapter.hl7v2.continuation import fragment
from adapter.hl7v2.message import NULL, Field, Message, Repetition, parse_path
from adapter.hl7v2.parse import Header, header, parse
from adapter.hl7v2.slim import Slim
from adapter.intake.doubts import doubt_contents, doubt_header, doubt_message
from adapter.intake.reading import LONGEST, Reading
from adapter.listeners import Channel
from adapter.mapper.catalog import IGNORED, Catalog
from adapter.mapper.identity import IdentifierTable
from adapter.mapper.sites import Site
from adapter.protocol_errors import ContinuationNotTaken, ControlIdTooLong, SecondHeader, WrongOrder

_LINK_CONTROL = (0, -1)
_OF_RESULTS = frozenset({"OBX", "NTE", "TCD", "SID"})
_OF_ORDERS = frozenset({"OBR", "ORC"})


def read(raw: bytes | Slim, catalog: Catalog, channel: Channel) -> Reading:
    """Check one message that came over `channel`; a refusal is part of what is returned."""
    reading = Reading()
    try:
        _check(raw, catalog, channel, reading)
    except Refusal as refusal:
        reading.refusal = refusal
    return reading


def _check(raw: bytes | Slim, catalog: Catalog, channel: Channel, reading: Reading) -> None:
    head = reading.head = header(raw.raw if isinstance(raw, Slim) else raw)
    reading.type, reading.event, reading.version = head.type, head.event, head.version
    if reading.is_acknowledgement:
        return
    site = reading.site = catalog.sites.find(head.sending_application, head.sending_facility)
    if site is None:
        raise UnknownSender("MSH-3 and MSH-4 name no site of mappings/sites")
    if not channel.takes(site.code):
        raise ForeignSender("this sender may not send over this connection")
    message = reading.message = _parse(raw, catalog, reading, site)
    if reading.sequence in _LINK_CONTROL:
        # It starts or resets the link; beyond MSH it says nothing, and MSH-9 is of no account (B34, B36).
        reading.state = "ignored"
        return
    _check_header(reading, catalog, site)
    doubt_header(reading)
    doubt_message(reading, message)
    if reading.state == "ignored":
        return
    if head.raw(14) or message.segments[-1].name == "DSC" or "ADD" in message.source:
        _check_fragment(reading, message)
    if reading.fragment is None:
        # Only a whole message can be asked for its structure and its patient, and only one that is to be converted.
        _check_segments(message, reading.structure, reading.version)
        _check_patients(message, site)
        doubt_contents(reading, message)


def _parse(raw: bytes | Slim, catalog: Catalog, reading: Reading, site: Site) -> Message:
    """Read the message; a fault of its segments is told after those of MSH."""
    if site.intake.sequence_numbers:
        reading.sequence = _sequence(reading.head)
    try:
        return parse(raw, default_encoding=site.encoding, head=reading.head, habits=site.habits)
    except (MalformedSegment, SecondHeader, TooLarge):
        _check_header(reading, catalog, site)
        raise


def _sequence(head: Header) -> int | None:
    number = head.sequence_number
    return int(number) if number.removeprefix("-").isdecimal() and len(number) < 16 else None


def _check_header(reading: Reading, catalog: Catalog, site: Site) -> None:
    """MSH-9 to MSH-12."""
    head = reading.head
    _check_type(reading, catalog, site)
    if site.intake.empty_control_id == "refuse":
        _require(head, 10, "the message control id")
    if len(head.control_id) > LONGEST < len(head.text(10)):
        raise ControlIdTooLong(f"the message control id has more than {LONGEST} characters")
    _check_processing(head, site)
    _check_version(reading, site)
    structure = grammar.structure(reading.type, reading.event, reading.version, head.structure_sent)
    reading.structure = structure or ""


def _check_type(reading: Reading, catalog: Catalog, site: Site) -> None:
    _require(reading.head, 9, "the message type")
    if f"{reading.type}^{reading.event}" in site.intake.ignored:
        reading.state = "ignored"
        return
    accepted = catalog.accepts(reading.type, reading.event)
    if accepted is None and not catalog.knows_type(reading.type):
        raise UnsupportedType("this message type is not taken here")
    if accepted is None:
        raise UnsupportedEvent("this trigger event is not taken here")
    if accepted == IGNORED:
        reading.state = "ignored"


def _check_processing(head: Header, site: Site) -> None:
    """An empty MSH-11 counts as production, unless the site has agreed to be strict (B21)."""
    processing = head.processing_id
    if processing and processing not in site.processing:
        raise WrongProcessingId("messages with this processing id are not taken here")
    if site.intake.strict:
        _require(head, 11, "the processing id")


def _check_version(reading: Reading, site: Site) -> None:
    if not reading.version:
        reading.version = site.intake.version
    if not reading.version:
        _require(reading.head, 12, "the version")
    if reading.version not in _versions():
        raise UnsupportedVersion("this is no version of HL7 v2")


def _require(head: Header, field: int, name: str) -> None:
    if not head.raw(field).strip():
        raise MissingHeaderField(f"{name} is missing", at=Location("MSH", field=field))


@lru_cache(maxsize=1)
def _versions() -> frozenset[str]:
    return frozenset({*grammar.versions(), "2.9"})


def _check_fragment(reading: Reading, message: Message) -> None:
    """A part of a message waits for the others, unless the site has agreed to send whole ones (B38)."""
    reading.fragment = fragment(message, reading.head)
    if reading.fragment is None:
        return
    if not reading.policy.continuation:
        raise ContinuationNotTaken("messages in fragments are not taken here")
    reading.state = "fragment"


def _check_segments(message: Message, structure: str, version: str) -> None:
    """Refuse what lacks a required segment (B50), or has results before their order (B51), in a known structure."""
    if not structure:
        return
    names = tuple([segment.name for segment in message.segments])
    for problem in grammar.shape(structure, version, names).problems:
        at = Location(problem.segment, problem.occurrence)
        if problem.kind == "missing":
            raise MissingSegment(f"{structure} requires {problem.segment}", at=Location(problem.segment))
        if problem.kind == "order" and problem.segment == "OBX" and _precedes_its_order(names[problem.index :]):
            raise WrongOrder("the result stands before its order", at=at)


def _precedes_its_order(names: Sequence[str]) -> bool:
    return next((name for name in names if name not in _OF_RESULTS), "") in _OF_ORDERS


def _check_patients(message: Message, site: Site) -> None:
    """Refuse a PID without the number by which this site's patients are known (D8)."""
    at = parse_path(site.lane)
    for number, segment in enumerate(message.all(at.name), start=1):
        if segment.value(at) in {"", NULL}:
            raise MissingField("the patient's number is missing", at=Location(at.name, number, at.field))
        if _is_foreign(segment.field(at.field), site, f"{at.name}-{at.field}"):
            raise ForeignIdentifier("the numbers are those of other hospitals", at=Location(at.name, number, at.field))


def _is_foreign(field: Field, site: Site, path: str) -> bool:
    """Whether all numbers of a patient were given by other hospitals that identifiers.csv names (D3)."""
    table = site.identifiers.of_field(path)
    assigners = [_assigner(table, repetition) for repetition in field if repetition]
    return all(one not in {"", site.organization} for one in assigners)


def _assigner(table: IdentifierTable, repetition: Repetition) -> str:
    value, authority, kind = (repetition[at] if len(repetition) > at else ("",) for at in (0, 3, 4))
    row = table.find(value[0], authorities=[name for name in authority[:2] if name], type_code=kind[0])
    return row.assigner if row else ""
