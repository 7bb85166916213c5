"""Quantities: a number with its unit in verified UCUM, converted only where the trial has approved it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any

from adapter.hl7v2.message import Field
from adapter.mapper.codes import CANONICAL, UCUM
from adapter.mapper.datatypes.converter import Bound, Converter, first
from adapter.mapper.datatypes.doubt import UNITS, Doubt, Sent
from adapter.mapper.datatypes.nm import Measured, measured
from adapter.mapper.sites import Site

_EXACT = Context(prec=1200)
"""More digits than the longest number that is read (`nm.py`: 64 digits, 999 zeros) has after any conversion."""

VALUE_AS_SENT = f"{CANONICAL}/StructureDefinition/tli-value-as-sent"
NO_UNIT = Doubt(None, "101", "unit is missing for a result that has one in this trial", "missing-unit")
UNKNOWN_UNIT = Doubt(None, "103", "unit is in no table of this site", "unmapped-unit")
REPAIRED_UNIT = Doubt(None, "102", "an unescaped ^ stands in the unit: read as 10*n", "unit-repaired")
OTHER_UNIT = Doubt(None, "103", "unit is not that of the trial, and no conversion is approved", "unit-differs")


@dataclass(frozen=True, slots=True)
class Scale:
    """What a unit field says for one result.

    `unit` holds the elements that a Quantity gets, `sent` the unit as sent, `factor` the approved conversion,
    `doubt` what is doubtful about the unit (without a value).
    """

    unit: dict[str, str]
    sent: str
    factor: Decimal | None
    doubt: Doubt | None


def scale(site: Site, field: Field, targets: Sequence[str] = ()) -> Scale:
    """Work out a unit field.

    Args:
        site: whose spellings.
        field: OBX-6, RXA-7 and the like.
        targets: LOINC or tli-lab codes of the result, which have a unit of the trial and conversions to it.
    """
    units = site.units
    wanted = next((units.canonical[target] for target in targets if target in units.canonical), "")
    unit = units.resolve(field)
    if unit is None:
        return Scale({}, "", None, NO_UNIT if wanted else None)
    if not unit.code:
        return Scale({"unit": unit.text}, unit.text, None, replace(UNKNOWN_UNIT, sent=(Sent(UNITS, unit.text),)))
    for target in targets:
        if conversion := units.conversions.get((target, unit.code)):
            return Scale(_ucum(conversion.unit), unit.text, conversion.factor, None)
    if wanted not in {"", unit.code}:
        return Scale(_ucum(unit.code), unit.text, None, OTHER_UNIT)
    return Scale(_ucum(unit.code), unit.text, None, REPAIRED_UNIT if unit.repaired else None)


def scales(site: Site) -> Callable[[Field], Scale]:
    """What works out unit fields of one site, and remembers those of the last few."""

    @lru_cache(maxsize=256)
    def scale_of(unit: Field) -> Scale:
        return scale(site, unit)

    return scale_of


def scaled(value: Decimal, factor: Decimal | None) -> Decimal:
    """The exact product; nothing is rounded, and no digit is added that was not sent."""
    if factor is None:
        return value
    product = _EXACT.multiply(value, factor)
    return (
        product.quantize(Decimal(1), context=_EXACT)
        if isinstance(e := product.as_tuple().exponent, int) and e > 0
        else product
    )


def quantity(number: Measured, by: Scale, *, as_sent: str = "") -> dict[str, Any]:
    """A Quantity; with `as_sent` it carries the text that the hospital sent."""
    made: dict[str, Any] = {}
    if as_sent:
        made["extension"] = [{"url": VALUE_AS_SENT, "valueString": f"{as_sent} {by.sent}".rstrip()}]
    made["value"] = scaled(number.value, by.factor)
    if number.comparator:
        made["comparator"] = number.comparator
    return made | by.unit


def _ucum(code: str) -> dict[str, str]:
    return {"unit": code, "system": UCUM, "code": code}


def bind_number_and_unit(site: Site, _paths: tuple[str, ...]) -> Bound:
    """NM and the CWE of its unit, in two fields, to Quantity."""
    scale_of = scales(site)

    def nm_cwe_quantity(value: Field, unit: Field) -> dict[str, Any] | Doubt | None:
        text = first(value)
        if not text:
            return None
        number, by = measured(text), scale_of(unit)
        if number is None:
            return Doubt(None, "102", "is no number", "not-a-number")
        made = quantity(number, by, as_sent="" if number.plain else text)
        return by.doubt.of(made, source=1) if by.doubt else made

    return nm_cwe_quantity


CONVERTERS = (Converter("NM-CWE-Quantity", "Quantity", bind_number_and_unit, sources=2),)
