"""References that identifiers make: a person's other records, the organization of a hospital; and effective[x]."""

from typing import Any

from adapter.hl7v2.message import Field, Repetition
from adapter.mapper.datatypes.converter import Bound, Converter, first, part
from adapter.mapper.datatypes.cx import cx_number, field_of
from adapter.mapper.datatypes.doubt import Doubt, Sent, doubted_as, without_doubt
from adapter.mapper.datatypes.dtm import bind_datetime, period
from adapter.mapper.ids import resource_id
from adapter.mapper.sites import Site

UNKNOWN_HOSPITAL = ("103", "is no hospital of codes/organization.csv", "unmapped-code")
HOSPITALS = "organization"
SAME_PERSON = frozenset({"MR", "ANON", "DR"})
"""Types of HL7 table 0203 whose number names one record of a person; the resident number (NI) never does."""


def _bind_link(site: Site, paths: tuple[str, ...]) -> Bound:
    tables = [site.identifiers.of_field(field_of(path)) for path in paths]

    def cx_patient_link(*fields: Field) -> list[dict[str, Any]] | None:
        links: list[dict[str, Any]] = []
        own = ""
        for table, field in zip(tables, fields, strict=True):
            for repetition in field:
                known = cx_number(table, repetition)
                made = without_doubt(known)
                if not made:
                    continue
                record = resource_id("Patient", made["system"], made["value"])
                own = own or record
                # a number of an authority that nobody knows joins no records
                if record != own and made is known and _type_code(made) in SAME_PERSON:
                    other = {"reference": f"Patient/{record}", "identifier": made}
                    links.append({"other": other, "type": "seealso"})
        return links or None

    return cx_patient_link


def _type_code(made: dict[str, Any]) -> str:
    return made["type"]["coding"][0]["code"] if "coding" in made.get("type", ()) else ""


def _bind_hospital(site: Site, _paths: tuple[str, ...]) -> Bound:
    reference = {"reference": site.organization} if site.organization else None

    def hd_organization(_repetition: Repetition) -> dict[str, str] | None:
        return reference

    return hd_organization


def _bind_organization(site: Site, _paths: tuple[str, ...]) -> Bound:
    table = site.table(HOSPITALS)

    def cwe_organization(repetition: Repetition) -> dict[str, str] | Doubt | None:
        code = part(repetition, 1)
        row = table.get(code)
        if row and row.targets:
            return {"reference": f"Organization/{row.targets[0]['code']}"}
        return Doubt(None, *UNKNOWN_HOSPITAL, sent=(Sent(HOSPITALS, code),)) if code else None

    return cwe_organization


def bind_effective(site: Site, _paths: tuple[str, ...] = ()) -> Bound:
    """One or two DTM to effective[x]."""
    moment, zone = bind_datetime(site), site.timezone

    def dtm_dtm_effective(start: Field, end: Field, otherwise: Field = ()) -> Any:
        """One time is a dateTime, two are a Period (FHIR effective[x]); `otherwise` stands in where neither is told."""
        start = start if start or end else otherwise
        if start and not end:
            made, name = moment(start[0]), "effectiveDateTime"
        else:
            made, name = period(first(start), first(end), zone), "effectivePeriod"
        value = without_doubt(made)
        written = {name: value} if value else None
        return doubted_as(made, written)

    return dtm_dtm_effective


CONVERTERS = (
    Converter("CX-PatientLink", "Patient.link", _bind_link, sources=-1, whole=True, reads=frozenset({1, 4, 5})),
    Converter("HD-Organization", "Reference", _bind_hospital, reads=frozenset({1})),
    Converter("CWE-Organization", "Reference", _bind_organization, reads=frozenset({1, 2, 3})),
    Converter("DTM-DTM-effective", "effective[x]", bind_effective, sources=-1, whole=True, reads=frozenset({1})),
)
