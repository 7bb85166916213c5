"""NM: numbers, with the digits as they were sent (Decimal: 0.70 stays 0.70)."""

import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from adapter.hl7v2.message import Repetition
from adapter.mapper.codes import UCUM
from adapter.mapper.datatypes.converter import Converter, plain, whole_text
from adapter.mapper.datatypes.doubt import Doubt

COMPARATORS = {"": "", "=": "", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "≤": "<=", "≥": ">="}
LONGEST = 64


@dataclass(frozen=True, slots=True)
class Measured:
    """A number as a laboratory writes it; `plain` is how HL7 defines NM, `tidied` had full-width characters."""

    value: Decimal
    comparator: str = ""
    plain: bool = False
    tidied: bool = False


def decimal_of(text: str) -> Decimal | None:
    """The number that an ASCII text writes, with exponent if need be; None for any other text (`1.2.3`, `12,5`)."""
    if len(text) > LONGEST or not text.isascii():
        return None
    if text.replace(".", "", 1).isdigit():
        return Decimal(text)
    mantissa, e, exponent = text.replace("E", "e", 1).partition("e")
    digits = mantissa[1:] if mantissa[:1] in {"+", "-"} else mantissa
    if not digits.replace(".", "", 1).isdigit():
        return None
    if e and not (exponent.lstrip("+-").isdigit() and len(exponent) <= 3 and exponent[1:2] not in {"+", "-"}):
        return None
    return Decimal(text)


def measured(text: str) -> Measured | None:
    """A number with an optional comparator, full-width characters resolved; None for other texts."""
    value = decimal_of(text)
    if value is not None:
        return Measured(value, plain="e" not in text.lower())
    tidy = unicodedata.normalize("NFKC", text).replace(" ", "")
    number = tidy.lstrip("<>=≤≥")
    sign = tidy[: len(tidy) - len(number)]
    value = decimal_of(number)
    if value is None or sign not in COMPARATORS:
        return None
    return Measured(value, COMPARATORS[sign], tidied=tidy != text.replace(" ", ""))


def nm_decimal(repetition: Repetition) -> Decimal | Doubt | None:
    """NM to decimal."""
    text = whole_text(repetition).strip()
    if not text:
        return None
    value = decimal_of(unicodedata.normalize("NFKC", text))
    if value is None:
        return Doubt(None, "102", "is no number", "not-a-number")
    return value


def nm_integer(repetition: Repetition) -> int | Doubt | None:
    """NM to integer; a number with a fraction is none."""
    value = nm_decimal(repetition)
    if not isinstance(value, Decimal):
        return value
    if value != value.to_integral_value() or abs(value) >= 2**31:
        return Doubt(None, "102", "is no integer", "not-a-number")
    return int(value)


def nm_positive_int(repetition: Repetition) -> int | Doubt | None:
    """NM to positiveInt."""
    value = nm_integer(repetition)
    if isinstance(value, int) and value < 1:
        return Doubt(None, "102", "is not greater than zero", "not-a-number")
    return value


def nm_days(repetition: Repetition) -> dict[str, Any] | Doubt | None:
    """A number of days to Duration; a negative one is none (v2-to-FHIR guide: NM[Quantity-LengthOfStay])."""
    value = nm_decimal(repetition)
    if not isinstance(value, Decimal):
        return value
    if value < 0:
        return Doubt(None, "102", "is less than zero", "not-a-number")
    return {"value": value, "unit": "days", "system": UCUM, "code": "d"}


def nm_unsigned_int(repetition: Repetition) -> int | Doubt | None:
    """NM to unsignedInt."""
    value = nm_integer(repetition)
    if isinstance(value, int) and value < 0:
        return Doubt(None, "102", "is less than zero", "not-a-number")
    return value


CONVERTERS = (
    Converter("NM-decimal", "decimal", plain(nm_decimal)),
    Converter("NM-integer", "integer", plain(nm_integer)),
    Converter("NM-Duration", "Duration", plain(nm_days)),
    Converter("NM-positiveInt", "positiveInt", plain(nm_positive_int)),
    Converter("NM-unsignedInt", "unsignedInt", plain(nm_unsigned_int)),
)
