"""What is checked before an acknowledgement, in the catalogue's order: each check is cheap and the same every time.

MSH, sender, characters, controls, MSH-9 to 12, required segments, patient. (Frame and size are the wire's, the
duplicate is found in the transaction that stores.) Everything else waits until the message is safe on disk.
"""

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b, sha256

from adapter.errors import (
    ForeignSender,
    Location,
    MissingField,
    MissingHeaderField,
    MissingSegment,
    Refusal,
    UnknownSender,
    UnsupportedEvent,
    UnsupportedType,
    UnsupportedVersion,
    WrongProcessingId,
)
from adapter.hl7v2 import grammar
from adapter.hl7v2.message import NULL, Message, parse_path
from adapter.hl7v2.parse import NO_HEADER, Header, header, parse
from adapter.listeners import Channel
from adapter.mapper.catalog import IGNORED, Catalog
from adapter.mapper.sites import Site

_ALWAYS = {"AL": True, "NE": False, "": False}
_ACKNOWLEDGEMENTS = frozenset({"ACK", "MCF"})


@dataclass(slots=True)
class Reading:
    """What is known of a message, up to the check that refused it, if one did."""

    head: Header = NO_HEADER
    type: str = ""
    event: str = ""
    version: str = ""
    site: Site | None = None
    message: Message | None = None
    structure: str = ""
    state: str = "received"
    refusal: Refusal | None = None

    @property
    def is_acknowledgement(self) -> bool:
        """Whether the message is itself an answer."""
        return self.type in _ACKNOWLEDGEMENTS


def read(raw: bytes, catalog: Catalog, channel: Channel) -> Reading:
    """Check one message that came over `channel`; a refusal is part of what is returned."""
    reading = Reading()
    try:
        _check(raw, catalog, channel, reading)
    except Refusal as refusal:
        reading.refusal = refusal
    return reading


def acknowledgement(head: Header, refusal: Refusal | None) -> tuple[str, bool]:
    """The code that answers a message, and whether the sender wants to hear it (HL7 v2.5.1 §2.9.3, table 0155).

    Both MSH-15 and MSH-16 empty is the original mode: always AA, AE or AR. MSH-16 alone asks for these too, by its
    condition; MSH-15 asks for CA, CE or CR. A condition that is in no table counts as `AL` (B31).
    """
    code = refusal.ack if refusal else "AA"
    accept, application = head.accept_ack, head.application_ack
    if not accept and not application:
        return code, True
    conditions = _ALWAYS | {"ER": refusal is not None, "SU": refusal is None}
    if not accept:
        return code, conditions.get(application, True)
    return f"C{code[1]}", conditions.get(accept, True)


def lane(reading: Reading) -> str:
    """What keeps the messages of one patient in order: the site and a digest of its patient number."""
    if reading.site is None or reading.message is None:
        return reading.site.code if reading.site else ""
    patient = reading.message.text(reading.site.lane)
    if not patient:
        return reading.site.code
    return f"{reading.site.code}|{blake2b(patient.encode(), digest_size=8).hexdigest()}"


def digest(raw: bytes, reading: Reading) -> bytes:
    """SHA-256 of the bytes, the duplicate's mark.

    Where the site promises that MSH-10 is unique, MSH-7 is left out: a sender that writes a new time into the same
    message sends it again (B17).
    """
    if reading.site is None or not reading.site.unique_control_ids:
        return sha256(raw).digest()
    fields = reading.head.fields
    # MSH and its separator, then MSH-2 to MSH-6, each with the separator that follows it.
    start = raw.index(b"MSH") + 4 + sum(len(field) + 1 for field in fields[2:7])
    view = memoryview(raw)
    found = sha256(view[:start])
    found.update(view[start + len(reading.head.raw(7)) :])
    return found.digest()


def _check(raw: bytes, catalog: Catalog, channel: Channel, reading: Reading) -> None:
    head = reading.head = header(raw)
    reading.type, reading.event, reading.version = head.type, head.event, head.version
    if reading.is_acknowledgement:
        return
    site = reading.site = catalog.sites.find(head.sending_application, head.sending_facility)
    if site is None:
        raise UnknownSender("MSH-3 and MSH-4 name no site of mappings/sites")
    if not channel.takes(site.code):
        raise ForeignSender("this sender may not send over this connection")
    message = reading.message = parse(raw, default_encoding=site.encoding, head=head, habits=site.habits)
    _check_type(reading, catalog)
    _require(head, 10, "the message control id")
    _check_processing(head, site)
    _check_version(reading)
    reading.structure = grammar.structure(reading.type, reading.event, reading.version, head.structure_sent) or ""
    _check_segments(message, reading.structure, reading.version)
    _check_patients(message, site)


def _check_type(reading: Reading, catalog: Catalog) -> None:
    _require(reading.head, 9, "the message type")
    accepted = catalog.accepts(reading.type, reading.event)
    if accepted is None and not catalog.knows_type(reading.type):
        raise UnsupportedType("this message type is not taken here")
    if accepted is None:
        raise UnsupportedEvent("this trigger event is not taken here")
    if accepted == IGNORED:
        reading.state = "ignored"


def _check_processing(head: Header, site: Site) -> None:
    """An empty MSH-11 counts as production (B21)."""
    processing = head.processing_id
    if processing and processing not in site.processing:
        raise WrongProcessingId("messages with this processing id are not taken here")


def _check_version(reading: Reading) -> None:
    _require(reading.head, 12, "the version")
    if reading.version not in _versions():
        raise UnsupportedVersion("this is no version of HL7 v2")


def _require(head: Header, field: int, name: str) -> None:
    if not head.raw(field).strip():
        raise MissingHeaderField(f"{name} is missing", at=Location("MSH", field=field))


@lru_cache(maxsize=1)
def _versions() -> frozenset[str]:
    return frozenset({*grammar.versions(), "2.9"})


def _check_segments(message: Message, structure: str, version: str) -> None:
    """Refuse what lacks a required segment (B50), where the structure is known."""
    if not structure:
        return
    names = tuple([segment.name for segment in message.segments])
    for problem in grammar.shape(structure, version, names).problems:
        if problem.kind == "missing":
            raise MissingSegment(f"{structure} requires {problem.segment}", at=Location(problem.segment))


def _check_patients(message: Message, site: Site) -> None:
    """Refuse a PID without the number by which this site's patients are known (D8)."""
    at = parse_path(site.lane)
    for number, segment in enumerate(message.all(at.name), start=1):
        if segment.value(at) in {"", NULL}:
            raise MissingField("the patient's number is missing", at=Location(at.name, number, at.field))
