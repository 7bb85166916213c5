"""Cell products: which aliquot was infused, of which donation it is, whose cells they are.

Aliquots and donations have numbers that all hospitals share (interface, section 2).
"""

from typing import Any

from adapter.hl7v2.message import Field, Repetition, Segment
from adapter.mapper.codes import CANONICAL
from adapter.mapper.datatypes.converter import Bound, Converter, first, lines, part, plain
from adapter.mapper.datatypes.cwe import Concepts
from adapter.mapper.datatypes.cx import cx_number, field_of
from adapter.mapper.datatypes.doubt import without_doubt
from adapter.mapper.datatypes.trial import PHASE_SYSTEM, VISIT_SYSTEM, day_extension, visit_extension
from adapter.mapper.ids import reference_to
from adapter.mapper.sites import Site

CELLS = f"{CANONICAL}/NamingSystem/tli-cells"
"""The identity of every aliquot and donation."""

INFUSED = f"{CANONICAL}/StructureDefinition/tli-infused-product"
LOT = f"{CANONICAL}/StructureDefinition/tli-lot-number"
PRODUCT = "PRODUCT-NUMBER"


def product_reference(number: str) -> dict[str, str]:
    """The BiologicallyDerivedProduct of an aliquot or a donation."""
    return reference_to("BiologicallyDerivedProduct", CELLS, number)


def st_infused(repetition: Repetition) -> dict[str, Any] | None:
    """The number of an aliquot to the extension that names what was infused."""
    number = part(repetition, 1)
    return {"url": INFUSED, "valueReference": product_reference(number)} if number else None


def note_facts(text: str) -> dict[str, str]:
    """`a=1;b=2` as a mapping; empty where the text is no such list."""
    pairs = [part.partition("=") for part in text.split(";")]
    if not all(equals and value.strip() for _, equals, value in pairs):
        return {}
    return {name.strip(): value.strip() for name, _, value in pairs}


def _said(notes: tuple[Segment, ...], name: str) -> str:
    """One fact of the notes behind an infusion."""
    found = (note_facts(lines(segment.field(3))).get(name, "") for segment in notes)
    return next((text for text in found if text), "")


def nte_infused(notes: tuple[Segment, ...]) -> dict[str, Any] | None:
    """The aliquot that a note names (interface 01, Cells)."""
    number = _said(notes, "aliquot")
    return {"url": INFUSED, "valueReference": product_reference(number)} if number else None


def nte_visit(notes: tuple[Segment, ...]) -> dict[str, Any] | None:
    """Course and visit that a note names."""
    systems = ((VISIT_SYSTEM, _said(notes, "visit")), (PHASE_SYSTEM, _said(notes, "phase")))
    return visit_extension([{"system": system, "code": code} for system, code in systems if code])


def nte_study_day(notes: tuple[Segment, ...]) -> dict[str, Any] | None:
    """The day of the visit that a note names."""
    return day_extension(_said(notes, "visit"))


def nte_storage(notes: tuple[Segment, ...]) -> dict[str, Any] | None:
    """How an aliquot is kept: `LN2` in liquid nitrogen; a fresh one is in no store."""
    if _said(notes, "storage") != "LN2":
        return None
    return {"description": "Liquid nitrogen", "temperature": -196, "scale": "celsius"}


def ei_parent(donation: Field, own: Field) -> dict[str, str] | None:
    """The donation that an aliquot is a part of; a donation is no part of itself."""
    number = first(donation)
    return product_reference(number) if number and first(own) != number else None


def _bind_donation(site: Site, _paths: tuple[str, ...]) -> Bound:
    """The number of the donation among the OBX of an infusion."""
    own = Concepts(site, "OBX-3").codes_of({PRODUCT})

    def obx_parent(segments: tuple[Segment, ...]) -> dict[str, str] | None:
        for segment in segments:
            field, value = segment.field(3), segment.field(5)
            if field and value and part(field[0], 1) in own:
                number = first(value)
                return product_reference(number) if number else None
        return None

    return obx_parent


def _bind_patient(site: Site, paths: tuple[str, ...]) -> Bound:
    """The person that a number belongs to, in an element that is no reference of the message's own patient."""
    table = site.identifiers.of_field(field_of(paths[0]))

    def cx_patient(field: Field) -> dict[str, str] | None:
        made = without_doubt(cx_number(table, field[0]))
        return reference_to("Patient", made["system"], made["value"]) if made else None

    return cx_patient


def _bind_lot(site: Site, _paths: tuple[str, ...]) -> Bound:
    """RXA-15 with RXA-5: the aliquot where the drug is a cell product, else the lot of the drug."""
    cells = site.table("cell-product")

    def lot_or_aliquot(lots: Field, drug: Field) -> list[dict[str, Any]] | None:
        numbers = [number for one in lots if (number := part(one, 1))]
        if first(drug) in cells:
            return [{"url": INFUSED, "valueReference": product_reference(number)} for number in numbers] or None
        return [{"url": LOT, "valueString": number} for number in numbers] or None

    return lot_or_aliquot


CONVERTERS = (
    Converter("RXA-lotOrAliquot", "Extension", _bind_lot, sources=2),
    Converter("NTE-infusedProduct", "Extension", plain(nte_infused), sources=0, fields=(3,)),
    Converter("NTE-visit", "Extension", plain(nte_visit), sources=0, fields=(3,)),
    Converter("NTE-studyDay", "Extension", plain(nte_study_day), sources=0, fields=(3,)),
    Converter("NTE-storage", "BackboneElement", plain(nte_storage), sources=0, fields=(3,)),
    Converter("ST-infusedProduct", "Extension", plain(st_infused)),
    Converter("EI-parentProduct", "Reference", plain(ei_parent), sources=2),
    Converter("OBX-parentProduct", "Reference", _bind_donation, sources=0, fields=(3, 5)),
    Converter("CX-patientReference", "Reference", _bind_patient, reads=frozenset({1, 4, 5}), whole=True),
)
