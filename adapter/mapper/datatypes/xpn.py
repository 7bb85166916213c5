"""XPN: names of persons. v2-to-FHIR guide: XPN[HumanName]; representations of HL7 table 0465."""

from typing import Any

from adapter.hl7v2.message import Repetition
from adapter.mapper.datatypes.converter import Converter, part, plain

REPRESENTATION = "http://hl7.org/fhir/StructureDefinition/iso21090-EN-representation"
REPRESENTATIONS = {"I": "IDE", "A": "ABC", "P": "SYL"}
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


def ideographic(text: str) -> bool:
    """Whether the text holds a Han character (all planes)."""
    return any("\u3400" <= c <= "\u9fff" or "\uf900" <= c <= "\ufaff" or c >= "\U00020000" for c in text)


def xpn_human_name(repetition: Repetition) -> dict[str, Any] | None:
    """XPN to HumanName.

    A whole name in XPN.1 (no given name) becomes `text` alone: where the family name ends is never guessed.
    """
    family, given, further = part(repetition, 1), part(repetition, 2), part(repetition, 3)
    if not (family or given or further):
        return None
    name = family + given + further
    made: dict[str, Any] = {}
    representation = REPRESENTATIONS.get(part(repetition, 8)) or ("IDE" if ideographic(name) else "")
    if representation:
        made["extension"] = [{"url": REPRESENTATION, "valueCode": representation}]
    if use := USES.get(part(repetition, 7)):
        made["use"] = use
    ordered = [given, further, family] if part(repetition, 11) == "G" else [family, given, further]
    made["text"] = name if representation == "IDE" else " ".join(one for one in ordered if one)
    if given or further:
        made |= {"family": family} if family else {}
        made["given"] = [one for one in (given, further) if one]
    for element, number in (("prefix", 5), ("suffix", 4)):
        if text := part(repetition, number):
            made[element] = [text]
    return made


CONVERTERS = (
    Converter("XPN-HumanName", "HumanName", plain(xpn_human_name), reads=frozenset({1, 2, 3, 4, 5, 7, 8, 11})),
)
