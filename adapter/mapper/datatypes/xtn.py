"""XTN: telephone numbers and e-mail. v2-to-FHIR guide: XTN[ContactPoint]; layouts of 2.1 (a text) to 2.8 (XTN.12)."""

from collections.abc import Callable
from functools import partial
from typing import Any

from adapter.hl7v2.message import Repetition
from adapter.mapper.datatypes.converter import Bound, Converter, part
from adapter.mapper.datatypes.doubt import Doubt, doubted_as
from adapter.mapper.datatypes.dtm import validity, with_period
from adapter.mapper.datatypes.nm import nm_positive_int
from adapter.mapper.sites import Site

STANDARD = "http://hl7.org/fhir/StructureDefinition"
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
PARTS = ((5, "country"), (6, "area"), (7, "local"), (8, "extension"))
READS = frozenset({*range(1, 10), 12, 13, 14, 18})


def _bind_contact_point(site: Site, _paths: tuple[str, ...], *, usual: str = "") -> Bound:
    zone = site.timezone

    def xtn_contact_point(repetition: Repetition) -> dict[str, Any] | Doubt | None:
        """XTN to ContactPoint."""
        equipment, email = part(repetition, 3), part(repetition, 4)
        system = SYSTEMS.get(equipment, "email" if email or part(repetition, 2) == "NET" else "phone")
        value = (email or part(repetition, 1)) if system == "email" else _number(repetition)
        if not value:
            return None
        made = _parts(repetition) if value != email else {}
        made |= {"system": system, "value": value}
        if use := "mobile" if equipment == "CP" else USES.get(part(repetition, 2), usual):
            made["use"] = use
        return _ranked(with_period(made, validity(repetition, 0, 13, 14, zone)), repetition)

    return xtn_contact_point


def _number(repetition: Repetition) -> str:
    country, area, local, extension = (part(repetition, number) for number in (5, 6, 7, 8))
    whole = part(repetition, 12)
    if not local or (whole and not area):  # the guide: a local number is the value only beside its area
        return whole or part(repetition, 1) or part(repetition, 9)
    country = f"+{country.removeprefix('+')}" if country else ""
    return " ".join(text for text in (country, area, local, f"X{extension}" if extension else "") if text)


def _parts(repetition: Repetition) -> dict[str, Any]:
    found = [
        {"url": f"{STANDARD}/contactpoint-{name}", "valueString": text}
        for number, name in PARTS
        if (text := part(repetition, number))
    ]
    return {"extension": found} if found else {}


def _ranked(made: dict[str, Any] | Doubt, repetition: Repetition) -> dict[str, Any] | Doubt:
    """XTN.18, the order of preference."""
    rank = nm_positive_int(repetition[17:18]) if len(repetition) > 17 else None
    if isinstance(made, Doubt) or rank is None:
        return made
    return doubted_as(rank, made) | {"rank": rank}


def _usual(use: str) -> Callable[[Site, tuple[str, ...]], Bound]:
    return partial(_bind_contact_point, usual=use)


CONVERTERS = (
    Converter("XTN-ContactPoint", "ContactPoint", _bind_contact_point, reads=READS),
    Converter("XTN-ContactPointHome", "ContactPoint", _usual("home"), reads=READS),
    Converter("XTN-ContactPointWork", "ContactPoint", _usual("work"), reads=READS),
)
