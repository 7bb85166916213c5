"""PES, PEO, PCR and their OBX: adverse events. R4 AdverseEvent with the extensions of HL7's AE research backport guide.

No v2-to-FHIR guide covers these segments (domain model, sections 0.3 and 1.7).
"""

from collections.abc import Callable
from typing import Any

from adapter.hl7v2.message import Field, Repetition, Segment
from adapter.mapper.codes import CANONICAL, CodeTable, Coding
from adapter.mapper.datatypes.cells import product_reference
from adapter.mapper.datatypes.converter import Bound, Converter, first, part, whole_text
from adapter.mapper.datatypes.cwe import Concepts, TableCodes
from adapter.mapper.datatypes.cx import UNKNOWN, identifier
from adapter.mapper.datatypes.doubt import Doubt, about_source, doubted_as, without_doubt
from adapter.mapper.datatypes.dtm import bind_datetime
from adapter.mapper.datatypes.quantity import bind_number_and_unit
from adapter.mapper.sites import Site

GUIDE = "http://hl7.org/fhir/uv/ae-research-backport-ig/StructureDefinition"
GRADES, SEVERITIES, WORKFLOW = "ae-grade", "ae-severity", "0241-event-status"
CONSEQUENCES, RELATEDNESS = "0240-event-consequence", "0250-relatedness"
ACTIONS, CAUSALITY, DISCONTINUED = "0251-action-taken", "0252-causality", "0251-discontinued"
GRADE_CODES = frozenset({"CTCAE-GRADE"})
PRODUCT_NUMBER = f"{CANONICAL}/StructureDefinition/tli-product-number"
CAUSALITY_OBSERVATION = f"{CANONICAL}/StructureDefinition/tli-causality-observation"
QUALIFICATION = f"{CANONICAL}/StructureDefinition/tli-qualification"
SAYS = {
    "PES-7": "Sender",
    "PES-8": "Sender",
    "PEO-13": "Others",
    "PEO-14": "Original reporter",
    "PEO-15": "Patient",
    "PEO-16": "Practitioner",
    "PEO-17": "Autopsy",
}
"""Who described the event, by the field that holds the description (HL7 v2.5.1 §7.12)."""


def _extension(name: str, **value: Any) -> dict[str, Any]:
    return {"url": f"{GUIDE}/{name}", **value}


def _bind_status(site: Site, _paths: tuple[str, ...]) -> Bound:
    """Patient outcome to the workflow state of the event: it is open until the patient's outcome is final."""
    codes = TableCodes(site, WORKFLOW)

    def is_status(repetition: Repetition) -> dict[str, Any] | None:
        code = without_doubt(codes.code(repetition))
        return _extension("status", valueCode=code) if code else None

    return is_status


def _bind_criterion(site: Site, _paths: tuple[str, ...]) -> Bound:
    codes = TableCodes(site, CONSEQUENCES)

    def is_criterion(repetition: Repetition) -> dict[str, Any] | Doubt | None:
        made = codes.concept(repetition)
        concept = without_doubt(made)
        if not concept:
            return made
        parts: list[dict[str, Any]] = [
            {"url": "criterionCode", "valueCodeableConcept": concept},
            {"url": "criterionPresent", "valueBoolean": True},
        ]
        value = _extension("seriousness-criteria", extension=parts)
        return doubted_as(made, value)

    return is_criterion


def _bind_first_report(site: Site, paths: tuple[str, ...]) -> Bound:
    """What only the first report says: in an update (P08) the same field tells of the update."""
    moment = bind_datetime(site, paths[1:])

    def first_report(kind: Field, time: Field) -> str | Doubt | None:
        return moment(time[0]) if time and first(kind, 2) != "P08" else None

    return first_report


def _bind_note(_site: Site, paths: tuple[str, ...]) -> Bound:
    author = SAYS.get(paths[0], "Reporter")

    def ft_note(repetition: Repetition) -> dict[str, str] | None:
        text = whole_text(repetition).strip()
        return {"authorString": author, "text": text} if text else None

    return ft_note


def _bind_contributor(site: Site, _paths: tuple[str, ...]) -> Bound:
    """The primary observer: a name (XPN), and what he is (HL7 table 0242)."""
    codes = TableCodes(site, "0242-observer")

    def observer(name: Field, qualification: Field) -> dict[str, Any] | Doubt | None:
        said = part(name[0], 1) + part(name[0], 2) if name else ""
        made = about_source(codes.concept(qualification[0]), 1) if qualification else None
        concept = without_doubt(made)
        if not (said or concept):
            return made
        reference: dict[str, Any] = {"type": "Practitioner"}
        if concept:
            reference["extension"] = [{"url": QUALIFICATION, "valueCodeableConcept": concept}]
            reference["display"] = next((one.get("display", "") for one in concept.get("coding", [])), "")
        if said or not reference.get("display"):
            reference["display"] = said or "Observer"
        return doubted_as(made, reference)

    return observer


def _grade_of(site: Site) -> Callable[[tuple[Segment, ...]], str]:
    """The grade that one of the OBX tells, as a code of table ae-grade; empty where none does."""
    own, grades = Concepts(site, "OBX-3").codes_of(GRADE_CODES) | GRADE_CODES, site.table(GRADES)

    def grade(segments: tuple[Segment, ...]) -> str:
        for segment in segments:
            field, value = segment.field(3), segment.field(5)
            if field and value and part(field[0], 1) in own:
                said = part(value[0], 1)
                return said if said in grades else part(value[0], 2)
        return ""

    return grade


