"""XAD: addresses. v2-to-FHIR guide: XAD[Address], AddressType[Use], AddressType[Type]."""

from typing import Any

from adapter.hl7v2.message import Repetition
from adapter.mapper.datatypes.converter import Converter, part, plain

USES = {"H": "home", "B": "work", "O": "work", "C": "temp", "BA": "old", "BI": "billing"}
TYPES = {"M": "postal", "SH": "postal"}
PARTS = (("city", 3), ("district", 9), ("state", 4), ("postalCode", 5), ("country", 6))


def xad_address(repetition: Repetition) -> dict[str, Any] | None:
    """XAD to Address; a whole address in XAD.1 becomes `text`."""
    lines = [text for text in (part(repetition, 1), part(repetition, 1, 2), part(repetition, 2)) if text]
    parts = {element: text for element, number in PARTS if (text := part(repetition, number))}
    if not (lines or parts):
        return None
    made: dict[str, Any] = {}
    kind = part(repetition, 7)
    if kind in USES:
        made["use"] = USES[kind]
    if kind in TYPES:
        made["type"] = TYPES[kind]
    if len(lines) == 1 and not parts:
        made["text"] = lines[0]
    elif lines:
        made["line"] = lines
    return made | parts


CONVERTERS = (Converter("XAD-Address", "Address", plain(xad_address), reads=frozenset({1, 2, 3, 4, 5, 6, 7, 9})),)
