"""XTN: telephone numbers and e-mail. v2-to-FHIR guide: XTN[ContactPoint]; layouts of 2.3 (XTN.1) to 2.7 (XTN.12)."""

from adapter.hl7v2.message import Repetition
from adapter.mapper.datatypes.converter import Converter, part, plain

USES = {"PRN": "home", "WPN": "work", "PRS": "mobile"}
SYSTEMS = {
    "PH": "phone",
    "CP": "phone",
    "FX": "fax",
    "BP": "pager",
    "Internet": "email",
    "X.400": "email",
    "MD": "other",
    "SAT": "other",
    "TDD": "other",
    "TTY": "other",
}


def xtn_contact_point(repetition: Repetition) -> dict[str, str] | None:
    """XTN to ContactPoint."""
    equipment, email = part(repetition, 3), part(repetition, 4)
    system = SYSTEMS.get(equipment, "email" if email else "phone")
    value = email if system == "email" else _number(repetition)
    if not value:
        return None
    made = {"system": system, "value": value}
    use = "mobile" if equipment == "CP" else USES.get(part(repetition, 2), "")
    return {**made, "use": use} if use else made


def _number(repetition: Repetition) -> str:
    country, area, local, extension = (part(repetition, number) for number in (5, 6, 7, 8))
    if not local:
        return part(repetition, 12) or part(repetition, 1)
    country = f"+{country.removeprefix('+')}" if country else ""
    return " ".join(text for text in (country, area, local, f"X{extension}" if extension else "") if text)


CONVERTERS = (
    Converter(
        "XTN-ContactPoint", "ContactPoint", plain(xtn_contact_point), reads=frozenset({1, 2, 3, 4, 5, 6, 7, 8, 12})
    ),
)