def _bind_grade(site: Site, _paths: tuple[str, ...]) -> Bound:
    grade, grades = _grade_of(site), site.table(GRADES)

    def obx_grade(segments: tuple[Segment, ...]) -> dict[str, Any] | Doubt | None:
        said = grade(segments)
        if not said:
            return None
        row = grades.get(said)
        if row is None:
            return Doubt(None, "103", "grade is not in table ae-grade", "unmapped-code")
        return _extension("ae-grade", valueCodeableConcept={"coding": list(row.targets)})

    return obx_grade


def _bind_severity(site: Site, _paths: tuple[str, ...]) -> Bound:
    grade, table = _grade_of(site), site.table(SEVERITIES)
    grades = site.table(GRADES)

    def obx_severity(segments: tuple[Segment, ...]) -> dict[str, Any] | None:
        row = grades.get(grade(segments))
        number = row.targets[-1]["code"] if row else ""
        return {"coding": list(table[number].targets)} if number in table else None

    return obx_severity


def _bind_suspect(site: Site, _paths: tuple[str, ...]) -> Bound:
    products = Concepts(site, "PCR-1")
    aliquots = site.identifiers.of_field("PCR-12")
    related, observed = site.table(RELATEDNESS), site.table(CAUSALITY)

    def suspect(segments: tuple[Segment, ...]) -> list[dict[str, Any]] | Doubt | None:
        doubt: Doubt | None = None
        made: list[dict[str, Any]] = []
        for segment in segments:
            concept = products.concept(segment.field(1)[0]) if segment.raw(1) else None
            doubt = concept if isinstance(concept, Doubt) else doubt
            parts = _instance(without_doubt(concept), segment.field(12), aliquots)
            causality = _codings("entityRelatedness", segment.field(20), related)
            causality += _codings(CAUSALITY_OBSERVATION, segment.field(22), observed)
            if causality:
                parts.append({"url": "causality", "extension": causality})
            if parts:
                made.append(_extension("suspect-entity", extension=parts))
        return doubt.of(made or None) if doubt else made or None

    return suspect


def _instance(concept: dict[str, Any] | None, numbers: Field, aliquots: Any) -> list[dict[str, Any]]:
    """The product: the very aliquot where PCR-12 names one, else its code; other serial numbers beside it."""
    others: list[dict[str, Any]] = []
    for repetition in numbers:
        made = without_doubt(identifier(aliquots, part(repetition, 1)))
        if made and not made["system"].startswith(UNKNOWN):
            reference, display = product_reference(made["value"]), _display(concept)
            return [{"url": "instance", "valueReference": {**reference, "display": display} if display else reference}]
        if made:
            others.append({"url": PRODUCT_NUMBER, "valueString": made["value"]})
    return ([{"url": "instance", "valueCodeableConcept": concept}] if concept else []) + others


def _display(concept: dict[str, Any] | None) -> str:
    """The words as sent, which stand last."""
    codings: list[Coding] = (concept or {}).get("coding", [])
    return (concept or {}).get("text") or next((one["display"] for one in codings[::-1] if "display" in one), "")


def _codings(url: str, field: Field, table: CodeTable) -> list[dict[str, Any]]:
    rows = [(part(one, 1), table.get(part(one, 1))) for one in field if part(one, 1)]
    return [
        {"url": url, "valueCodeableConcept": {"coding": list(row.targets)} if row else {"text": code}}
        for code, row in rows
    ]


def _bind_action(site: Site, _paths: tuple[str, ...]) -> Bound:
    """What was done with the suspected product (HL7 table 0251)."""
    actions, discontinued = site.table(ACTIONS), site.table(DISCONTINUED)

    def action(segments: tuple[Segment, ...]) -> list[dict[str, Any]] | None:
        made: list[dict[str, Any]] = []
        for segment in segments:
            field = segment.field(21)
            made += [_extension("mitigating-action", extension=[one]) for one in _codings("item", field, actions)]
            if any(part(one, 1) in discontinued for one in field):
                made.append(_extension("caused-subject-to-discontinue-study", valueBoolean=True))
        return made or None

    return action


def _bind_dosage(site: Site, paths: tuple[str, ...]) -> Bound:
    """Amount, unit and route of a drug that a report tells of, as one Dosage."""
    amount = bind_number_and_unit(site, paths[:2])
    routes = Concepts(site, paths[2])

    def dosage(value: Field, unit: Field, route: Field) -> dict[str, Any] | Doubt | None:
        quantity = amount(value, unit)
        made: dict[str, Any] = {}
        if without_doubt(quantity):
            made["doseAndRate"] = [{"doseQuantity": without_doubt(quantity)}]
        if concept := without_doubt(routes.concept(route[0])) if route else None:
            made["route"] = concept
        return doubted_as(quantity, made or None)

    return dosage


CONVERTERS = (
    Converter("RXA-RXR-dosage", "Dosage", _bind_dosage, sources=3),
    Converter("IS-eventStatus", "Extension", _bind_status),
    Converter("IS-seriousnessCriterion", "Extension", _bind_criterion),
    Converter("TS-firstReport", "dateTime", _bind_first_report, sources=2),
    Converter("FT-note", "Annotation", _bind_note),
    Converter("XPN-IS-observer", "Reference", _bind_contributor, sources=2),
    Converter("OBX-grade", "Extension", _bind_grade, sources=0, fields=(3, 5)),
    Converter("OBX-severity", "CodeableConcept", _bind_severity, sources=0, fields=(3, 5)),
    Converter("PCR-suspectEntity", "Extension", _bind_suspect, sources=0, fields=(1, 12, 20, 22)),
    Converter("PCR-action", "Extension", _bind_action, sources=0, fields=(21,)),
)
