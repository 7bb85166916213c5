"""CQ, and values whose unit stands in a field or component of its own. v2-to-FHIR guide: CQ[Quantity], RPT[Timing].

Units of time become the codes that Timing and Duration allow (R4 value set units-of-time, UCUM); no other is guessed.
"""

from decimal import Decimal
from typing import Any

from adapter.hl7v2.message import Component, Field, Repetition
from adapter.mapper.codes import UCUM
from adapter.mapper.datatypes.converter import Bound, Converter, part
from adapter.mapper.datatypes.doubt import Doubt
from adapter.mapper.datatypes.nm import decimal_of, measured
from adapter.mapper.datatypes.quantity import quantity, scales
from adapter.mapper.sites import Site

TIME_UNITS = {
    "s": "s",
    "sec": "s",
    "min": "min",
    "m": "min",
    "h": "h",
    "hr": "h",
    "d": "d",
    "day": "d",
    "days": "d",
    "wk": "wk",
    "w": "wk",
    "l": "mo",
    "mo": "mo",
    "a": "a",
    "y": "a",
}
"""As sent, small letters: UCUM, ISO+, and the letters of TQ.3 (HL7 v2.5.1 §2.A.81: L is a month)."""


def components(component: Component) -> Field:
    """A component that holds a whole type in its subcomponents, as a field of that type."""
    return (tuple((text,) for text in component),) if any(component) else ()


def whole(repetition: Repetition) -> Repetition:
    """A type as sent, or one that stands in the subcomponents of one component (TQ.1, EIP)."""
    return repetition if len(repetition) != 1 else tuple((text,) for text in repetition[0])


def duration(number: str, unit: str) -> dict[str, Any] | None:
    """A Duration; None where the number is none, or the unit no unit of time."""
    value, code = decimal_of(number), TIME_UNITS.get(unit.lower())
    return {"value": value, "unit": code, "system": UCUM, "code": code} if value is not None and code else None


def cq_duration(repetition: Repetition) -> dict[str, Any] | None:
    """CQ to Duration."""
    return duration(part(repetition, 1), part(repetition, 2))


def cq_number(repetition: Repetition) -> tuple[Decimal, str] | None:
    """CQ as number and unit of time."""
    made = cq_duration(repetition)
    return (made["value"], made["code"]) if made else None


def bind_quantity(site: Site, _paths: tuple[str, ...] = ()) -> Bound:
    """CQ to Quantity, its unit checked."""
    scale_of = scales(site)

    def cq_quantity(repetition: Repetition) -> dict[str, Any] | Doubt | None:
        sent = whole(repetition)
        text = part(sent, 1)
        if not text:
            return None
        number, by = measured(text), scale_of(components(sent[1]) if len(sent) > 1 else ())
        if number is None:
            return Doubt(None, "102", "is no number", "not-a-number")
        made = quantity(number, by)
        return by.doubt.of(made) if by.doubt else made

    return cq_quantity


CONVERTERS = (Converter("CQ-Quantity", "Quantity", bind_quantity, reads=frozenset({1, 2})),)
