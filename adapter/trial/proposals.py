"""Derived facts as FHIR: an Observation each, preliminary until a person confirms it. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

from adapter.trial.confirmations import Confirmation, confirmed
from adapter.trial.derived import CODES, Derived, refs_of_type
from adapter.trial.elements import Resource
from adapter.trial.record import Subject
from adapter.trial.terms import Terms

IDENTIFIERS = "https://fhir.tli-trial.example.org/NamingSystem/tli-derived"
RESTS_ON = "https://fhir.tli-trial.example.org/StructureDefinition/tli-rests-on"
ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
VERSION = "1"
"""Of the rules: to be raised when one of them computes something else."""

Identify = Callable[[str, str, str], str]


def proposal(
    fact: Derived, subject: Subject, terms: Terms, identify: Identify, *, said: Mapping[str, Confirmation]
) -> Resource:
    """The Observation of a fact: `method` names the rule and its version, `derivedFrom` the Observations it rests on.

    What it rests on beside Observations is named by an extension, as R4 allows no other types in `derivedFrom`.

    Args:
        fact: what was derived.
        subject: of whom.
        terms: the extensions.
        identify: how ids are derived from identifiers: type, system, value.
        said: what was confirmed, by the number of the fact.
    """
    number = f"{subject.number}/{fact.number}"
    extensions = [{"url": RESTS_ON, "valueReference": one} for one in refs_of_type(fact.rests_on, observations=False)]
    if fact.course:
        extensions.append({"url": terms.extensions["course"], "valueReference": {"reference": fact.course.ref}})
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "id": identify("Observation", IDENTIFIERS, number),
        "extension": extensions,
        "identifier": [{"system": IDENTIFIERS, "value": number}],
        "status": "preliminary",
        "code": _concept("tli-derived", fact.code),
        "subject": {"reference": subject.patient},
        "effectiveDateTime": fact.day.isoformat() if fact.day else None,
        **fact.value,
        "note": [{"text": note} for note in fact.notes],
        "method": _concept("tli-rule", fact.code, version=VERSION, text=fact.rule),
        "derivedFrom": refs_of_type(fact.rests_on, observations=True),
        "component": [
            {"code": _concept("tli-derived", code), **value} for code, value in sorted((fact.parts or {}).items())
        ],
    }
    return confirmed({name: value for name, value in made.items() if value not in (None, [])}, said.get(number))


def withdrawn(stored: Resource) -> Resource:
    """A fact that cannot be derived any more: the same Observation without value and evidence."""
    kept = {
        name: value
        for name, value in stored.items()
        if not name.startswith("value")
        and name not in {"meta", "derivedFrom", "component", "note", "effectiveDateTime", "performer"}
    }
    reason = {"coding": [{"system": ABSENT, "code": "unknown"}], "text": "no longer derivable from what is stored"}
    return {**kept, "status": "preliminary", "dataAbsentReason": reason}


def _concept(system: str, code: str, *, version: str = "", text: str = "") -> dict[str, Any]:
    coding = {"system": f"{CODES}{system}", "code": code} | ({"version": version} if version else {})
    return {"coding": [coding]} | ({"text": text} if text else {})
