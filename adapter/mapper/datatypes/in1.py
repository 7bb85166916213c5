"""IN1, IN3, GT1: the group of an insurance, and what an account says of insurances and guarantors.

FHIR R4: Coverage.class, Account.coverage, Account.guarantor; the v2-to-FHIR guide has neither.
"""

from typing import Any

from adapter.hl7v2.message import Field, Repetition
from adapter.mapper.datatypes.converter import Bound, Converter, first, plain, whole_text
from adapter.mapper.datatypes.doubt import without_doubt
from adapter.mapper.datatypes.dtm import period
from adapter.mapper.datatypes.nm import nm_positive_int
from adapter.mapper.sites import Site

GROUP = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/coverage-class", "code": "group"}]}

CASE_MANAGER = {"text": "case manager"}
"""v2-to-FHIR guide: IN3[CareTeam]; its SNOMED CT code is not among the verified ones."""


def coverage_group(number: Field, name: Field) -> dict[str, Any] | None:
    """Number and name of the group; the name stands for a number that is missing, which FHIR requires."""
    named = first(name)
    value = first(number) or named
    if not value:
        return None
    return {"type": GROUP, "value": value, **({"name": named} if named else {})}


def account_priority(priority: Field) -> dict[str, Any] | None:
    """IN1-22, which insurance pays first."""
    value = without_doubt(nm_positive_int(priority[0])) if priority else None
    return {"priority": value} if value else None


def case_manager(repetition: Repetition) -> dict[str, Any] | None:
    """IN3-21 to CareTeam.participant (v2-to-FHIR guide: IN3[CareTeam])."""
    name = whole_text(repetition).strip()
    return {"role": [CASE_MANAGER], "member": {"display": name}} if name else None


def _bind_guarantor_period(site: Site, _paths: tuple[str, ...]) -> Bound:
    zone = site.timezone

    def guarantor_period(start: Field, end: Field) -> dict[str, Any] | None:
        found = without_doubt(period(first(start), first(end), zone))
        return {"period": found} if found else None

    return guarantor_period


CONVERTERS = (
    Converter("ST-CaseManager", "BackboneElement", plain(case_manager)),
    Converter("ST-AccountPriority", "BackboneElement", plain(account_priority), whole=True, reads=frozenset({1})),
    Converter("DR-GuarantorPeriod", "BackboneElement", _bind_guarantor_period, sources=2, reads=frozenset({1})),
    Converter("ST-XON-CoverageGroup", "BackboneElement", plain(coverage_group), sources=2, reads=frozenset({1})),
)
