"""What all definitions have in common: canonical URL, name, publisher."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from adapter.mapper.codes import CANONICAL

Resource = dict[str, Any]

PUBLISHER = "Trial ChiCTR-ONC-17011948"
VERSION = "1.0.0"
_SHORT = {
    "http://loinc.org": "loinc",
    "http://www.whocc.no/atc": "atc",
    "http://snomed.info/sct": "snomed",
    "http://unitsofmeasure.org": "ucum",
    "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl": "ncit",
    "https://www.meddra.org": "meddra",
}


def resource(kind: str, name: str, *, title: str, description: str) -> Resource:
    """The head of a definition.

    Args:
        kind: its resource type.
        name: its id.
        title: for people.
        description: what it is, and what it was made from.
    """
    return {
        "resourceType": kind,
        "id": name,
        "url": f"{CANONICAL}/{kind}/{name}",
        "version": VERSION,
        "name": "".join(part[:1].upper() + part[1:] for part in re.split(r"[^A-Za-z0-9]+", name)),
        "title": title,
        "status": "active",
        "publisher": PUBLISHER,
        "description": description,
    }


def short(system: str) -> str:
    """A code system's name in an id: `loinc`, `fahzu-lab`, `v2-0203`."""
    return _SHORT.get(system) or re.sub(r"[^a-z0-9.-]+", "-", system.rsplit("/", 1)[-1].lower())


def coding(code: str, display: str) -> dict[str, str]:
    """Code and display; a display that is empty is left out."""
    return {"code": code, "display": display} if display else {"code": code}


def group(source: str, target: str, elements: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """A group of a ConceptMap; a system that has no URI is left out."""
    systems = {name: uri for name, uri in (("source", source), ("target", target)) if uri}
    return {**systems, "element": list(elements)}
