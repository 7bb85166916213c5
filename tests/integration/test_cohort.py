"""The whole way with the trial's real volume: four streams over their own transports, every fact found over FHIR."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from adapter.fhir import json
from tests.integration.cohort import STREAMS, needs_cohort, truth
from tests.integration.cohort_world import TYPES, World
from tests.integration.conformance_stand import (
    claiming,
    codings,
    contexts,
    foreign,
    misplaced,
    profiles_of,
    shapes,
    sourced,
    verified,
)
from tests.integration.validator_stand import unexplained

pytestmark = [needs_cohort, pytest.mark.timeout(900)]

STUDY = {"reference": "ResearchStudy/tli-trial"}
NAMING = "https://fhir.tli-trial.example.org/NamingSystem"
KIND = {"I": "IMP", "O": "AMB"}


@pytest.fixture
def world(played_cohort: World) -> World:
    return played_cohort


def test_every_message_is_accepted_in_the_mode_of_its_hospital(world: World) -> None:
    assert {site: set(codes) for site, codes in world.answers.items()} == {
        "FAHZU": {"CA"},
        "YWCH": {"AA"},
        "JHAH": {"AA"},
        "LSCH": {"AA"},
    }
    assert sum(codes.total() for codes in world.answers.values()) == 12_416


def test_every_message_ends_in_a_named_state(world: World) -> None:
    states: Counter[str] = Counter()
    for row in world.status["messages"]:
        states[row["state"]] += row["count"]
    assert states.total() == 12_416
    assert set(states) == {"mapped"}


def codes(concept: dict[str, Any]) -> set[str]:
    return {coding["code"] for coding in concept.get("coding", [])}


def filed_observations(world: World) -> dict[tuple[str, ...], list[dict[str, Any]]]:
    filed: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for one in world.resources["Observation"]:
        named = next((i for i in one["identifier"] if i["system"].endswith("-observation")), None)
        if named is None:
            continue  # of the registration or of an adverse event, not of a report
        site = named["system"].rpartition("/")[2].partition("-")[0].upper()
        number, _, rest = named["value"].partition("/")
        sub_id = rest.partition("/")[2]
        for code in codes(one["code"]):
            filed.setdefault((site, number, code, sub_id), []).append(one)
    return filed


def test_every_observation_is_found_with_value_unit_time_and_subject(world: World) -> None:
    filed = filed_observations(world)
    wrong: list[str] = []
    count = 0
    for row in truth("observations"):
        count += 1
        # Without a visit or a report (A31), the message itself numbers its results.
        filler = row["control_id"] if row["filler"].startswith("A31-") else row["filler"].removesuffix("-A01")
        number, _, sub_id = filler.partition("/")
        found = filed.get((row["site"], number, row["loinc"] or row["local_code"], sub_id), [])
        found = found or filed.get((row["site"], number, row["local_code"], sub_id), [])
        problems = (
            ["not found"] if not found else list(differences(row, found[0], world)) if len(found) == 1 else ["twice"]
        )
        wrong += [f"{row['control_id']} {row['local_code']}: {problem}" for problem in problems]
    assert (count, wrong[:20], len(wrong)) == (count, [], 0)


def differences(row: dict[str, str], one: dict[str, Any], world: World) -> Iterator[str]:
    person = world.person_of.get(one["subject"]["reference"])
    expected: dict[str, tuple[Any, Any]] = {
        "subject": ((row["subject"], row["person"]), person),
        "status": (row["status"], one["status"]),
        "effective": (row["effective"] or None, one.get("effectiveDateTime", "").replace(".000+", "+") or None),
        "study": (True, STUDY in [extension.get("valueReference") for extension in one.get("extension", [])]),
    }
    if (day := study_day(one)) is not None and row["day"]:
        expected["study day"] = (int(row["day"]), day)
    yield from (f"{name}: {found} for {wanted}" for name, (wanted, found) in expected.items() if wanted != found)
    yield from value_differences(row, one)
    yield from range_differences(row, one)


def value_differences(row: dict[str, str], one: dict[str, Any]) -> Iterator[str]:
    if row["value"] and row["unit"]:
        yield from quantity_differences(row, one.get("valueQuantity", {}))
    elif row["analyte"] == "HLAMATCH":
        ratio = one["valueRatio"]
        if (ratio["numerator"]["value"], ratio["denominator"]["value"]) != (int(row["text"]), 10):
            yield f"ratio {ratio}"
    elif row["text"] and row["text"] != one.get("valueString"):
        yield f"text {one.get('valueString')}"


def range_differences(row: dict[str, str], one: dict[str, Any]) -> Iterator[str]:
    if row["local_code"] == "BP":
        return  # sent without a range
    reference = one.get("referenceRange", [{}])[0]
    for bound in ("low", "high"):
        if row[f"ref_{bound}"] and Decimal(row[f"ref_{bound}"]) != reference.get(bound, {}).get("value"):
            yield f"reference range {bound} {reference.get(bound)} for {row[f'ref_{bound}']}"


def quantity_differences(row: dict[str, str], quantity: dict[str, Any]) -> Iterator[str]:
    value = Decimal(quantity.get("value", "NaN"))
    if not abs(value - Decimal(row["value"])) <= Decimal(row["tolerance"] or 0):
        yield f"value {value} for {row['value']}"
    if quantity.get("system") != "http://unitsofmeasure.org" or quantity.get("code") != row["unit"]:
        yield f"unit {quantity.get('code')} for {row['unit']}"
    if quantity.get("comparator", "") != row["comparator"]:
        yield f"comparator {quantity.get('comparator')}"


def study_day(resource: dict[str, Any]) -> int | None:
    for extension in resource.get("extension", []):
        if extension["url"].endswith("/tli-study-day"):
            return int(extension["valueInteger"])
    return None


def test_every_administration_is_found_with_drug_dose_and_time(world: World) -> None:
    filed: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for one in world.resources["MedicationAdministration"]:
        subject, person = world.person_of[one["subject"]["reference"]]
        period = one.get("effectivePeriod", {})
        start = (period.get("start") or one["effectiveDateTime"]).replace(".000+", "+")
        for code in codes(one["medicationCodeableConcept"]):
            filed.setdefault((subject, person, code, start), []).append(one)
    wrong: list[str] = []
    for row in truth("administrations"):
        found = filed.get((row["subject"], row["person"], row["local_code"], row["start"]), [])
        wrong += [f"{row['control_id']} {row['local_code']}: not found {len(found)}"] if len(found) != 1 else []
        for one in found:
            wrong += [f"{row['control_id']} {row['local_code']}: {p}" for p in administration_differences(row, one)]
    assert (wrong[:20], len(wrong)) == ([], 0)


def administration_differences(row: dict[str, str], one: dict[str, Any]) -> Iterator[str]:
    if one["status"] != row["status"]:
        yield f"status {one['status']} for {row['status']}"
    if row["atc"] not in codes(one["medicationCodeableConcept"]):
        yield "ATC"
    if row["end"] and one.get("effectivePeriod", {}).get("end", "").replace(".000+", "+") != row["end"]:
        yield f"end for {row['end']}"
    dosage = one.get("dosage", {})
    if row["status"] == "completed":
        dose = dosage.get("dose", {})
        if (dose.get("value"), dose.get("code")) != (Decimal(row["dose"]), row["dose_unit"]):
            yield f"dose {dose} for {row['dose']} {row['dose_unit']}"
    normalised = [e["valueQuantity"] for e in dosage.get("extension", []) if e["url"].endswith("/tli-dose-normalised")]
    if row["dose_norm"] and row["status"] == "completed":
        expected = [(Decimal(row["dose_norm"]), row["dose_norm_unit"])]
        if [(one["value"], one["code"]) for one in normalised] != expected:
            yield f"normalised dose {normalised} for {row['dose_norm']}"


def test_every_infusion_is_one_administration_of_cells(world: World) -> None:
    given: Counter[tuple[str, str, str]] = Counter()
    for one in world.resources["MedicationAdministration"]:
        if "TLI-CD3" in codes(one["medicationCodeableConcept"]) and one["status"] == "completed":
            period = {name: text.replace(".000+", "+") for name, text in one["effectivePeriod"].items()}
            given[world.person_of[one["subject"]["reference"]][0], period["start"], period["end"]] += 1
    expected = Counter((row["subject"], row["start"], row["end"]) for row in truth("infusions"))
    assert given == expected


def test_every_visit_is_one_encounter(world: World) -> None:
    filed = {
        (identifier["system"].rpartition("/")[2].partition("-")[0].upper(), identifier["value"]): one
        for one in world.resources["Encounter"]
        for identifier in one["identifier"]
    }
    wrong: list[str] = []
    for row in truth("encounters"):
        one = filed.get((row["site"], row["visit_number"]))
        if one is None:
            wrong.append(f"{row['visit_number']}: not found")
            continue
        period = {name: text.replace(".000+", "+") for name, text in one["period"].items()}
        facts = (one["class"]["code"], period.get("start"), period.get("end", ""))
        if facts != (KIND[row["class"]], row["start"], row["end"]):
            wrong.append(f"{row['visit_number']}: {facts}")
        if row["status"] and one["status"] != row["status"]:
            wrong.append(f"{row['visit_number']}: {one['status']}")
        if world.person_of[one["subject"]["reference"]] != (row["subject"], row["person"]):
            wrong.append(f"{row['visit_number']}: other person")
    assert wrong == []


def test_every_diagnosis_is_a_condition(world: World) -> None:
    found = {
        (world.person_of[one["subject"]["reference"]][0], code, one["onsetDateTime"])
        for one in world.resources["Condition"]
        for code in codes(one["code"])
    }
    for row in truth("conditions"):
        assert {(row["subject"], row[code], row["onset"]) for code in ("code_local", "icd10")} <= found


def test_every_subject_is_registered_with_arm_and_demographics(world: World) -> None:
    subjects = {one["identifier"][0]["value"]: one for one in world.resources["ResearchSubject"]}
    patients = {f"Patient/{one['id']}": one for one in world.resources["Patient"]}
    for row in truth("subjects"):
        one = subjects.pop(row["subject"])
        assert (one["assignedArm"], one["study"]) == (row["arm"], STUDY)
        assert one["period"].get("start") == row["registration_date"]
        assert one["period"].get("end", "") == row["off_study_date"]
        own = patients[one["individual"]["reference"]]
        assert own["managingOrganization"]["reference"] == f"Organization/{row['enrolling_site'].lower()}"
        named = [
            patient
            for reference, patient in patients.items()
            if world.person_of.get(reference) == (row["subject"], "subject") and patient is not own
        ]
        assert any(patient.get("birthDate") == row["birth_date"] for patient in named)
        assert {patient["gender"] for patient in named if "gender" in patient} == {
            {"M": "male", "F": "female"}[row["sex"]]
        }
        assert any(name["text"] == row["name_zh"] for patient in named for name in patient.get("name", []))
    assert subjects == {}


def test_every_identifier_leads_to_its_person(world: World) -> None:
    found = {
        (world.person_of.get(f"Patient/{patient['id']}"), identifier["value"])
        for patient in world.resources["Patient"]
        for identifier in patient["identifier"]
    }
    for row in truth("identifiers"):
        assert ((row["subject"], row["person"]), row["value"]) in found


def test_everything_of_a_subject_is_tied_to_the_study(world: World) -> None:
    untied = [
        f"{kind}/{one['id']}"
        for kind in TYPES
        if kind != "Patient"
        for one in world.resources[kind]
        if STUDY not in [extension.get("valueReference") for extension in one.get("extension", [])]
        if STUDY not in one.get("study", [])
    ]
    assert untied == []


def numbered(world: World, kind: str, system: str) -> dict[str, dict[str, Any]]:
    """The resources of a type by their number in a system."""
    found: dict[str, dict[str, Any]] = {}
    for one in world.resources[kind]:
        identifiers = one.get("identifier", [])
        for identifier in identifiers if isinstance(identifiers, list) else [identifiers]:
            if identifier["system"] == f"{NAMING}/{system}":
                found[identifier["value"]] = one
    return found


def extensions(resource: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [one for one in resource.get("extension", []) if one["url"].endswith(f"/{name}")]


def seconds(text: str) -> str:
    return text.replace(".000+", "+")


def test_every_course_is_an_episode_with_its_plan(world: World) -> None:
    episodes, plans = numbered(world, "EpisodeOfCare", "tli-cycle"), numbered(world, "CarePlan", "tli-cycle")
    rows = {f"{row['subject']}/{row['phase']}": row for row in truth("cycles")}
    arms = {row["subject"]: row["arm"] for row in truth("subjects")}
    assert episodes.keys() == plans.keys() == rows.keys()
    for number, row in rows.items():
        episode, plan = episodes[number], plans[number]
        period = {name: row[key] for name, key in (("start", "begin"), ("end", "end")) if row[key]}
        assert (episode["period"], plan["period"]) == (period, period)
        ended = bool(row["control_id_leave"])
        assert episode["status"] == ("finished" if ended else "active")
        assert plan["status"] == ("completed" if ended else "active")
        reference = {"reference": f"EpisodeOfCare/{episode['id']}"}
        assert [one["valueReference"] for one in extensions(plan, "workflow-episodeOfCare")] == [reference]
        kind = "ind" if row["phase"].startswith("IND") else "csd"
        [definition] = plan["instantiatesCanonical"]
        assert definition.rpartition("/")[2] == f"tli-cycle-{arms[row['subject']].lower()}-{kind}"
        assert world.person_of[episode["patient"]["reference"]] == (row["subject"], "subject")


def test_every_adverse_event_is_found_in_its_final_state(world: World) -> None:
    courses = {(row["subject"], row["cycle"]): row["phase"] for row in truth("cycles")}
    episodes = numbered(world, "EpisodeOfCare", "tli-cycle")
    wrong: list[str] = []
    count = 0
    for row in truth("adverse_events"):
        count += 1
        one = numbered_event(world, row)
        if one is None:
            wrong.append(f"{row['ae_id']}: not found")
            continue
        course = episodes[f"{row['subject']}/{courses[row['subject'], row['cycle']]}"]["id"]
        wrong += [f"{row['ae_id']}: {problem}" for problem in event_differences(row, one, course, world)]
    assert (wrong[:20], len(wrong)) == ([], 0)
    assert len(world.resources["AdverseEvent"]) == count


def numbered_event(world: World, row: dict[str, str]) -> dict[str, Any] | None:
    return numbered(world, "AdverseEvent", f"{row['site'].lower()}-adverse-event").get(row["local_id"])


def event_differences(row: dict[str, str], one: dict[str, Any], course: str, world: World) -> Iterator[str]:
    grade = [code for item in extensions(one, "ae-grade") for code in codes(item["valueCodeableConcept"])]
    end = [item["valueDateTime"] for item in extensions(one, "resolve-date")]
    suspect = json.dumps(extensions(one, "suspect-entity")).decode()
    # A course is known where the hospital marks its reports; Yiwu does not.
    bound = [item["valueReference"]["reference"] for item in extensions(one, "workflow-episodeOfCare")]
    facts: dict[str, tuple[Any, Any]] = {
        "subject": ((row["subject"], "subject"), world.person_of[one["subject"]["reference"]]),
        "grade": (True, row["grade"] in grade),
        "onset": (row["onset"], one["date"]),
        "end": ([row["resolved"]] if row["resolved"] else [], end),
        "serious": ({"Y": {"serious"}, "N": {"non-serious"}}[row["serious"]], codes(one["seriousness"])),
        "criteria": (bool(row["criteria"]), bool(extensions(one, "seriousness-criteria"))),
        "outcome": (OUTCOMES[row["outcome"]], codes(one["outcome"])),
        "relatedness": (True, f'"code":"{row["relatedness"]}"' in suspect),
        "course": ([f"EpisodeOfCare/{course}"] if row["site"] != "YWCH" else [], bound),
        "study": ([STUDY], one["study"]),
    }
    yield from (f"{name}: {found} for {wanted}" for name, (wanted, found) in facts.items() if wanted != found)


OUTCOMES = {"F": {"resolved", "C49498"}, "N": {"ongoing", "C49494"}, "D": {"fatal", "C48275"}}


def test_every_consent_is_one_whether_told_by_document_or_by_the_trial_office(world: World) -> None:
    consents = numbered(world, "Consent", "tli-consent")
    for row in truth("consents"):
        number = row["subject"] if row["person"] == "subject" else f"DON-{row['subject']}"
        one = consents.pop(number)
        assert (one["status"], one["dateTime"]) == ("active", row["signed"])
        assert ("sourceReference" in one) == bool(row["document"])
        assert world.person_of[one["patient"]["reference"]] == (row["subject"], row["person"])
    assert consents == {}


def test_every_infusion_is_one_procedure_of_one_aliquot(world: World) -> None:
    products = numbered(world, "BiologicallyDerivedProduct", "tli-aliquot")
    given: dict[str, dict[str, Any]] = {}
    for one in world.resources["Procedure"]:
        for item in extensions(one, "tli-infused-product"):
            assert item["valueReference"]["reference"] not in given
            given[item["valueReference"]["reference"]] = one
    parts = {
        reference["reference"]: one
        for one in world.resources["MedicationAdministration"]
        for reference in one.get("partOf", [])
    }
    count = 0
    for row in truth("infusions"):
        count += 1
        product = products[row["aliquot"]]
        one = given[f"BiologicallyDerivedProduct/{product['id']}"]
        period = {name: seconds(text) for name, text in one["performedPeriod"].items()}
        assert (one["status"], period) == ("completed", {"start": row["start"], "end": row["end"]})
        assert "TLI-INFUSION" in codes(one["code"])
        assert world.person_of[one["subject"]["reference"]] == (row["subject"], "subject")
        parent = numbered(world, "BiologicallyDerivedProduct", "tli-product")[row["product"]]
        assert product["parent"] == [{"reference": f"BiologicallyDerivedProduct/{parent['id']}"}]
        dosage = parts[f"Procedure/{one['id']}"]["dosage"]
        doses = [item["valueQuantity"] for item in extensions(dosage, "tli-dose-normalised")]
        assert [(dose["value"], dose["code"]) for dose in doses] == [(Decimal(row["cd3_1e8_per_kg"]), "10*8/kg")]
    assert len(given) == count


def test_every_aliquot_and_donation_is_a_product(world: World) -> None:
    aliquots = numbered(world, "BiologicallyDerivedProduct", "tli-aliquot")
    donations = numbered(world, "BiologicallyDerivedProduct", "tli-product")
    rows = [*truth("products")]
    assert aliquots.keys() == {row["id"] for row in rows if row["kind"] == "aliquot"}
    assert donations.keys() == {row["id"] for row in rows if row["kind"] == "product"}
    for row in rows:
        if row["kind"] == "product":
            source = donations[row["id"]]["collection"]["source"]["reference"]
            assert world.person_of[source] == (row["subject"], "donor")


def test_every_apheresis_is_a_procedure_of_the_donor(world: World) -> None:
    found = Counter(
        (*world.person_of[one["subject"]["reference"]], seconds(one["performedPeriod"]["start"]))
        for one in world.resources["Procedure"]
        if "418576007" in codes(one["code"])
    )
    assert found == Counter((row["subject"], "donor", row["start"]) for row in truth("apheresis"))


def test_every_answer_of_the_trial_office_is_an_observation(world: World) -> None:
    filed: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for one in world.resources["Observation"]:
        for item in extensions(one, "tli-visit"):
            subject = world.person_of.get(one["subject"]["reference"], ("", ""))[0]
            for visit in codes(item["valueCodeableConcept"]):
                for code in codes(one["code"]):
                    filed.setdefault((subject, visit, code), []).append(one)
    wrong: list[str] = []
    for row in truth("assessments"):
        found = filed.get((row["subject"], row["visit"], SENT.get(row["code"], row["code"])), [])
        said = [answer(one) for one in found]
        if said != [SENT.get(row["value"], row["value"])]:
            wrong.append(f"{row['control_id']} {row['visit']} {row['code']}: {said} for {row['value']}")
        wrong += [f"{row['control_id']} {row['code']}: day" for one in found if one["effectiveDateTime"] != row["date"]]
    assert (wrong[:20], len(wrong)) == ([], 0)


SENT = {
    "ECOG": "89247-1",
    "BSA": "8277-6",
    "good": "GOOD",
    "intermediate": "INT",
    "poor": "POOR",
    "intermediate-2": "INT2",
    "high-risk": "HIGH",
}
"""What the trial office sends for codes and strata of the cohort (interface 01, local-tables.csv)."""


def answer(one: dict[str, Any]) -> str:
    if "valueCodeableConcept" in one:
        return str(one["valueCodeableConcept"]["coding"][-1]["code"])
    if "valueQuantity" in one:
        return str(one["valueQuantity"]["value"])
    return str(one.get("valueDateTime") or one.get("valueString"))


def test_one_resource_of_every_shape_conforms_to_its_profiles(world: World, validator: Path, tmp_path: Path) -> None:
    everything = (resource for of_type in world.resources.values() for resource in of_type)
    some = [claiming(resource) for resource in shapes(everything)]
    met = {url.rpartition("/")[2] for resource in some for url in profiles_of(resource)}
    assert met >= {"tli-infusion", "tli-adverse-event", "tli-cell-aliquot", "tli-gvhd-grade", "tli-research-subject"}
    assert unexplained(validator, map(json.dumps, some), tmp_path) == Counter()


def test_every_extension_stands_where_its_definition_allows_it(world: World) -> None:
    known = contexts()
    everything = (resource for of_type in world.resources.values() for resource in of_type)
    assert Counter(text for resource in everything for text in misplaced(resource, known)) == Counter()


def test_every_code_is_of_the_study_or_verified_or_sourced_or_as_sent(world: World) -> None:
    found = {one for of_type in world.resources.values() for one in codings(of_type) if foreign(one[0])}
    text = b"".join(file.read_bytes() for file in sorted(STREAMS.glob("*.mllp")))
    unknown = {one for one in found - (verified() | sourced()) if one[1].encode() not in text}
    assert unknown == set()
    # What the domain model could not verify is never ours: only a hospital may have written it.
    assert {one for one in found & verified("unverified") if one[1].encode() not in text} == set()
