"""Whether resources keep the rules of the study: extensions where they may stand, codes that are verified."""

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

from adapter.data import data_folder
from adapter.fhir import json, r4
from adapter.fhir.applies import load_applications
from adapter.fhir.search_params import load
from adapter.mapper.catalog import load_catalog

PROFILES, MAPPINGS = data_folder("profiles"), data_folder("mappings")
SHARED = Path(__file__).parents[2].parent / "shared"
CANONICAL = "https://fhir.tli-trial.example.org"
INDEX, CATALOG = load(PROFILES), load_catalog(MAPPINGS)
APPLICATIONS = load_applications(PROFILES, INDEX)

_R4, _R5 = "http://hl7.org/fhir/StructureDefinition/", "http://hl7.org/fhir/5.0/StructureDefinition/extension-"
_AE = "http://hl7.org/fhir/uv/ae-research-backport-ig/StructureDefinition/"
FOREIGN: dict[str, tuple[str, ...]] = {
    f"{_R4}alternate-codes": ("code",),
    f"{_R4}condition-assertedDate": ("Condition",),
    f"{_R4}condition-dueTo": ("Condition",),
    f"{_R4}contactpoint-area": ("ContactPoint",),
    f"{_R4}contactpoint-country": ("ContactPoint",),
    f"{_R4}contactpoint-extension": ("ContactPoint",),
    f"{_R4}contactpoint-local": ("ContactPoint",),
    f"{_R4}data-absent-reason": ("Element",),
    f"{_R4}encounter-modeOfArrival": ("Encounter",),
    f"{_R4}event-performerFunction": ("Observation.performer", "DiagnosticReport.performer", "Media.operator"),
    f"{_R4}humanname-assembly-order": ("HumanName",),
    f"{_R4}identifier-checkDigit": ("Identifier",),
    # The guide (XAD.10) puts it on the address; R4 names Address.line, of which there may be none.
    f"{_R4}iso21090-ADXP-censusTract": ("Address",),
    f"{_R4}iso21090-EN-representation": ("HumanName",),
    f"{_R4}namingsystem-checkDigit": ("Identifier",),
    f"{_R4}observation-analysis-date-time": ("Observation",),
    f"{_R4}observation-nature-of-abnormal-test": ("Observation",),
    f"{_R4}observation-v2-subid": ("Observation",),
    f"{_R4}patient-birthPlace": ("Patient",),
    f"{_R4}patient-birthTime": ("Patient.birthDate",),
    f"{_R4}patient-citizenship": ("Patient",),
    f"{_R4}patient-congregation": ("Patient",),
    f"{_R4}patient-disability": ("Patient",),
    f"{_R4}patient-mothersMaidenName": ("Patient",),
    f"{_R4}patient-nationality": ("Patient",),
    f"{_R4}patient-religion": ("Patient",),
    f"{_R4}resource-instance-description": ("EpisodeOfCare",),
    f"{_R4}servicerequest-order-callback-phone-number": ("ServiceRequest",),
    f"{_R5}BiologicallyDerivedProduct.expirationDate": ("BiologicallyDerivedProduct",),
    f"{_R5}DiagnosticReport.note": ("DiagnosticReport",),
    f"{_R5}Encounter.plannedEndDate": ("Encounter",),
    f"{_R5}Encounter.plannedStartDate": ("Encounter",),
    f"{_R4}workflow-episodeOfCare": (
        *("Observation", "DiagnosticReport", "Media", "DeviceRequest", "ServiceRequest", "NutritionOrder"),
        *("DeviceUseStatement", "AdverseEvent", "CarePlan", "CareTeam", "ClinicalImpression", "Communication"),
        *("CommunicationRequest", "Condition", "Procedure", "QuestionnaireResponse"),
    ),
    f"{_R4}workflow-researchStudy": (
        *("Composition", "Consent", "DeviceUseStatement", "DiagnosticReport", "Encounter", "FamilyMemberHistory"),
        *("Immunization", "Media", "MedicationAdministration", "MedicationDispense", "MedicationStatement"),
        *("Observation", "Procedure", "QuestionnaireResponse", "RiskAssessment", "SupplyDelivery", "Task"),
    ),
    **{
        f"{_AE}{name}": ("AdverseEvent",)
        for name in (
            *("ae-grade", "caused-subject-to-discontinue-study", "expected-in-research-study", "mitigating-action"),
            *("note", "research-subject-ref", "resolve-date", "resultingEffect", "seriousness-criteria", "status"),
            "suspect-entity",
        )
    },
}
"""Where extensions of others may stand: R4's own definitions (4.0.1), HL7's extension pack, the R4 backport 1.0.1."""


