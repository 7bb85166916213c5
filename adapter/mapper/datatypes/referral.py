"""RF1, PRD: referrals and the providers that they name. The v2-to-FHIR guide has neither; project decisions."""

from functools import partial
from typing import Any

from adapter.hl7v2.message import Field, Segment
from adapter.mapper.datatypes.converter import Bound, Converter, first, plain
from adapter.mapper.datatypes.cwe import Concepts
from adapter.mapper.datatypes.cx import identifier
from adapter.mapper.datatypes.doubt import Doubt, without_doubt
from adapter.mapper.datatypes.xon import reference
from adapter.mapper.datatypes.xpn import xpn_string
from adapter.mapper.sites import Site

REFERRING = frozenset({"RP"})
REFERRED_TO = frozenset({"RT", "CP"})
"""HL7 table 0286: referring provider; referred to, and consulting provider."""
NO_PLACE = ("103", "has a role that has no place in the referral", "role-without-place")
NO_CODE = Doubt(None, "101", "the referral has no type, of which this would be a detail", "detail-without-code")


def _bind_provider(site: Site, _paths: tuple[str, ...], *, roles: frozenset[str], many: bool) -> Bound:
    table = site.identifiers.of_field("XCN")

    def provider(segment: Segment) -> dict[str, Any] | None:
        numbers, names = segment.field(7), segment.field(2)
        known = without_doubt(
            identifier(table, first(numbers), authorities=(first(numbers, 3),), type_code=first(numbers, 2))
        )
        name = xpn_string(names[0]) if names else None
        return reference("Practitioner", known, name or "")

    def providers(segments: tuple[Segment, ...]) -> Any:
        said = [({first((role,)) for role in one.field(1)}, one) for one in segments]
        made = [found for names, one in said if names & roles and (found := provider(one))]
        if many and any(not names & (REFERRING | REFERRED_TO) for names, _ in said):
            return Doubt(made or None, *NO_PLACE)
        return made or None if many else next(iter(made), None)

    return providers


def _bind_detail(site: Site, paths: tuple[str, ...]) -> Bound:
    concepts = Concepts(site, paths[0])

    def detail(sent: Field, of_code: Field) -> list[dict[str, Any]] | Doubt | None:
        """RF1-4, which FHIR allows beside a code only (prr-1)."""
        made = [found for one in sent if (found := without_doubt(concepts.concept(one)))]
        return None if not made else made if first(of_code) or first(of_code, 2) else NO_CODE

    return detail


def text_concept(text: Field) -> list[dict[str, str]] | None:
    """ST to CodeableConcept, in words alone."""
    return [{"text": said} for one in text if (said := first((one,)))] or None


CONVERTERS = (
    Converter(
        "PRD-requester", "Reference", partial(_bind_provider, roles=REFERRING, many=False), sources=0, fields=(1, 2, 7)
    ),
    Converter(
        "PRD-performer", "Reference", partial(_bind_provider, roles=REFERRED_TO, many=True), sources=0, fields=(1, 2, 7)
    ),
    Converter("CWE-CWE-orderDetail", "CodeableConcept", _bind_detail, sources=2),
    Converter("ST-CodeableConcept", "CodeableConcept", plain(text_concept), whole=True, reads=frozenset({1})),
)
