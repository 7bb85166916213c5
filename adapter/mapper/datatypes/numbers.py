"""EI, EIP: numbers of orders with what they are, and references to things by their number.

v2-to-FHIR guide: EI[Identifier-Extension], EIP[Identifier-PlacerAssignedIdentifier],
EIP[Identifier-FillerAssignedIdentifier]; the types PLAC, FILL, PGN and FGN of HL7 table 0203. A thing that the message
itself does not hold is referred to by its number alone: whether it is stored here is not known when converting.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from adapter.hl7v2.message import Field, Repetition
from adapter.mapper.datatypes.converter import Bound, Converter, part, whole_text
from adapter.mapper.datatypes.cq import components, whole
from adapter.mapper.datatypes.cx import field_of, identifier
from adapter.mapper.datatypes.doubt import Doubt, doubted_as, without_doubt
from adapter.mapper.ids import NAMING, reference_to
from adapter.mapper.sites import Site

TYPES = "0203-identifier-type"
_Pick = Callable[[Repetition], Repetition]


def _placer(repetition: Repetition) -> Repetition:
    return _inner(repetition, 1)


def _filler(repetition: Repetition) -> Repetition:
    return _inner(repetition, 2)


def _either(repetition: Repetition) -> Repetition:
    return _inner(repetition, 2) or _inner(repetition, 1)


def _inner(repetition: Repetition, number: int) -> Repetition:
    found = components(repetition[number - 1]) if len(repetition) >= number else ()
    return found[0] if found else ()


def _bind_number(site: Site, paths: tuple[str, ...], pick: _Pick, code: str) -> Bound:
    table = site.identifiers.of_field(field_of(paths[0]))
    row = site.table(TYPES).get(code)
    kind = {"type": {"coding": [row.targets[0]]}} if row and row.targets else {}

    def number(repetition: Repetition) -> dict[str, Any] | Doubt | None:
        sent = pick(repetition)
        made = identifier(table, part(sent, 1), authorities=(part(sent, 2), part(sent, 3)))
        found = without_doubt(made)
        if not found:
            return made
        typed = {**kind, **found}
        return doubted_as(made, typed)

    return number


def _bind_reference(site: Site, paths: tuple[str, ...], pick: _Pick, kind: str) -> Bound:
    number = _bind_number(site, paths, pick, "")

    def reference(repetition: Repetition) -> dict[str, Any] | Doubt | None:
        made = number(repetition)
        found = without_doubt(made)
        written = {"type": kind, "identifier": found} if found else None
        return doubted_as(made, written)

    return reference


def _bind_parent_result(site: Site, _paths: tuple[str, ...]) -> Bound:
    """OBR-26 (which result) of OBR-29 (of which order): the Observation that was made of it, by its identity."""
    system = f"{NAMING}/{site.code.lower()}-observation"

    def parent_result(result: Field, order: Field) -> dict[str, str] | None:
        report = part(_either(order[0]), 1) if order else ""
        code = part(_inner(result[0], 1) or result[0], 1) if result else ""
        if not (report and code):
            return None
        number = "/".join(text for text in (report, code, part(result[0], 2)) if text)
        return reference_to("Observation", system, number)

    return parent_result


def _bind_own(site: Site, _paths: tuple[str, ...], kind: str) -> Bound:
    """A number that the sender's own system gives without saying which: prescriptions, names of files."""
    system = f"{NAMING}/{site.code.lower()}-{kind}"

    def own_number(repetition: Repetition) -> dict[str, Any] | None:
        text = whole_text(repetition).strip()
        return {"system": system, "value": text} if text else None

    return own_number


def _numbers(name: str, pick: _Pick, code: str) -> Converter:
    return Converter(name, "Identifier", partial(_bind_number, pick=pick, code=code), reads=frozenset({1, 2, 3, 4}))


def _references(name: str, pick: _Pick, kind: str) -> Converter:
    return Converter(name, "Reference", partial(_bind_reference, pick=pick, kind=kind), reads=frozenset({1, 2, 3, 4}))


REFERRED = ("BiologicallyDerivedProduct", "Device", "MedicationRequest", "ServiceRequest", "Specimen")
CONVERTERS = (
    _numbers("EI-PlacerIdentifier", whole, "PLAC"),
    _numbers("EI-FillerIdentifier", whole, "FILL"),
    _numbers("EI-PlacerGroupIdentifier", whole, "PGN"),
    _numbers("EI-FillerGroupIdentifier", whole, "FGN"),
    _numbers("EIP-PlacerIdentifier", _placer, "PLAC"),
    _numbers("EIP-FillerIdentifier", _filler, "FILL"),
    *(_references(f"EI-{kind}Reference", whole, kind) for kind in REFERRED),
    *(_references(f"EIP-{kind}Reference", _either, kind) for kind in REFERRED),
    _numbers("EI-ShipmentIdentifier", whole, "SHIP"),
    Converter("ST-PrescriptionIdentifier", "Identifier", partial(_bind_own, kind="prescription")),
    Converter("ST-FileIdentifier", "Identifier", partial(_bind_own, kind="document-file")),
    Converter("PRL-EIP-ObservationReference", "Reference", _bind_parent_result, sources=2),
)
