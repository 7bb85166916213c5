"""XON, EI, CX that name something elsewhere: logical references by identifier and name; no resource is made of them."""

from typing import Any

from adapter.hl7v2.message import Field, Repetition
from adapter.mapper.datatypes.converter import Bound, Converter, part, plain
from adapter.mapper.datatypes.cx import cx_number, field_of, identifier
from adapter.mapper.datatypes.doubt import without_doubt
from adapter.mapper.sites import Site

XON_READS = frozenset({1, 3, 6, 7, 10})


def bind_organization(site: Site, _paths: tuple[str, ...] = ()) -> Bound:
    """XON to Reference(Organization). v2-to-FHIR guide: XON[Organization]."""
    table = site.identifiers.of_field("XON")

    def xon_reference(repetition: Repetition) -> dict[str, Any] | None:
        number = part(repetition, 10) or part(repetition, 3)
        authorities = (part(repetition, 6), part(repetition, 6, 2))
        known = without_doubt(identifier(table, number, authorities=authorities, type_code=part(repetition, 7)))
        return reference("Organization", known, part(repetition, 1))

    return xon_reference


def _bind_numbered_organization(site: Site, paths: tuple[str, ...]) -> Bound:
    """An organization whose number stands in one field and whose name in another (IN1-3, IN1-4)."""
    table = site.identifiers.of_field(field_of(paths[0]))
    named = bind_organization(site)

    def cx_xon_reference(numbers: Field, names: Field) -> dict[str, Any] | None:
        made = named(names[0]) if names else None
        known = without_doubt(cx_number(table, numbers[0])) if numbers else None
        return {"type": "Organization", "identifier": known, **(made or {})} if known else made

    return cx_xon_reference


def _bind_entity(site: Site, paths: tuple[str, ...], kind: str) -> Bound:
    table = site.identifiers.of_field(field_of(paths[0]))

    def ei_reference(repetition: Repetition) -> dict[str, Any] | None:
        authorities = (part(repetition, 2), part(repetition, 3))
        return reference(kind, without_doubt(identifier(table, part(repetition, 1), authorities=authorities)), "")

    return ei_reference


def _bind_condition(site: Site, paths: tuple[str, ...]) -> Bound:
    return _bind_entity(site, paths, "Condition")


def _bind_procedure(site: Site, paths: tuple[str, ...]) -> Bound:
    return _bind_entity(site, paths, "Procedure")


def reference(kind: str, known: dict[str, Any] | None, name: str) -> dict[str, Any] | None:
    """A Reference by identifier and display; None where there is neither."""
    if not (known or name):
        return None
    made: dict[str, Any] = {"type": kind}
    if known:
        made["identifier"] = known
    return made | {"display": name} if name else made


def xon_string(repetition: Repetition) -> str | None:
    """XON to string: the name, else the number."""
    return part(repetition, 1) or part(repetition, 10) or part(repetition, 3) or None


CONVERTERS = (
    Converter("XON-Reference", "Reference", bind_organization, reads=XON_READS),
    Converter("XON-string", "string", plain(xon_string), reads=frozenset({1, 3, 10})),
    Converter("CX-XON-Reference", "Reference", _bind_numbered_organization, sources=2, reads=XON_READS | {4, 5}),
    Converter("EI-ConditionReference", "Reference", _bind_condition, reads=frozenset({1, 2, 3})),
    Converter("EI-ProcedureReference", "Reference", _bind_procedure, reads=frozenset({1, 2, 3})),
)
