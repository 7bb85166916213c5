"""FT1: what is charged. The v2-to-FHIR guide has no FT1; project decisions, by FHIR R4 ChargeItem."""

from decimal import Decimal
from functools import partial
from typing import Any

from adapter.hl7v2.message import Field, Repetition
from adapter.mapper.datatypes.converter import Bound, Converter, first, part, plain
from adapter.mapper.datatypes.cwe import Concepts, TableCodes, codings_of
from adapter.mapper.datatypes.doubt import Doubt, doubted_as, without_doubt
from adapter.mapper.datatypes.dtm import bind_datetime, period
from adapter.mapper.datatypes.nm import measured
from adapter.mapper.datatypes.xcn import performer
from adapter.mapper.sites import Site

NO_NUMBER = Doubt(None, "102", "is no number", "not-a-number")
NO_CURRENCY = ("103", "currency is no code of three letters", "currency")
ORDERER = {
    "coding": [
        {"system": "http://terminology.hl7.org/CodeSystem/v2-0443", "code": "OP", "display": "Ordering Provider"}
    ]
}


def _bind_status(site: Site, _paths: tuple[str, ...]) -> Bound:
    """FT1-6; a code of no table is unknown."""
    table = TableCodes(site, "0017-charge-status")

    def charge_status(kind: Field, code: Field) -> str | Doubt | None:
        if not first(kind):
            return "unknown" if first(code) or first(code, 2) else None
        made = table.code(kind[0])
        return made.of("unknown") if isinstance(made, Doubt) else made

    return charge_status


def _amount(field: Field) -> tuple[Decimal | None, str]:
    """CP: the amount of its price (CP.1, MO) and the currency."""
    found = measured(first(field))
    currency = part(field[0], 1, 2) or part(field[0], 2) if field else ""
    return (found.value if found and found.plain else None), currency


def charge_money(total: Field, unit: Field, number: Field) -> dict[str, Any] | Doubt | None:
    """FT1-11, else FT1-12 as often as FT1-10 says (once, where it says nothing), to Money."""
    value, currency = _amount(total)
    if not first(total) and first(unit):
        value, currency = _amount(unit)
        times = measured(first(number) or "1")
        value = value * times.value if value is not None and times else None
    if value is None:
        return NO_NUMBER if first(total) or first(unit) else None
    if currency and not (len(currency) == 3 and currency.isascii() and currency.isupper()):
        return Doubt({"value": value}, *NO_CURRENCY)
    return {"value": value} | ({"currency": currency} if currency else {})


def nm_quantity(repetition: Repetition) -> dict[str, Any] | Doubt | None:
    """NM to a Quantity that only counts."""
    text = part(repetition, 1)
    found = measured(text) if text else None
    if found is None:
        return NO_NUMBER if text else None
    return {"value": found.value}


def _bind_occurrence(site: Site, _paths: tuple[str, ...]) -> Bound:
    """FT1-4: DR since v2.6, a time before."""
    moment, zone = bind_datetime(site), site.timezone

    def occurrence(field: Field) -> Any:
        ranged = first(field, 2)
        made = period(first(field), ranged, zone) if ranged else moment(field[0])
        value = without_doubt(made)
        written = {"occurrencePeriod" if ranged else "occurrenceDateTime": value} if value else None
        return doubted_as(made, written)

    return occurrence


def _bind_named(site: Site, paths: tuple[str, ...], *, kind: str) -> Bound:
    """What a code names, as a reference by that code: a department, a cost centre; of a procedure only its words."""
    concepts = Concepts(site, paths[0])

    def named(repetition: Repetition) -> dict[str, Any] | None:
        made = without_doubt(concepts.concept(repetition))
        if not made:
            return None
        found = codings_of(made)
        coding: dict[str, Any] = {**found[0]} if found else {}
        display = coding.get("display") or made.get("text") or coding.get("code")
        number = {key: coding[name] for key, name in (("system", "system"), ("value", "code")) if coding.get(name)}
        known = {"identifier": number} if number and kind == "Organization" else {}
        return {"type": kind, **known, "display": display}

    return named


CONVERTERS = (
    Converter("CWE-chargeStatus", "code", _bind_status, sources=2, reads=frozenset({1, 2})),
    Converter("CP-Money", "Money", plain(charge_money), sources=3, reads=frozenset({1, 2})),
    Converter("NM-Quantity", "Quantity", plain(nm_quantity), reads=frozenset({1})),
    Converter("DR-occurrence", "occurrence[x]", _bind_occurrence, whole=True, reads=frozenset({1, 2})),
    Converter("CWE-OrganizationReference", "Reference", partial(_bind_named, kind="Organization")),
    Converter("CWE-ProcedureReference", "Reference", partial(_bind_named, kind="Procedure")),
    performer("XCN-ChargeItemPerformer"),
    performer("XCN-ChargeItemOrderer", ORDERER),
)
