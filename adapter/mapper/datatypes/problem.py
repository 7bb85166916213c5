"""PRB, GOL, PTH: problems, goals, pathways. HL7 v2.5.1 chapter 12; no v2-to-FHIR guide covers them."""

from typing import Any

from adapter.hl7v2.message import Field, Repetition
from adapter.mapper.datatypes.converter import Bound, Converter, first, plain
from adapter.mapper.datatypes.cwe import TableCodes
from adapter.mapper.datatypes.doubt import CLEARED, Doubt, about_source
from adapter.mapper.datatypes.dtm import dtm_date
from adapter.mapper.sites import Site

DELETE = "DE"
"""HL7 table 0287, problem or goal action: what was stated is taken back."""

CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
VERIFICATION = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
RESOLVED = {"coding": [{"system": CLINICAL, "code": "resolved", "display": "Resolved"}]}
IN_ERROR = {"coding": [{"system": VERIFICATION, "code": "entered-in-error", "display": "Entered in Error"}]}


def _bind_lifecycle(site: Site, paths: tuple[str, ...]) -> Bound:
    """Action and life cycle status; the status by the table of its own field."""
    codes = TableCodes(site, paths[1])

    def lifecycle(action: Field, status: Field) -> str | Doubt | None:
        if first(action) == DELETE:
            return "entered-in-error"
        return about_source(codes.code(status[0]), 1) if status else None

    return lifecycle


def _bind_clinical(site: Site, paths: tuple[str, ...]) -> Bound:
    """Action, life cycle status, resolution: FHIR con-4 (who is abated is not active), con-5 (in error has none)."""
    codes = TableCodes(site, paths[1])

    def clinical_status(action: Field, status: Field, resolved: Field) -> dict[str, Any] | Doubt | None:
        if first(action) == DELETE:
            return CLEARED
        if first(resolved):
            return RESOLVED
        return about_source(codes.concept(status[0]), 1) if status else None

    return clinical_status


def _bind_verification(site: Site, paths: tuple[str, ...]) -> Bound:
    codes = TableCodes(site, paths[1])

    def verification_status(action: Field, confirmation: Field) -> dict[str, Any] | Doubt | None:
        if first(action) == DELETE:
            return IN_ERROR
        return about_source(codes.concept(confirmation[0]), 1) if confirmation else None

    return verification_status


def goal_target(repetition: Repetition) -> dict[str, str] | Doubt | None:
    """DTM to Goal.target, due on this date."""
    made = dtm_date(repetition)
    return {"dueDate": made} if isinstance(made, str) else made


CONVERTERS = (
    Converter("ID-CWE-lifecycle", "code", _bind_lifecycle, sources=2),
    Converter("PRB-clinicalStatus", "CodeableConcept", _bind_clinical, sources=3),
    Converter("PRB-verificationStatus", "CodeableConcept", _bind_verification, sources=2),
    Converter("DTM-goalTarget", "BackboneElement", plain(goal_target)),
)
