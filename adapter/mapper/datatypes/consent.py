"""Consents: whose they are, and when they were given, in documents and in answers of the eCRF."""

from adapter.hl7v2.message import Repetition, Segment
from adapter.mapper.codes import CANONICAL
from adapter.mapper.datatypes.converter import Bound, Converter, part, plain
from adapter.mapper.datatypes.cwe import Concepts
from adapter.mapper.datatypes.cx import identifier
from adapter.mapper.datatypes.doubt import Doubt, without_doubt
from adapter.mapper.datatypes.dtm import bind_datetime
from adapter.mapper.ids import reference_to
from adapter.mapper.sites import Site

CONSENT = f"{CANONICAL}/NamingSystem/tli-consent"
DOCUMENT = "ICF-"
"""Documents of consent are numbered by their kind and the subject (interface 01): `ICF-ATLI-07`, `ICF-DON-ATLI-07`."""

DONOR_CONSENT = "DONOR-CONSENT"


def ei_consent(repetition: Repetition) -> dict[str, str] | None:
    """The number of a document to the number of the consent, which is its giver's."""
    number = part(repetition, 1).removeprefix(DOCUMENT)
    return {"system": CONSENT, "value": number} if number else None


def _bind_donor(site: Site, _paths: tuple[str, ...]) -> Bound:
    table = site.identifiers.of_field("PID-3")

    def donor(repetition: Repetition) -> dict[str, str] | Doubt | None:
        number = identifier(table, part(repetition, 1), authorities=("TLI2017",), type_code="DR")
        made = without_doubt(number)
        return reference_to("Patient", made["system"], made["value"]) if made else None

    return donor


def _bind_date(site: Site, paths: tuple[str, ...]) -> Bound:
    own = Concepts(site, "OBX-3").codes_of({DONOR_CONSENT}) | {DONOR_CONSENT}
    moment = bind_datetime(site, paths)

    def consent_date(segments: tuple[Segment, ...]) -> str | Doubt | None:
        for segment in segments:
            field, value = segment.field(3), segment.field(5)
            if field and value and part(field[0], 1) in own:
                return moment(value[0])
        return None

    return consent_date


CONVERTERS = (
    Converter("EI-consent", "Identifier", plain(ei_consent), reads=frozenset({1})),
    Converter("ST-donorReference", "Reference", _bind_donor),
    Converter("OBX-consentDate", "dateTime", _bind_date, sources=0, fields=(3, 5)),
)
