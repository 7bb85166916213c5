"""The core in one call: the bytes of a message and the catalog give FHIR resources, issues and the ledger. Pure."""

from dataclasses import dataclass

from adapter.errors import BrokenDocument, NoMap, SuspectCharset, UnknownSender
from adapter.hl7v2 import grammar
from adapter.hl7v2.encoding import SUSPECT
from adapter.hl7v2.message import Message, Segment, escape
from adapter.hl7v2.parse import header, parse
from adapter.hl7v2.remarks import remarks
from adapter.hl7v2.slim import Slim
from adapter.mapper.catalog import Catalog
from adapter.mapper.datatypes.ed import BROKEN, MEDIA_TYPES, documents
from adapter.mapper.engine import Issue, Mapped, Missing, map_message
from adapter.mapper.events import IdentityEvent
from adapter.mapper.fixes import FIXES
from adapter.mapper.ledger import Ledger
from adapter.mapper.makers import STANDARD
from adapter.mapper.sites import Site


@dataclass(frozen=True, slots=True)
class Converted:
    """What one message says in FHIR, and the account of it; `missing` is what has no row in a table."""

    resources: tuple[Mapped, ...]
    issues: tuple[Issue, ...]
    ledger: Ledger
    structure: str
    site: str
    identities: tuple[IdentityEvent, ...] = ()
    missing: tuple[Missing, ...] = ()


def convert(raw: bytes | Slim, *, catalog: Catalog, site: Site | None = None) -> Converted:
    """Convert one message.

    Args:
        raw: the bytes as they were received, without framing; of a large message, without its documents.
        catalog: the mappings.
        site: whose dialect it is; by default the site that MSH-3 and MSH-4 name.

    Raises:
        Refusal: the message cannot be read (its leaves say where).
        SuspectCharset: the bytes may be in another character set than the declared one.
        NoMap: no file of mappings/messages/ covers this event.
        NoIdentity: the message names no patient.
        BrokenDocument: the base64 of a document is broken.
    """
    if site is None:
        head = header(raw.raw if isinstance(raw, Slim) else raw)
        site = catalog.sites.find(head.sending_application, head.sending_facility)
        if site is None:
            raise UnknownSender("MSH-3 and MSH-4 match no site")
    message = parse(raw, default_encoding=site.encoding, habits=site.habits)
    if message.encoding_reason.endswith(SUSPECT):
        raise SuspectCharset(f"the bytes are valid {message.encoding}, and valid UTF-8 too")
    message_map = catalog.messages.get(f"{message.type}^{message.event}")
    if message_map is None:
        raise NoMap(f"no map for {message.type}^{message.event}")
    segments = message.segments if _is_standard(message) else _in_standard_delimiters(message)
    for fix in site.fixes:
        segments = FIXES[fix](segments)
    maps = catalog.site_maps[site.code]
    version = message.version or site.intake.version or grammar.versions()[-1]
    plan = maps.plan(message_map, version, tuple([segment.name for segment in segments]))
    outcome = map_message(message, segments, plan, ignored=maps.left_out(message_map))
    issues = (*_issues(message), *outcome.issues)
    if broken := next((issue for issue in issues if issue.kind == BROKEN), None):
        raise BrokenDocument(f"{broken.path}: {broken.code}, {broken.text}")
    said = (outcome.resources, issues, outcome.ledger, message_map.structure, site.code)
    return Converted(*said, outcome.identities, outcome.missing)


def document(raw: bytes, sha256: str, *, site: Site) -> bytes | None:
    """The document of a message that has this SHA-256 (hex); None where the message has none such.

    Raises:
        Refusal: the message cannot be read.
    """
    message = parse(raw, default_encoding=site.encoding, habits=site.habits)
    table = site.table(MEDIA_TYPES)
    found = (one for segment in message.all("OBX") for one in documents(segment, table))
    return next((one.data for one in found if one.document.sha256 == sha256), None)


def _issues(message: Message) -> list[Issue]:
    return [Issue(one.severity, one.code, str(one.at), one.text, "", one.kind) for one in remarks(message)]


def _is_standard(message: Message) -> bool:
    r"""Whether compiled maps can read it as it is; the sign of truncation (v2.7) matters only where it is escaped."""
    if message.delimiters == STANDARD:
        return True
    return message.delimiters._replace(truncation=None) == STANDARD and "\\P\\" not in message.source


def _in_standard_delimiters(message: Message) -> tuple[Segment, ...]:
    r"""The same segments as if they had been sent with `|^~\&`; compiled maps know no others."""
    return tuple(
        segment._replace(
            fields=(
                segment.name,
                *(_standard_text(segment, number) for number in range(1, len(segment.fields))),
            ),
            delimiters=STANDARD,
        )
        for segment in message.segments
    )


def _standard_text(segment: Segment, number: int) -> str:
    if segment.name == "MSH" and number in {1, 2}:
        return ("", "|", "^~\\&")[number]
    if (raw := segment.raw(number)).isalnum():
        return raw
    return "~".join(
        "^".join("&".join(escape(text, STANDARD) for text in component) for component in repetition)
        for repetition in segment.field(number)
    )
