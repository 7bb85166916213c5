"""CX, EI, EIP, DLN: identifiers. v2-to-FHIR guide: CX[Identifier], EI[Identifier-System], EIP[…], DLN[Identifier].

Which system an identifier belongs to stands in identifiers.csv, by field, authority and type.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from adapter.hl7v2.message import Repetition
from adapter.mapper.codes import CANONICAL
from adapter.mapper.datatypes.converter import Bound, Converter, part
from adapter.mapper.datatypes.doubt import Doubt, without_doubt
from adapter.mapper.datatypes.dtm import period, validity, with_period
from adapter.mapper.identity import CHECKS, IdentifierRow, IdentifierTable
from adapter.mapper.sites import Site

UNKNOWN = f"{CANONICAL}/NamingSystem/unknown"
UNCHECKED = "-unchecked"
CHECK_DIGIT = (
    (2, "http://hl7.org/fhir/StructureDefinition/identifier-checkDigit"),
    (3, "http://hl7.org/fhir/StructureDefinition/namingsystem-checkDigit"),
)
CX_READS = frozenset({1, 2, 3, 4, 5, 7, 8})


def field_of(path: str) -> str:
    """`PID-3.1` → `PID-3`."""
    return path.partition(".")[0]


def identifier(
    table: IdentifierTable, value: str, *, authorities: Sequence[str] = (), type_code: str = ""
) -> dict[str, Any] | Doubt | None:
    """An Identifier by the rows of a table.

    An authority that no row knows gives a system of its own (its OID, or one under `unknown`), so that such numbers
    never match those of a hospital.
    """
    if not value:
        return None
    row = table.find(value, authorities=[name for name in authorities if name], type_code=type_code)
    if row is None:
        made = _type(table, type_code) | {"system": _unknown_system(authorities), "value": value}
        return Doubt(made, "103", "assigning authority or type is not in identifiers.csv", "unknown-authority")
    problem = CHECKS[row.check](value) if row.check else None
    made = _by_row(row, value, _type(table, type_code))
    if problem:
        # D7: kept and flagged, but under a system by which nothing is matched
        made["system"] += UNCHECKED
        return Doubt(made, "102", f"resident identity number {problem}", "identity-number")
    return made


def cx_number(table: IdentifierTable, repetition: Repetition, *, usual: str = "") -> dict[str, Any] | Doubt | None:
    """An Identifier of a CX: number, authority, type; `usual` is the type of table 0203 where CX.5 says none."""
    authorities = (part(repetition, 4), part(repetition, 4, 2))
    return identifier(table, part(repetition, 1), authorities=authorities, type_code=part(repetition, 5) or usual)


def _type(table: IdentifierTable, type_code: str) -> dict[str, Any]:
    """The type as sent: by table 0203, else the code as text."""
    if not type_code:
        return {}
    found = table.types.get(type_code)
    return {"type": {"coding": [*found.targets]} if found and found.targets else {"text": type_code}}


def _by_row(row: IdentifierRow, value: str, sent: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    if row.use:
        made["use"] = row.use
    made |= {"type": {"coding": [row.type_coding]}} if row.type_coding else sent
    made |= {"system": row.system, "value": value}
    if row.assigner:
        made["assigner"] = {"reference": row.assigner}
    return made


def _unknown_system(authorities: Sequence[str]) -> str:
    for name in authorities:
        if name.replace(".", "").isdecimal() and "." in name:
            return f"urn:oid:{name}"
    name = next((name for name in authorities if name), "")
    return f"{UNKNOWN}-{name}" if name.replace("-", "").isalnum() and name.isascii() else UNKNOWN


def _bind_cx(site: Site, paths: tuple[str, ...], *, usual: str = "") -> Bound:
    table, zone = site.identifiers.of_field(field_of(paths[0])), site.timezone

    def cx_identifier(repetition: Repetition) -> dict[str, Any] | Doubt | None:
        made = cx_number(table, repetition, usual=usual)
        if made is None or len(repetition) == 1:
            return made
        dated = with_period(_checked(without_doubt(made), repetition), validity(repetition, 0, 7, 8, zone))
        return made.of(without_doubt(dated)) if isinstance(made, Doubt) else dated

    return cx_identifier


def _checked(made: dict[str, Any], repetition: Repetition) -> dict[str, Any]:
    """The check digit and its scheme, as extensions."""
    digits = [{"url": url, "valueString": text} for at, url in CHECK_DIGIT if (text := part(repetition, at))]
    return {"extension": digits} | made if digits else made


def _bind_license(site: Site, paths: tuple[str, ...]) -> Bound:
    table, zone = site.identifiers.of_field(field_of(paths[0])), site.timezone

    def dln_identifier(repetition: Repetition) -> dict[str, Any] | Doubt | None:
        """A driver's licence: number, issuer, until when it holds."""
        made = identifier(table, part(repetition, 1), authorities=(part(repetition, 2),), type_code="DL")
        if made is None:
            return None
        dated = with_period(without_doubt(made), period("", part(repetition, 3), zone))
        return made.of(without_doubt(dated)) if isinstance(made, Doubt) else dated

    return dln_identifier


def _bind_plan(site: Site, paths: tuple[str, ...]) -> Bound:
    table = site.identifiers.of_field(field_of(paths[0]))

    def cwe_identifier(repetition: Repetition) -> dict[str, Any] | Doubt | None:
        """A coded field that identifies something; its coding system is the authority (guide: CWE[Identifier])."""
        return identifier(table, part(repetition, 1), authorities=(part(repetition, 3),))

    return cwe_identifier


def _entity(table: IdentifierTable, parts: Sequence[str]) -> dict[str, Any] | Doubt | None:
    return identifier(table, parts[0], authorities=parts[1:3])


def _bind_ei(site: Site, paths: tuple[str, ...]) -> Bound:
    table = site.identifiers.of_field(field_of(paths[0]))

    def ei_identifier(repetition: Repetition) -> dict[str, Any] | Doubt | None:
        # a rule may name one component that holds an EI in its subcomponents (SPM-2.2)
        deep = len(repetition[0]) > 1
        return _entity(table, [part(repetition, 1, at) if deep else part(repetition, at) for at in (1, 2, 3)])

    return ei_identifier


def _bind_eip(site: Site, paths: tuple[str, ...]) -> Bound:
    table = site.identifiers.of_field(field_of(paths[0]))

    def eip_identifier(repetition: Repetition) -> dict[str, Any] | Doubt | None:
        placer, filler = ([part(repetition, number, at) for at in (1, 2, 3)] for number in (1, 2))
        return _entity(table, filler if filler[0] else placer)

    return eip_identifier


CONVERTERS = (
    Converter("CX-Identifier", "Identifier", _bind_cx, reads=CX_READS),
    Converter("CX-SocialNumber", "Identifier", partial(_bind_cx, usual="SS"), reads=CX_READS),
    Converter("CX-MemberNumber", "Identifier", partial(_bind_cx, usual="MB"), reads=CX_READS),
    Converter("CWE-Identifier", "Identifier", _bind_plan, reads=frozenset({1, 2, 3})),
    Converter("DLN-Identifier", "Identifier", _bind_license, reads=frozenset({1, 2, 3})),
    Converter("EI-Identifier", "Identifier", _bind_ei, reads=frozenset({1, 2, 3})),
    Converter("EIP-Identifier", "Identifier", _bind_eip, reads=frozenset({1, 2})),
)
