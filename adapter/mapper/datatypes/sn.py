"""SN: structured numbers, `<^0.10`, `^5^/^10`, `^1^-^5`. v2-to-FHIR guide: SN[Quantity] (ratio and range are ours)."""

from collections.abc import Callable
from typing import Any

from adapter.hl7v2.message import Field
from adapter.mapper.datatypes.converter import lines, part
from adapter.mapper.datatypes.doubt import Doubt
from adapter.mapper.datatypes.nm import COMPARATORS, Measured, decimal_of, measured
from adapter.mapper.datatypes.quantity import Scale, quantity

NOT_STRUCTURED = ("102", "is no structured number: kept as text", "not-a-number")


def structured(by: Scale) -> Callable[[Field], Any]:
    """The reader of SN values in one unit."""

    def read(value: Field) -> Any:
        text = lines(value)
        if not text.strip("^ "):
            return None
        made = _single(value, text, by) or _pair(value, by)
        if made is None:
            return Doubt({"valueString": text.strip("^ ").replace("^", "")}, *NOT_STRUCTURED)
        return by.doubt.of(made, source=2) if by.doubt else made

    return read


def _single(value: Field, text: str, by: Scale) -> dict[str, Any] | None:
    sign, number, separator = (part(value[0], at) for at in (1, 2, 3))
    if separator or len(value) > 1:
        return None
    found = decimal_of(number)
    if found is not None and sign in COMPARATORS:
        made = Measured(found, COMPARATORS[sign])
    else:
        made = measured(sign) if sign and not number else None
    if made is None:
        return None
    as_sent = text.replace("^", "") if by.factor is not None else ""
    return {"valueQuantity": quantity(made, by, as_sent=as_sent)}


def _pair(value: Field, by: Scale) -> dict[str, Any] | None:
    sign, one, separator, other = (part(value[0], at) for at in (1, 2, 3, 4))
    low, high = decimal_of(one), decimal_of(other)
    if sign or low is None or high is None or len(value) > 1:
        return None
    if separator in {"/", ":"} and not by.unit:
        return {"valueRatio": {"numerator": {"value": low}, "denominator": {"value": high}}}
    if separator == "-":
        return {"valueRange": {"low": quantity(Measured(low), by), "high": quantity(Measured(high), by)}}
    return None
