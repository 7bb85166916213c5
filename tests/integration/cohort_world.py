"""The reference cohort, played: four streams over their own transports, and everything that is served afterwards."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from adapter.demo.feeds import FEEDS
from adapter.demo.program import running
from adapter.fhir import json
from adapter.trial.elements import identifier, own, reference
from adapter.trial.gathering import Dossier, donor_number, gather
from adapter.trial.people import persons as joined
from adapter.trial.querying.case import Known
from adapter.trial.record import Subject
from adapter.trial.terms import Terms
from tests.integration.cohort import stream

SUBJECT = "https://fhir.tli-trial.example.org/NamingSystem/tli-subject"
DONOR = "https://fhir.tli-trial.example.org/NamingSystem/tli-donor"
TYPES = (
    *("Patient", "Encounter", "Condition", "Observation", "DiagnosticReport", "Specimen", "MedicationAdministration"),
    *("AdverseEvent", "EpisodeOfCare", "CarePlan", "Consent", "Procedure", "BiologicallyDerivedProduct"),
)


@dataclass
class World:
    """What was answered, and everything that the API serves afterwards; `folder` is the data folder, left as it was."""

    folder: Path
    answers: dict[str, Counter[str]] = field(default_factory=dict)
    status: dict[str, Any] = field(default_factory=dict)
    resources: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    person_of: dict[str, tuple[str, str]] = field(default_factory=dict)


async def play(folder: Path) -> World:
    world = World(folder)
    async with running(folder) as program:

        async def send(feed: Any) -> None:
            codes: Counter[str] = Counter()
            async for delivery in feed.send(stream(feed.hospital), program):
                codes[delivery.code or delivery.failure] += 1
            world.answers[feed.hospital] = codes

        await asyncio.gather(*[send(feed) for feed in FEEDS])
        headers = program.headers("data-manager")
        async with httpx.AsyncClient(base_url=f"{program.base}/", headers=headers, timeout=60) as client:
            while True:
                world.status = (await client.get("status")).json()
                if all(row["state"] != "received" for row in world.status["messages"]):
                    break
                await asyncio.sleep(0.5)
            for kind in (*TYPES, "ResearchSubject"):
                world.resources[kind] = [one async for one in every(client, kind)]
    world.person_of = persons(world.resources["Patient"])
    return world


async def every(client: httpx.AsyncClient, kind: str) -> AsyncIterator[dict[str, Any]]:
    url: str | None = f"fhir/{kind}?_count=200"
    while url:
        bundle = json.loads((await client.get(url)).raise_for_status().content)
        for entry in bundle.get("entry", []):
            yield entry["resource"]
        url = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)


def persons(patients: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    """Patient reference → (subject number, `subject` or `donor`), through identifiers and links."""
    found: dict[str, tuple[str, str]] = {}
    for patient in patients:
        for one in patient["identifier"]:
            if one["system"] in {SUBJECT, DONOR}:
                who = "subject" if one["system"] == SUBJECT else "donor"
                person = (one["value"].removeprefix("DON-"), who)
                found[f"Patient/{patient['id']}"] = person
                for link in patient.get("link", []):
                    found[link["other"]["reference"]] = person
    return found


def subjects(world: World, terms: Terms) -> tuple[Subject, ...]:
    """The record of every subject, in the order of their numbers."""
    return tuple(gather(one.registration, one.subject, terms, donor=one.donor) for one in records(world, terms))


def records(world: World, terms: Terms) -> list[Known]:
    """What is known of every subject, in the order of their numbers."""
    of = {ref: person for person in joined(world.resources["Patient"], terms) for ref in person.refs}
    cells = {own(one): one for one in world.resources["BiologicallyDerivedProduct"]}
    known: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for ones in world.resources.values():
        for one in ones:
            owner = of.get(_owner(one, cells))
            if owner:
                known[owner.patients[0]["id"]].append(one)
    dossiers = {person.patients[0]["id"]: Dossier(person, known[person.patients[0]["id"]]) for person in of.values()}
    donors = {one.person.donor: one for one in dossiers.values() if one.person.donor}
    found: list[Known] = []
    for registration in world.resources["ResearchSubject"]:
        dossier = dossiers[of[reference(registration["individual"])].patients[0]["id"]]
        donor = donors.get(donor_number(dossier.resources, terms))
        found.append(Known(registration, dossier, donor))
    return sorted(found, key=lambda one: identifier(one.registration, SUBJECT))


def _owner(resource: dict[str, Any], cells: Mapping[str, dict[str, Any]]) -> str:
    """The Patient whom a resource is about; of cells, the donor of whom they, or what they are part of, were taken."""
    if parent := next((reference(one) for one in resource.get("parent", [])), ""):
        return _owner(cells[parent], cells)
    source = resource.get("collection", {}).get("source")
    return reference(source or resource.get("subject") or resource.get("patient"))
