"""What a central site asks: plain FHIR R4 searches over HTTP, answered by any server that holds the trial."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from adapter.fhir import json

STUDY = "ResearchStudy/tli-trial"
INFUSION = "https://fhir.tli-trial.example.org/CodeSystem/tli-product|TLI-CD3"
NEUTROPHILS = "http://loinc.org|751-8,http://loinc.org|26499-4,http://loinc.org|753-4"


@dataclass(frozen=True, slots=True)
class Subject:
    """One subject of the study; `patients` are all records of the person, the trial's own first."""

    number: str
    arm: str
    status: str
    site: str
    patients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """One result of a curve."""

    instant: str
    value: float
    unit: str


class Questions:
    """A FHIR client with the questions of the demonstration."""

    def __init__(self, client: httpx.Client) -> None:
        """Keep the client; its base URL is the FHIR endpoint."""
        self._client = client

    def subjects(self) -> list[Subject]:
        """All subjects of the study with arm, status, enrolling hospital and the records of the person."""
        found: list[Subject] = []
        for subject in self._search("ResearchSubject", study=STUDY):
            patient = self._read(subject["individual"]["reference"])
            links = [link["other"]["reference"] for link in patient.get("link", [])]
            site = patient.get("managingOrganization", {}).get("reference", "")
            found.append(
                Subject(
                    number=subject["identifier"][0]["value"],
                    arm=subject.get("assignedArm", ""),
                    status=subject["status"],
                    site=self._read(site).get("name", "") if site else "",
                    patients=(subject["individual"]["reference"], *links),
                )
            )
        return sorted(found, key=lambda subject: subject.number)

    def infusions(self, subject: Subject) -> list[str]:
        """The starts of all completed T-cell infusions of a subject, whichever hospital gave them."""
        given = self._search(
            "MedicationAdministration", patient=",".join(subject.patients), code=INFUSION, status="completed"
        )
        return sorted(_start(administration) for administration in given)

    def neutrophils(self, subject: Subject) -> list[Point]:
        """The absolute neutrophil counts of a subject in order of time, from all laboratories."""
        results = self._search("Observation", patient=",".join(subject.patients), code=NEUTROPHILS)
        points = [
            Point(one["effectiveDateTime"], float(one["valueQuantity"]["value"]), one["valueQuantity"].get("code", ""))
            for one in results
            if "valueQuantity" in one and one["status"] in {"final", "corrected", "amended"}
        ]
        return sorted(points, key=lambda point: point.instant)

    def _read(self, reference: str) -> dict[str, Any]:
        return json.loads(self._get(reference, {}))

    def _search(self, resource_type: str, **parameters: str) -> Iterator[dict[str, Any]]:
        bundle = json.loads(self._get(resource_type, {**parameters, "_count": "200"}))
        while True:
            yield from (entry["resource"] for entry in bundle.get("entry", []))
            further = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)
            if further is None:
                return
            bundle = json.loads(self._get(further, {}))

    def _get(self, url: str, parameters: dict[str, str]) -> bytes:
        response = self._client.get(url, params=parameters or None)
        response.raise_for_status()
        return response.content


def _start(administration: dict[str, Any]) -> str:
    period = administration.get("effectivePeriod", {})
    return str(period.get("start") or administration.get("effectiveDateTime", ""))
