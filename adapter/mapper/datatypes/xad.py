"""XAD, SAD: addresses. v2-to-FHIR guide: XAD[Address], SAD[Address], AddressType[Use], AddressType[Type]."""

from typing import Any

from adapter.hl7v2.message import Repetition
from adapter.mapper.codes import HL7_TABLE
from adapter.mapper.datatypes.converter import Bound, Converter, part, plain
from adapter.mapper.datatypes.doubt import Doubt
from adapter.mapper.datatypes.dtm import validity, with_period
from adapter.mapper.sites import Site

STANDARD = "http://hl7.org/fhir/StructureDefinition"
ALTERNATE_CODES = f"{STANDARD}/alternate-codes"
ADDRESS_TYPE = f"{HL7_TABLE}0190"
USES = {"H": "home", "B": "work", "O": "work", "C": "temp", "BA": "old", "BI": "billing"}
TYPES = {"M": "postal", "SH": "postal"}
USAGES = {"M": "postal", "V": "physical"}
"""HL7 table 0617, XAD.18: mailing, visit."""
VACATION_HOME = "HV"
"""A code of iso21090-AD-use, which FHIR's own uses lack."""
PARTS = (("city", 3), ("district", 9), ("state", 4), ("postalCode", 5), ("country", 6))
LINES = ((1, 1), (1, 2), (1, 3), (2, 1), (19, 1))
READS = frozenset({*range(1, 8), 9, 10, 12, 13, 14, 16, 17, 18, 19})


def _bind_address(site: Site, _paths: tuple[str, ...]) -> Bound:
    zone = site.timezone

    def xad_address(repetition: Repetition) -> dict[str, Any] | Doubt | None:
        """XAD to Address; a whole address in XAD.1 becomes `text`."""
        lines = [text for at in LINES if (text := part(repetition, *at))]
        parts = {element: text for element, number in PARTS if (text := _spoken(repetition, number))}
        if not (lines or parts):
            return None
        made = _kind(repetition)
        if len(lines) == 1 and not parts:
            made["text"] = lines[0]
        elif lines:
            made["line"] = lines
        return with_period(made | parts, validity(repetition, 12, 13, 14, zone))

    return xad_address


def _spoken(repetition: Repetition, number: int) -> str:
    """A component; of a county, which is coded, its text (CWE[string])."""
    return (part(repetition, 9, 2) if number == 9 else "") or part(repetition, number)


def _kind(repetition: Repetition) -> dict[str, Any]:
    """Extensions, use and type."""
    kind = part(repetition, 7)
    flagged = "old" if part(repetition, 17) == "Y" else "temp" if part(repetition, 16) == "Y" else ""
    made: dict[str, Any] = {"extension": found} if (found := _extensions(repetition, kind)) else {}
    if use := USES.get(kind, flagged):
        made["use"] = use
    if kind and kind not in {*USES, *TYPES, VACATION_HOME}:
        coded = {"coding": [{"system": ADDRESS_TYPE, "code": kind}]}
        made["_use"] = {"extension": [{"url": ALTERNATE_CODES, "valueCodeableConcept": coded}]}
    if use := TYPES.get(kind) or USAGES.get(part(repetition, 18)):
        made["type"] = use
    return made


def _extensions(repetition: Repetition, kind: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    if kind == VACATION_HOME:
        found.append({"url": f"{STANDARD}/iso21090-AD-use", "valueCode": kind})
    if tract := part(repetition, 10, 2) or part(repetition, 10):
        found.append({"url": f"{STANDARD}/iso21090-ADXP-censusTract", "valueString": tract})
    return found


def county_address(repetition: Repetition) -> dict[str, str] | None:
    """A county code alone (PID-12) to an Address with its district."""
    county = part(repetition, 1)
    return {"district": county} if county else None


CONVERTERS = (
    Converter("XAD-Address", "Address", _bind_address, reads=READS),
    Converter("IS-AddressDistrict", "Address", plain(county_address), reads=frozenset({1})),
)
