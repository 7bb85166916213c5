"""What the tests of queries share: a whole, good record of a synthetic subject, and the resources to change it with."""

from copy import deepcopy
from datetime import date, timedelta
from typing import Any

from adapter.trial.elements import own
from adapter.trial.gathering import Dossier
from adapter.trial.people import Person
from adapter.trial.queries import Query, load_queries, queries
from adapter.trial.querying.case import Case, Known
from tests.trial_stand import MAPPINGS, RULES, TERMS

QUERIES = load_queries(MAPPINGS, RULES)
SYSTEMS, EXTENSIONS = TERMS.systems, TERMS.extensions
COURSE = "EpisodeOfCare/c1"
START, INFUSED = date(2019, 3, 10), date(2019, 3, 20)
TODAY = date(2019, 7, 1)
UCUM = "http://unitsofmeasure.org"


def resource(kind: str, name: str, *, message: str = "FAHZU#1", **elements: Any) -> dict[str, Any]:
    """A resource as it is stored, with the message that brought it."""
    meta = {"source": f"https://fhir.tli-trial.example.org/source/{message}"}
    return {"resourceType": kind, "id": name, "meta": meta, **elements}


def coded(system: str, code: str) -> dict[str, Any]:
    """A CodeableConcept."""
    return {"coding": [{"system": SYSTEMS.get(system, system), "code": code}]}


def observation(code: str, on: date, number: float, unit: str, name: str = "", **more: Any) -> dict[str, Any]:
    """A measured value; `code` as in terms.yaml."""
    system, _, value = code.partition("|")
    elements: dict[str, Any] = {
        "status": "final",
        "code": coded(system, value),
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": f"{on}T10:00:00+08:00",
        "valueQuantity": {"value": number, "unit": unit, "system": UCUM, "code": unit},
    }
    return resource("Observation", name or f"{value}-{on}", **(elements | more))


def answer(key: str, text: str, on: date = TODAY, *, patient: str = "p1", course: str = "") -> dict[str, Any]:
    """An answer of the trial office."""
    of_course = [{"url": EXTENSIONS["course"], "valueReference": {"reference": course}}] if course else []
    visit = [{"url": EXTENSIONS["visit"], "valueCodeableConcept": {"coding": [{"code": "EOS"}]}}]
    return resource(
        "Observation",
        f"{key}-{patient}",
        message="FAHZU#9",
        status="final",
        code=coded("assessment", key),
        subject={"reference": f"Patient/{patient}"},
        effectiveDateTime=str(on),
        valueString=text,
        extension=[*of_course, *visit],
    )


def typed(patient: str) -> list[dict[str, Any]]:
    """HLA typing at five loci."""
    loci = {"A": "57290-9", "B": "57291-7", "C": "57297-4", "DRB1": "57293-3", "DQB1": "57299-0"}
    return [
        resource(
            "Observation",
            f"hla-{patient}-{locus}",
            status="final",
            code=coded("loinc", code),
            subject={"reference": f"Patient/{patient}"},
            effectiveDateTime="2019-03-01",
            valueString=f"HLA-{locus}*01:01+HLA-{locus}*02:01",
        )
        for locus, code in loci.items()
    ]


def event(
    code: str,
    name: str,
    on: date,
    grade: int,
    *,
    message: str = "FAHZU#5",
    patient: str = "p1",
    until: date | None = None,
) -> dict[str, Any]:
    """An adverse event of the course."""
    extensions: list[dict[str, Any]] = [
        {"url": EXTENSIONS["grade"], "valueCodeableConcept": coded("grade", str(grade))},
        {"url": EXTENSIONS["course"], "valueReference": {"reference": COURSE}},
    ]
    if until:
        extensions.append({"url": EXTENSIONS["resolved"], "valueDateTime": str(until)})
    return resource(
        "AdverseEvent",
        name,
        message=message,
        actuality="actual",
        event=coded("event", code),
        date=str(on),
        subject={"reference": f"Patient/{patient}"},
        outcome=coded(
            "http://terminology.hl7.org/CodeSystem/adverse-event-outcome", "resolved" if until else "ongoing"
        ),
        extension=extensions,
    )


def infusion(name: str, on: date, product: str = "a1", *, hour: int = 10) -> dict[str, Any]:
    """An infusion of an aliquot."""
    return resource(
        "Procedure",
        name,
        message="FAHZU#3",
        status="completed",
        code=coded("procedure", "TLI-INFUSION"),
        subject={"reference": "Patient/p1"},
        performedPeriod={"start": f"{on}T{hour:02}:00:00+08:00", "end": f"{on}T{hour + 1:02}:00:00+08:00"},
        extension=[
            {"url": EXTENSIONS["product"], "valueReference": {"reference": f"BiologicallyDerivedProduct/{product}"}}
        ],
    )


