"""Confirmations of derived facts: what a person confirmed, and whether it is still what the rules derive. Pure.

A confirmation is an Observation that a message made (docs/decisions/0022). It names the fact by its number and says the
confirmed value in words; the fact is `final` for as long as its own words are the same.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adapter.trial.elements import Resource, code_of, codes, identifier, own

CODE = "CONFIRMATION"
SYSTEM = "https://fhir.tli-trial.example.org/CodeSystem/tli-derived"
NUMBERS = "https://fhir.tli-trial.example.org/NamingSystem/tli-confirmation"

_COUNTS = frozenset({"final", "amended", "corrected"})


@dataclass(frozen=True, slots=True)
class Confirmation:
    """One fact as it was confirmed: by its number, in these words, by whom, and why."""

    number: str
    words: str
    ref: str
    performer: list[Resource]
    reason: str


def confirmations(resources: Iterable[Resource]) -> dict[str, Confirmation]:
    """The confirmations among a subject's resources, by the number of the fact; each fact has one, the latest."""
    found = (_confirmation(one) for one in resources if one["resourceType"] == "Observation")
    return {one.number: one for one in found if one}


def _confirmation(one: Resource) -> Confirmation | None:
    number = identifier(one, NUMBERS)
    if not number or one.get("status") not in _COUNTS or code_of(one.get("code"), SYSTEM) != CODE:
        return None
    reason = "; ".join(note["text"] for note in one.get("note", []))
    return Confirmation(number, one.get("valueString", ""), own(one), one.get("performer", []), reason)


def words(fact: Resource) -> str:
    """The value of a fact and of its components, as people and confirmations say it: `40 d; ENDED-BY EVENT`.

    Empty where the fact has no value any more.
    """
    said = [_said(fact)]
    said += [f"{code} {_said(part)}" for part in fact.get("component", []) for _, code in codes(part.get("code"))]
    return "; ".join(said) if said[0] else ""


def confirmed(fact: Resource, said: Confirmation | None) -> Resource:
    """The fact as `final`, where what was confirmed is what it says; else as it is."""
    if said is None or not said.words or words(fact) != said.words:
        return fact
    note = {"text": f"confirmed: {said.reason} ({said.ref})"}
    by = {"performer": said.performer} if said.performer else {}
    return {**fact, "status": "final", **by, "note": [*fact.get("note", []), note]}


def _said(element: Mapping[str, Any]) -> str:
    return next(_texts(element), "")


def _texts(element: Mapping[str, Any]) -> Iterator[str]:
    for name, value in element.items():
        match name:
            case "valueQuantity":
                yield f"{value['value']:g} {value['unit']}"
            case "valueCodeableConcept":
                yield from (code for _, code in codes(value))
            case "valueRatio":
                yield f"{value['numerator']['value']:g}/{value['denominator']['value']:g}"
            case _ if name.startswith("value"):
                yield str(value)
            case _:
                pass
