"""XPN: names of persons. v2-to-FHIR guide: XPN[HumanName], FN[HumanName]; representations of HL7 table 0465."""

from typing import Any

from adapter.hl7v2.message import Repetition
from adapter.mapper.datatypes.converter import Bound, Converter, part, plain
from adapter.mapper.datatypes.doubt import Doubt
from adapter.mapper.datatypes.dtm import validity, with_period
from adapter.mapper.sites import Site

STANDARD = "http://hl7.org/fhir/StructureDefinition"
REPRESENTATION = f"{STANDARD}/iso21090-EN-representation"
REPRESENTATIONS = {"I": "IDE", "A": "ABC", "P": "SYL"}
ASSEMBLY_ORDERS = frozenset({"F", "G"})
"""HL7 table 0444, which the extension's value set takes over."""
SURNAME_PARTS = ((2, "own-prefix"), (3, "own-name"), (4, "partner-prefix"), (5, "partner-name"))
USES = {
    "L": "official",
    "R": "official",
    "D": "usual",
    "M": "maiden",
    "N": "nickname",
    "TEMP": "temp",
    "NAV": "temp",
    "BAD": "old",
    "MSK": "anonymous",
    "S": "anonymous",  # the guide leaves pseudonyms open; anonymous is what FHIR has for them
}
READS = frozenset({*range(1, 9), *range(10, 16)})


def ideographic(text: str) -> bool:
    """Whether the text holds a Han character (all planes)."""
    return any("\u3400" <= c <= "\u9fff" or "\uf900" <= c <= "\ufaff" or c >= "\U00020000" for c in text)


def surname(repetition: Repetition, component: int) -> dict[str, Any]:
    """FN to `family`, with the parts of the surname beside it (own and partner's, FN.2 to FN.5)."""
    family = part(repetition, component)
    parts = [
        {"url": f"{STANDARD}/humanname-{name}", "valueString": text}
        for number, name in SURNAME_PARTS
        if (text := part(repetition, component, number))
    ]
    made: dict[str, Any] = {"family": family} if family else {}
    return made | {"_family": {"extension": parts}} if parts else made


def _extensions(repetition: Repetition, representation: str) -> dict[str, Any]:
    found: list[dict[str, str]] = []
    if representation:
        found.append({"url": REPRESENTATION, "valueCode": representation})
    if (order := part(repetition, 11)) in ASSEMBLY_ORDERS:
        found.append({"url": f"{STANDARD}/humanname-assembly-order", "valueCode": order})
    return {"extension": found} if found else {}


def _name(repetition: Repetition) -> dict[str, Any] | None:
    """A whole name in XPN.1 (no given name) becomes `text` alone: where the family name ends is never guessed."""
    family, given, further = part(repetition, 1), part(repetition, 2), part(repetition, 3)
    if not (family or given or further):
        return None
    name = family + given + further
    representation = REPRESENTATIONS.get(part(repetition, 8)) or ("IDE" if ideographic(name) else "")
    made = _extensions(repetition, representation)
    if use := USES.get(part(repetition, 7)):
        made["use"] = use
    ordered = [given, further, family] if part(repetition, 11) == "G" else [family, given, further]
    made["text"] = name if representation == "IDE" else " ".join(one for one in ordered if one)
    if given or further:
        made |= surname(repetition, 1)
        made["given"] = [one for one in (given, further) if one]
    for element, numbers in (("prefix", (5,)), ("suffix", (4, 6, 14))):
        if texts := [text for number in numbers if (text := part(repetition, number))]:
            made[element] = texts
    return made


def _bind_names(site: Site, _paths: tuple[str, ...]) -> Bound:
    """Every name of the repetition: the name itself, and what the person is called by (XPN.15)."""
    zone = site.timezone

    def xpn_human_names(repetition: Repetition) -> list[dict[str, Any]] | dict[str, Any] | Doubt | None:
        name, called = _name(repetition), part(repetition, 15)
        nickname = {"use": "nickname", "given": [called]}
        if name is None:
            return nickname if called else None
        made = with_period(name, validity(repetition, 10, 12, 13, zone))
        if not called:
            return made
        if isinstance(made, Doubt):
            return made.of([made.value, nickname])
        return [made, nickname]

    return xpn_human_names


def full_name(repetition: Repetition) -> str:
    """A name as one text, in the order of XPN.11; the parts of a name in Han characters stand together."""
    name = _name(repetition)
    return name["text"] if name else ""


def xpn_string(repetition: Repetition) -> str | None:
    """XPN to string."""
    return full_name(repetition) or None


def xpn_reference(repetition: Repetition) -> dict[str, str] | None:
    """A person who is known by the name alone."""
    name = full_name(repetition)
    return {"display": name} if name else None


NAMED = frozenset({1, 2, 3, 8, 11})
CONVERTERS = (
    Converter("XPN-HumanName", "HumanName", _bind_names, reads=READS),
    Converter("XPN-string", "string", plain(xpn_string), reads=NAMED),
    Converter("XPN-Reference", "Reference", plain(xpn_reference), reads=NAMED),
)