def dose(drug: str, day: int, amount: float, unit: str = "mg", stated: float | None = None) -> dict[str, Any]:
    """A dose of chemotherapy on a day of the protocol."""
    code = {name: code for (_, code), name in TERMS.drugs.items()}[drug]
    on = INFUSED + timedelta(days=day)
    per = {"url": EXTENSIONS["dose"], "valueQuantity": {"value": stated, "code": f"{unit}/m2"}}
    return resource(
        "MedicationAdministration",
        f"{drug}{day}",
        message="FAHZU#2",
        status="completed",
        medicationCodeableConcept=coded("atc", code),
        subject={"reference": "Patient/p1"},
        context={"reference": COURSE},
        effectiveDateTime=f"{on}T09:00:00+08:00",
        dosage={"dose": {"value": amount, "code": unit}, "extension": [per] if stated else []},
    )


def chemotherapy() -> list[dict[str, Any]]:
    """The induction of the AML arm as it is planned, for a body surface of 2 m2."""
    planned = {"decitabine": (range(-10, -5), 15), "idarubicin": (range(-5, -2), 8), "cytarabine": (range(-5, 0), 100)}
    return [dose(drug, day, 2 * per, stated=per) for drug, (days, per) in planned.items() for day in days]


class Records:
    """What is known of one subject; `good()` is whole and in order, and tests take away or add."""

    def __init__(self, **registered: Any) -> None:
        """Everything that a good record has."""
        elements: dict[str, Any] = {
            "identifier": [{"system": SYSTEMS["subject"], "value": "ATLI-901"}],
            "individual": {"reference": "Patient/p1"},
            "actualArm": "AML",
            "status": "on-study",
            "period": {"start": "2019-03-08"},
        }
        self.registration = resource("ResearchSubject", "s1", **(elements | registered))
        organization: dict[str, Any] = {"managingOrganization": {"reference": "Organization/fahzu"}}
        subject_number = [{"system": SYSTEMS["subject"], "value": "ATLI-901"}]
        self.patients = [
            resource(
                "Patient",
                "p0",
                identifier=subject_number,
                link=[{"other": {"reference": "Patient/p1"}}],
                **organization,
            ),
            resource("Patient", "p1", **organization),
            resource("Patient", "p2", managingOrganization={"reference": "Organization/ywch"}),
        ]
        donor_number = [{"system": SYSTEMS["donor"], "value": "DON-ATLI-901"}]
        self.donor = Person((resource("Patient", "d1", identifier=donor_number),), "", "DON-ATLI-901")
        self.of_donor = [
            *typed("d1"),
            resource("BiologicallyDerivedProduct", "w1", collection={"collectedDateTime": str(INFUSED)}),
            *(self._aliquot(number) for number in (1, 2)),
        ]
        self.others: tuple[str, ...] = ()
        found = [
            resource("Consent", "k1", status="active", dateTime="2019-03-08", patient={"reference": "Patient/p1"}),
            resource("Condition", "dx", onsetDateTime="2019-03-01", subject={"reference": "Patient/p1"}),
            resource(
                "EpisodeOfCare",
                "c1",
                status="active",
                type=[coded("phase", "IND1")],
                patient={"reference": "Patient/p1"},
                period={"start": str(START)},
            ),
            *typed("p1"),
            *chemotherapy(),
            infusion("i1", INFUSED),
            observation("loinc|8277-6", START, 2.0, "m2"),
            observation("lab|DOSE-CD3-KG", INFUSED, 0.5, "10*8/kg"),
            observation("lab|MICROCHIM-INDEL", INFUSED + timedelta(days=7), 0.01, "%"),
            observation("loinc|8310-5", INFUSED, 36.5, "Cel", bodySite=coded("snomed", "91470000")),
            answer("DONOR-ID", "DON-ATLI-901", date(2019, 3, 9)),
            answer("RESP-IWG2003", "NR", INFUSED + timedelta(days=30), course=COURSE),
        ]
        self.known = {own(one): one for one in found}

    def without(self, *refs: str) -> "Records":
        """Less these resources, `Type/id`."""
        for ref in refs:
            del self.known[ref]
        return self

    def plus(self, *resources: dict[str, Any]) -> "Records":
        """And these resources; one of the same id takes the place of the other."""
        self.known |= {own(one): one for one in resources}
        return self

    def changed(self, ref: str, **elements: Any) -> "Records":
        """With other elements of one resource."""
        self.known[ref] = deepcopy(self.known[ref]) | elements
        return self

    def asked(self, as_of: date = TODAY) -> tuple[Query, ...]:
        """The queries."""
        subject = Dossier(Person(tuple(self.patients), "ATLI-901", ""), list(self.known.values()))
        known = Known(self.registration, subject, Dossier(self.donor, self.of_donor), self.others)
        return queries(Case(known, RULES, QUERIES, as_of))

    def rules(self, as_of: date = TODAY) -> list[str]:
        """The rules of the queries."""
        return sorted(one.rule for one in self.asked(as_of))

    @staticmethod
    def _aliquot(number: int) -> dict[str, Any]:
        return resource(
            "BiologicallyDerivedProduct",
            f"a{number}",
            identifier=[{"system": SYSTEMS["cells"], "value": f"DON-ATLI-901-A{number}"}],
            productCode=coded("product", "TLI-CD3"),
            parent=[{"reference": "BiologicallyDerivedProduct/w1"}],
        )
