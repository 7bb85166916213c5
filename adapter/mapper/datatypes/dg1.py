"""DG1, PR1: what was found and done, with description and coding method in fields of their own; a diagnosis of a visit.

v2-to-FHIR guide: DG1[Condition], DG1[Encounter], DG1[EpisodeOfCare], PR1[Procedure]. DG1-2 and DG1-4 (PR1-2, PR1-4) are
how versions before 2.4 said what CWE.3 and CWE.2 say since.
"""

from functools import partial
from typing import Any

from adapter.hl7v2.message import Field, Repetition
from adapter.mapper.datatypes.converter import Bound, Converter, first, lines, part
from adapter.mapper.datatypes.cwe import BY, READS, Concepts
from adapter.mapper.datatypes.doubt import Doubt, doubted_as, without_doubt
from adapter.mapper.datatypes.nm import nm_integer
from adapter.mapper.sites import Site

KINDS = "0052-diagnosis-type"


def _bind_described(site: Site, paths: tuple[str, ...]) -> Bound:
    """Code, description, coding method."""
    concept = Concepts(site, paths[0]).concept

    def described(code: Field, description: Field, method: Field) -> dict[str, Any] | Doubt | None:
        made = concept(_with_system(code[0], first(method))) if code else None
        text = lines(description)
        value: dict[str, Any] = without_doubt(made) or {}
        if not text or any(coding.get("display") == text for coding in value.get("coding", ())):
            return made
        value = {**value, "text": text}
        return doubted_as(made, value)

    return described


def _with_system(code: Repetition, method: str) -> Repetition:
    """The code with the coding method as name of its system, where it names none itself."""
    if not method or part(code, 3):
        return code
    padded = (*code, ("",), ("",))
    return (padded[0], padded[1], (method,), *code[3:])


def _bind_modified(site: Site, paths: tuple[str, ...]) -> Bound:
    """As above, with modifiers: one coding more, `code:modifier` (guide: PR1-3.1 + ":" + PR1-16.1)."""
    described = _bind_described(site, paths[:3])

    def modified(code: Field, description: Field, method: Field, modifiers: Field) -> dict[str, Any] | Doubt | None:
        made = described(code, description, method)
        value = without_doubt(made)
        more = [text for one in modifiers if (text := part(one, 1))]
        if not value or not more or not value.get("coding"):
            return made
        sent = value["coding"][-1]
        joined = {"system": sent["system"]} if "system" in sent else {}
        joined["code"] = ":".join([first(code), *more])
        value = {**value, "coding": [*value["coding"], joined]}
        return doubted_as(made, value)

    return modified


def _bind_diagnosis(site: Site, paths: tuple[str, ...], *, element: str) -> Bound:
    """What kind of diagnosis it is for the visit, and its rank."""
    concept = Concepts(site, f"{paths[0]}{BY}{KINDS}").concept

    def diagnosis(kind: Field, priority: Field) -> dict[str, Any] | Doubt | None:
        made = concept(kind[0]) if kind else None
        rank = without_doubt(nm_integer(priority[0])) if priority else None
        value = {element: without_doubt(made)} if made else {}
        # DG1-15 is 0 where the diagnosis is not ranked; a rank begins with 1.
        value |= {"rank": rank} if rank and rank > 0 else {}
        return doubted_as(made, value or None)

    return diagnosis


CONVERTERS = (
    Converter("CWE-ST-CodeableConcept", "CodeableConcept", _bind_described, sources=3, reads=READS, clears=True),
    Converter("CWE-ST-CWE-CodeableConcept", "CodeableConcept", _bind_modified, sources=4, reads=READS, clears=True),
    Converter(
        "DG1-EncounterDiagnosis",
        "BackboneElement",
        partial(_bind_diagnosis, element="use"),
        sources=2,
        reads=READS,
    ),
    Converter(
        "DG1-EpisodeDiagnosis",
        "BackboneElement",
        partial(_bind_diagnosis, element="role"),
        sources=2,
        reads=READS,
    ),
)