def contexts() -> dict[str, tuple[str, ...]]:
    """Where every known extension may stand: of others, and of profiles/."""
    found = dict(FOREIGN)
    for file in PROFILES.glob("StructureDefinition-*.json"):
        definition = json.loads(file.read_bytes())
        if definition["type"] == "Extension":
            found[definition["url"]] = tuple(one["expression"] for one in definition["context"])
    return found


def misplaced(resource: dict[str, Any], known: dict[str, tuple[str, ...]]) -> Iterator[str]:
    """The extensions of a resource that no definition knows, or that stand where theirs does not allow it."""
    for path, url in _extensions(resource, resource["resourceType"]):
        if not set(known.get(url, ())) & {path, *_types(path), "Element"}:
            yield f"{url} at {path}"


def _extensions(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _extensions(item, path)
    if not isinstance(value, dict):
        return
    for name, item in cast("dict[str, Any]", value).items():
        if name in ("extension", "modifierExtension"):
            for one in item:
                yield path, one["url"]
                yield from _within(one)
        else:
            yield from _extensions(item, f"{path}.{name.removeprefix('_')}")


def _within(extension: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Extensions in the value of an extension; those that are its parts have no definition of their own."""
    for one in extension.get("extension", ()):
        yield from _within(one)
    for name, value in extension.items():
        if name.startswith("value") and isinstance(value, dict):
            yield from _extensions(value, name.removeprefix("value"))


def _types(path: str) -> tuple[str, ...]:
    return r4.element(path).types


def shapes(resources: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """One resource of each shape: the elements it has, the extensions, and the profiles that are about it."""
    seen: set[tuple[str, ...]] = set()
    for resource in resources:
        shape = (*profiles_of(resource), *sorted(set(_paths(resource, resource["resourceType"]))))
        if shape not in seen:
            seen.add(shape)
            yield resource


def profiles_of(resource: dict[str, Any]) -> list[str]:
    """The canonical URLs of the profiles that are about a resource."""
    fitting = (one.profile for one in APPLICATIONS if one.fits(resource, INDEX))
    return [f"{CANONICAL}/StructureDefinition/{name}" for name in fitting]


def claiming(resource: dict[str, Any]) -> dict[str, Any]:
    """The resource with the profiles that are about it, as a validator wants them told."""
    return {**resource, "meta": {**resource.get("meta", {}), "profile": profiles_of(resource)}}


def _paths(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from _paths(item, path)
    elif isinstance(value, dict):
        for name, item in cast("dict[str, Any]", value).items():
            yield from _paths(item, f"{path}.{name}")
    else:
        yield f"{path}={value}" if path.endswith((".url", ".status")) else path


def codings(value: Any) -> Iterator[tuple[str, str]]:
    """System and code of everything that has both: codings, and quantities with their units."""
    if isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from codings(item)
    elif isinstance(value, dict):
        if isinstance(value.get("system"), str) and isinstance(value.get("code"), str):
            yield value["system"], value["code"]
        for item in cast("dict[str, Any]", value).values():
            yield from codings(item)


def sourced() -> frozenset[tuple[str, str]]:
    """Codes that a row of mappings/ makes, each with its source; units; what segment maps write as it stands."""
    found: set[tuple[str, str]] = set()
    for compiled in CATALOG.site_maps[CATALOG.standard.code].compiled.values():
        found |= set(codings([rule.constant for rule in compiled.map.rules]))
    for file in (*MAPPINGS.glob("codes/*.csv"), *MAPPINGS.glob("sites/*/codes.csv")):
        with file.open(encoding="utf-8", newline="") as lines:
            found |= {(row["target_system"], row["target_code"]) for row in csv.DictReader(lines) if row["source"]}
    with (MAPPINGS / "units" / "ucum.csv").open(encoding="utf-8", newline="") as lines:
        found |= {("http://unitsofmeasure.org", row["code"]) for row in csv.DictReader(lines) if row["source"]}
    return frozenset(found)


def verified(status: str = "verified") -> frozenset[tuple[str, str]]:
    """The rows of the domain model's list of codes with this status."""
    with (SHARED / "domain" / "codes.csv").open(encoding="utf-8", newline="") as lines:
        return frozenset((row["system"], row["code"]) for row in csv.DictReader(lines) if row["status"] == status)


def foreign(system: str) -> bool:
    """Whether a code of this system needs a source: not the study's own systems, nor those that HL7 publishes."""
    return (
        not system.startswith((CANONICAL, "http://terminology.hl7.org/", "http://hl7.org/fhir/")) or "/sid/" in system
    )
