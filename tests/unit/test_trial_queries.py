"""Every rule of the trial office's queries: one record for which it asks, and the good one for which none does."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from adapter.trial.confirmations import CODE, NUMBERS, SYSTEM
from adapter.trial.elements import Resource
from adapter.trial.people import Person
from adapter.trial.proposals import IDENTIFIERS
from adapter.trial.querying.catalogue import GIVES
from adapter.trial.querying.enrolment import double_enrolments
from tests.query_stand import (
    COURSE,
    INFUSED,
    SYSTEMS,
    TODAY,
    Records,
    answer,
    coded,
    dose,
    event,
    infusion,
    observation,
    resource,
)

LATER = INFUSED + timedelta(days=60)
NEUTROPHILS = "loinc|751-8"


def low_neutrophils(number: float = 0.3) -> Resource:
    return observation(NEUTROPHILS, INFUSED, number, "10*9/L")


def second_course(start: date) -> Resource:
    return resource(
        "EpisodeOfCare",
        "c2",
        status="active",
        type=[coded("phase", "CSD1")],
        patient={"reference": "Patient/p1"},
        period={"start": str(start)},
    )


def overlapping() -> Records:
    period = {"start": "2019-03-10", "end": str(TODAY)}
    return Records().changed("EpisodeOfCare/c1", period=period).plus(second_course(TODAY - timedelta(days=3)))


def dead(on: date) -> Records:
    records = Records()
    records.patients[1]["deceasedDateTime"] = str(on)
    return records


def many_numbers() -> Records:
    records = Records()
    records.patients[1]["identifier"] = [{"system": SYSTEMS["subject"], "value": "ATLI-902"}]
    return records


def enrolled_elsewhere() -> Records:
    records = Records()
    records.others = ("ATLI-950",)
    return records


def silent_hospital() -> Records:
    records = Records()
    named = {"reference": "Patient/nobody", "identifier": {"value": "00A1"}}
    records.patients[0]["link"].append({"other": named})
    return records


def numbered_only() -> Records:
    records = Records()
    records.patients[1] = resource("Patient", "p1", identifier=[{"system": "mrn", "value": "00A1"}])
    return records


def untyped() -> Records:
    return Records().without("Observation/hla-p1-C")


def late_product() -> Records:
    records = Records()
    records.of_donor[5]["collection"] = {"collectedDateTime": str(INFUSED + timedelta(days=1))}
    return records


def counted(reported: float) -> Records:
    records = Records().plus(
        observation("lab|DOSE-WEIGHT", INFUSED, 50, "kg"), observation("lab|DOSE-CD3-KG", INFUSED, reported, "10*8/kg")
    )
    cells = observation("lab|CD3-ALIQUOT", INFUSED, 25, "10*8", focus=[{"reference": "BiologicallyDerivedProduct/a1"}])
    records.of_donor.append(cells)
    return records


CRS = event("CRS", "crs", INFUSED, 1, until=INFUSED + timedelta(days=3))
NEUTROPENIA = event("NEUTROPENIA", "anc", INFUSED, 4, until=LATER)
TEMPERATURE = observation("loinc|8310-5", INFUSED, 36.5, "Cel")
RASH = event("RASH", "rash", INFUSED, 1, until=LATER)

ASKED: dict[str, Callable[[], Records]] = {
    "consent-missing": lambda: Records().without("Consent/k1"),
    "consent-late": lambda: Records().changed("Consent/k1", dateTime="2019-03-11"),
    "double-enrolment": enrolled_elsewhere,
    "number-twice": many_numbers,
    "enrolled-before-diagnosis": lambda: Records().changed("Condition/dx", onsetDateTime="2019-03-09"),
    "diagnosis-missing": lambda: Records().without("Condition/dx"),
    "hospital-record-missing": silent_hospital,
    "typing-missing": untyped,
    "death-dates": lambda: dead(date(2019, 6, 1)).plus(answer("DEATH-DATE", "2019-06-02")),
    "after-death": lambda: dead(INFUSED + timedelta(days=6)),
    "last-contact-missing": lambda: Records(period={"start": "2019-03-08", "end": "2019-03-30"}),
    "courses-overlap": overlapping,
    "course-dates": lambda: Records().changed("EpisodeOfCare/c1", period={"start": "2019-03-10", "end": "2019-03-09"}),
    "course-without-start": lambda: Records().changed("EpisodeOfCare/c1", period={}),
    "course-without-infusion": lambda: Records().plus(second_course(LATER - timedelta(days=10))),
    "infusion-without-course": lambda: Records().plus(infusion("i2", LATER, "a2")),
    "second-infusion": lambda: Records().plus(infusion("i2", INFUSED + timedelta(days=9), "a2")),
    "infusion-twice": lambda: Records().plus(infusion("i2", INFUSED, hour=12)),
    "infusion-without-dose": lambda: Records().without(f"Observation/DOSE-CD3-KG-{INFUSED}"),
    "cell-dose": lambda: counted(0.6),
    "product-without-lineage": lambda: Records().plus(infusion("i1", INFUSED, "unknown")),
    "aliquot-used-twice": lambda: Records().plus(infusion("i2", INFUSED + timedelta(days=9), "a1")),
    "product-after-infusion": late_product,
    "chemotherapy-missing": lambda: Records().without("MedicationAdministration/idarubicin-4"),
    "chemotherapy-deviates": lambda: Records().plus(dose("aclarubicin", -1, 10)),
    "dose-off-plan": lambda: Records().plus(dose("idarubicin", -4, 18)),
    "dose-off-stated": lambda: Records().plus(dose("idarubicin", -4, 16, stated=10)),
    "dose-without-amount": lambda: Records().changed("MedicationAdministration/idarubicin-4", dosage={}),
    "marrow-day-7": lambda: Records().without(f"Observation/MICROCHIM-INDEL-{INFUSED + timedelta(days=7)}"),
    "response-missing": lambda: Records().without("Observation/RESP-IWG2003-p1"),
    "temperature-without-site": lambda: Records().plus(observation("loinc|8310-5", INFUSED, 36.5, "Cel")),
    "implausible-value": lambda: Records().plus(observation("loinc|718-7", INFUSED, 8.1, "g/L")),
    "unexpected-unit": lambda: Records().plus(observation("loinc|718-7", INFUSED, 81, "g/dL")),
    "result-in-future": lambda: Records().plus(observation("loinc|718-7", TODAY + timedelta(days=1), 81, "g/L")),
    "event-without-grade": lambda: Records().plus({**RASH, "extension": RASH["extension"][1:]}),
    "event-without-onset": lambda: Records().plus({one: RASH[one] for one in RASH if one != "date"}),
    "event-dates": lambda: Records().plus(event("RASH", "rash", INFUSED, 1, until=INFUSED - timedelta(days=1))),
    "event-open": lambda: Records().plus(event("RASH", "rash", INFUSED, 1)),
    "event-twice": lambda: Records().plus(RASH, event("RASH", "other", INFUSED, 2, patient="p2", until=LATER)),
    "event-against-answers": lambda: Records().plus(CRS, answer("CRS-GRADE", "2", course=COURSE)),
    "event-without-answers": lambda: Records().plus(CRS),
    "answers-without-event": lambda: Records().plus(answer("CRS-GRADE", "1", course=COURSE)),
    "event-against-values": lambda: Records().plus(NEUTROPENIA, low_neutrophils(0.7)),
    "event-without-values": lambda: Records().plus(NEUTROPENIA),
    "values-without-event": lambda: Records().plus(low_neutrophils()),
    "confirmation-outdated": lambda: Records().plus(*outdated()),
    "computed-differs": lambda: Records().plus(*(answer("RISK-IPSS", "LOW"), *ipss_evidence())),
}


def ipss_evidence() -> list[Resource]:
    blood = (("751-8", 0.5, "10*9/L"), ("777-3", 20, "10*9/L"), ("718-7", 60, "g/L"))
    before = date(2019, 3, 5)
    values = [observation(f"loinc|{code}", before, number, unit) for code, number, unit in blood]
    return [*values, observation("lab|BM-BLAST", before, 25, "%"), answer("KARYOTYPE", "45,XY,-7", before)]


def outdated() -> list[Resource]:
    number = "ATLI-901/TRM60"
    fact: Resource = {"identifier": [{"system": IDENTIFIERS, "value": number}], "code": concept("TRM60")}
    said: Resource = {"identifier": [{"system": NUMBERS, "value": number}], "code": concept(CODE)}
    fact |= {"status": "preliminary", "valueQuantity": {"value": 42, "unit": "d"}}
    said |= {"status": "final", "valueString": "22 d"}
    return [{**resource("Observation", name), **one} for name, one in (("f", fact), ("c", said))]


def concept(code: str) -> dict[str, Any]:
    return {"coding": [{"system": SYSTEM, "code": code}]}


def test_nothing_is_asked_about_a_good_record() -> None:
    assert Records().asked() == ()


def test_every_rule_has_a_record_for_which_it_asks() -> None:
    assert ASKED.keys() == GIVES.keys()


@pytest.mark.parametrize("rule", ASKED)
def test_rule_asks(rule: str) -> None:
    asked = [one for one in ASKED[rule]().asked() if one.rule == rule]
    assert len(asked) >= 1
    assert all(one.subject == "ATLI-901" and one.resources and "{" not in one.text for one in asked)


ALONE = ASKED.keys() - {
    "second-infusion",
    "aliquot-used-twice",
    "course-without-start",
    "courses-overlap",
    "number-twice",
}


@pytest.mark.parametrize("rule", sorted(ALONE))
def test_what_is_wrong_is_asked_about_once(rule: str) -> None:
    assert set(ASKED[rule]().rules()) == {rule}


@pytest.mark.parametrize(
    "records",
    [
        lambda: Records().plus(CRS, *crs_answers("1")),
        lambda: Records().plus(answer("CRS-GRADE", "0", course=COURSE)),
        lambda: Records().plus(NEUTROPENIA, low_neutrophils()),
        lambda: Records().plus(infusion("i2", INFUSED)),
        lambda: Records().plus(RASH, event("RASH", "other", INFUSED, 1, patient="p2", until=LATER)),
        lambda: Records().plus({**TEMPERATURE, "code": axillary()}),
        lambda: Records().plus({**RASH, "modifierExtension": [withdrawn()]}),
        lambda: counted(0.5),
        lambda: dead(date(2019, 6, 1)).plus(answer("DEATH-DATE", "2019-06-01")),
        lambda: Records(period={"start": "2019-03-08", "end": "2019-03-30"}).plus(answer("LAST-CONTACT", "2019-06-30")),
        lambda: Records().plus(second_course(TODAY - timedelta(days=3))),
        lambda: Records().plus(event("RASH", "rash", TODAY - timedelta(days=90), 1)),
        lambda: Records().plus(observation("loinc|718-7", INFUSED, 81, "g/dL", status="entered-in-error")),
    ],
    ids=[
        "CRS as it was answered",
        "no CRS, as it was answered",
        "neutropenia as the values have it",
        "one infusion in two records",
        "one event of two hospitals",
        "a local code that says the place",
        "an event in error",
        "cells that give the reported dose",
        "one date of death",
        "a last contact",
        "a course that has just begun",
        "an event that is open for three months",
        "another unit, in error",
    ],
)
def test_nothing_is_asked_where_all_is_well(records: Callable[[], Records]) -> None:
    assert records().rules() == []


def crs_answers(grade: str) -> list[Resource]:
    ended = INFUSED + timedelta(days=3)
    said = {"CRS-GRADE": grade, "CRS-ONSET": str(INFUSED), "CRS-RESOLVED": str(ended)}
    return [answer(key, text, course=COURSE) for key, text in said.items()]


def axillary() -> dict[str, object]:
    local = {"system": "https://fhir.tli-trial.example.org/CodeSystem/fahzu-nursing", "code": "TEMP_AX"}
    return {"coding": [{"system": SYSTEMS["loinc"], "code": "8310-5"}, local]}


def withdrawn() -> dict[str, str]:
    url = "http://hl7.org/fhir/uv/ae-research-backport-ig/StructureDefinition/status"
    return {"url": url, "valueCode": "entered-in-error"}


def test_what_is_not_due_yet_is_not_asked_about() -> None:
    week = INFUSED + timedelta(days=7)
    records = Records().without(f"Observation/MICROCHIM-INDEL-{week}", "Observation/RESP-IWG2003-p1")
    assert records.rules(week) == []
    assert records.rules(INFUSED + timedelta(days=30)) == ["marrow-day-7"]
    assert records.rules(TODAY) == ["marrow-day-7", "response-missing"]


def test_the_dead_are_not_asked_for_marrow_and_response() -> None:
    records = dead(INFUSED + timedelta(days=2))
    records.without(f"Observation/MICROCHIM-INDEL-{INFUSED + timedelta(days=7)}", "Observation/RESP-IWG2003-p1")
    assert records.rules() == []


def test_a_hospital_record_known_by_its_number_alone_has_sent_nothing() -> None:
    assert numbered_only().rules() == ["hospital-record-missing"]


def test_a_historical_control_is_not_asked_about() -> None:
    assert Records(actualArm="HIST-IA").without("Consent/k1").asked() == ()


def test_a_query_names_subject_course_hospitals_resources_and_messages() -> None:
    (one,) = Records().plus(event("RASH", "rash", INFUSED, 1, message="YWCH#77")).asked()
    assert (one.rule, one.severity, one.subject, one.course) == ("event-open", "minor", "ATLI-901", "IND1")
    assert (one.hospitals, one.resources, one.messages) == (("FAHZU", "YWCH"), ("AdverseEvent/rash",), ("YWCH#77",))
    assert one.text == "RASH of 2019-03-20 has neither end nor outcome after 90 days."


def test_a_query_keeps_its_id_while_it_is_open_and_others_have_others() -> None:
    first, later = (ASKED["temperature-without-site"]().asked(day) for day in (TODAY, TODAY + timedelta(days=30)))
    more = ASKED["temperature-without-site"]().plus(observation("loinc|8310-5", LATER, 36.6, "Cel")).asked()
    assert {first[0].id} == {later[0].id} == {more[0].id}
    two = Records().plus(event("RASH", "rash", INFUSED, 1), event("HEART", "heart", INFUSED, 1)).asked()
    assert len({one.id for one in two}) == len(two) == 2


def test_persons_of_one_resident_number_are_enrolled_twice() -> None:
    def person(number: str, resident: str) -> Person:
        return Person((resource("Patient", number, identifier=[{"system": "r", "value": resident}]),), number, "")

    people = (person("ATLI-901", "1"), person("ATLI-902", "2"), person("ATLI-903", "1"), person("", "1"))
    assert double_enrolments(people, "r") == {"ATLI-901": ("ATLI-903",), "ATLI-903": ("ATLI-901",)}
