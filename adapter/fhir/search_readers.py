"""What search finds in a value: for each kind of search parameter and each FHIR type, the columns of its index rows.

Tokens give system and code, references type and id, dates the first and last microsecond, strings the normalised
text and the text, quantities a code (empty: it stands for a value without one), unit, range in base units, the system
of the code, and the range as it is written.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from typing import Any

from adapter.fhir.quantities import CURRENCY, GREATEST, LEAST, measured
from adapter.fhir.search_values import EARLIEST, LATEST, date_range, number_range, plain, split_reference

Row = tuple[Any, ...]
"""The columns of an index row after parameter and resource."""

Reader = Callable[[Any, tzinfo], Sequence[Row]]


def _plain_token(value: Any, _: tzinfo) -> Sequence[Row]:
    return (("", str(value).lower() if isinstance(value, bool) else str(value)),)


def _coding(value: Any, _: tzinfo) -> Sequence[Row]:
    code = value.get("code")
    return ((value.get("system", ""), code),) if code else ()


def _concept(value: Any, _: tzinfo) -> Sequence[Row]:
    return [(coding.get("system", ""), code) for coding in value.get("coding", ()) if (code := coding.get("code"))]


def _identifier(value: Any, _: tzinfo) -> Sequence[Row]:
    text = value.get("value")
    return ((value.get("system", ""), text),) if text else ()


def _contact_point(value: Any, _: tzinfo) -> Sequence[Row]:
    # Its system says phone or email and is no namespace (R4 §3.1.1.4.10).
    text = value.get("value")
    return (("", text),) if text else ()


def _reference(value: Any, _: tzinfo) -> Sequence[Row]:
    text = value.get("reference", "")
    return (split_reference(text),) if text and text[0] != "#" else ()


def _canonical(value: Any, _: tzinfo) -> Sequence[Row]:
    """A canonical URL is found with its version and without (R4 §3.1.1.4.9)."""
    url, version, _number = value.partition("|")
    return (("", url), ("", value)) if version else (("", url),)


def _date(value: Any, zone: tzinfo) -> Sequence[Row]:
    found = date_range(value, zone)
    return (found,) if found else ()


def _period(value: Any, zone: tzinfo) -> Sequence[Row]:
    start, end = (date_range(value[name], zone) if name in value else None for name in ("start", "end"))
    if not (start or end):
        return ()
    return ((start[0] if start else EARLIEST, end[1] if end else LATEST),)


def _timing(value: Any, zone: tzinfo) -> Sequence[Row]:
    events = [found for event in value.get("event", ()) if (found := date_range(event, zone))]
    if events:
        return ((min(low for low, _ in events), max(high for _, high in events)),)
    bounds = value.get("repeat", {}).get("boundsPeriod")
    return _period(bounds, zone) if bounds else ()


def _number(value: Any, _: tzinfo) -> Sequence[Row]:
    found = number_range(str(value), exact=True)
    return (found,) if found else ()


def _quantity(value: Any, _: tzinfo) -> Sequence[Row]:
    unit = value.get("code") or value.get("unit", "")
    return _measured(value.get("value"), value.get("comparator", ""), value.get("system", ""), unit)


def _money(value: Any, _: tzinfo) -> Sequence[Row]:
    return _measured(value.get("value"), "", CURRENCY, value.get("currency", ""))


def _measured(value: Any, comparator: str, system: str, unit: str) -> Sequence[Row]:
    found = measured(str(value), comparator, system, unit) if value is not None else None
    if found is None:
        return ()
    key, low, high, least, greatest = found
    return (("", key, low, high, "", least, greatest),)


def _range(value: Any, zone: tzinfo) -> Sequence[Row]:
    """From the lower end to the upper one; an end that is not told is open (R4 §2.24.0.8)."""
    low, high = (_quantity(value.get(end, {}), zone) for end in ("low", "high"))
    ends = [*low, *high]
    if len({unit for _, unit, *_ in ends}) != 1:
        return ()
    first, last = (low[0] if low else None), (high[0] if high else None)
    return (
        (
            "",
            ends[0][1],
            first[2] if first else LEAST,
            last[3] if last else GREATEST,
            "",
            first[5] if first else LEAST,
            last[6] if last else GREATEST,
        ),
    )


def _text(value: Any, _: tzinfo) -> Sequence[Row]:
    normalised = plain(value)
    return ((normalised, value),) if normalised else ()


def _parts(*names: str) -> Callable[[Any, tzinfo], Sequence[Row]]:
    def read(value: Any, zone: tzinfo) -> Sequence[Row]:
        found: list[Row] = []
        for name in names:
            part = value.get(name, ())
            for text in (part,) if isinstance(part, str) else part:
                found += _text(text, zone)
        return found

    return read


READERS: Mapping[str, Mapping[str, Reader]] = {
    "token": {
        "code": _plain_token,
        "boolean": _plain_token,
        "id": _plain_token,
        "string": _plain_token,
        "uri": _plain_token,
        "url": _plain_token,
        "Coding": _coding,
        "CodeableConcept": _concept,
        "Identifier": _identifier,
        "ContactPoint": _contact_point,
    },
    "uri": {"uri": _plain_token, "url": _plain_token, "canonical": _plain_token, "oid": _plain_token},
    "number": {"integer": _number, "positiveInt": _number, "unsignedInt": _number, "decimal": _number},
    "quantity": {
        "Quantity": _quantity,
        "Age": _quantity,
        "Duration": _quantity,
        "Money": _money,
        "Range": _range,
    },
    "reference": {"Reference": _reference, "canonical": _canonical, "uri": _canonical},
    "date": {"date": _date, "dateTime": _date, "instant": _date, "Period": _period, "Timing": _timing},
    "string": {
        "string": _text,
        "markdown": _text,
        "HumanName": _parts("text", "family", "given", "prefix", "suffix"),
        "Address": _parts("text", "line", "city", "district", "state", "postalCode", "country"),
    },
}
