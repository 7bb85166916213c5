"""Profiles and terminology over the FHIR interface."""

from collections.abc import Iterator

import httpx
import pytest

from adapter.api.canonical import DEFAULT
from adapter.stock import Stock
from adapter.store.database import Database
from tests.integration.api_stand import NOW, empty_database, served

ELSEWHERE = "https://fhir.elsewhere.example.org/study"


@pytest.fixture(scope="module")
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened = empty_database("sqlite", request, tmp_path_factory)
    Stock.load().present().define(opened, NOW)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(database: Database) -> Iterator[httpx.Client]:
    with served(database) as client:
        yield client


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("StructureDefinition", "tli-adverse-event"),
        ("CodeSystem", "tli-lab"),
        ("CodeSystem", "fahzu-lab"),
        ("ValueSet", "tli-response"),
        ("ConceptMap", "fahzu-lab-to-loinc"),
        ("ConceptMap", "tli-units"),
        ("ConceptMap", "tli-drug-to-atc"),
        ("ConceptMap", "v2-0241-patient-outcome"),
        ("ConceptMap", "tli-v2-oru-r01"),
        ("ConceptMap", "tli-v2-obx-observation"),
        ("PlanDefinition", "tli-cycle-mds-csd"),
        ("ActivityDefinition", "mds-gcsf"),
        ("SearchParameter", "tli-study-day"),
        ("Group", "tli-eligibility-donor"),
    ],
)
def test_it_is_read_and_found_by_its_url(client: httpx.Client, kind: str, name: str) -> None:
    read = client.get(f"/fhir/{kind}/{name}")
    assert read.status_code == 200
    if "url" in read.json():
        found = client.get(f"/fhir/{kind}", params={"url": read.json()["url"]}).json()
        assert [one["resource"]["id"] for one in found["entry"]] == [name]


def test_every_system_of_identifiers_has_a_naming_system(client: httpx.Client) -> None:
    system = f"{DEFAULT}/NamingSystem/tli-subject"
    found = client.get("/fhir/NamingSystem", params={"value:exact": system}).json()
    assert [one["resource"]["kind"] for one in found["entry"]] == ["identifier"]


def test_a_uri_is_compared_as_a_whole(client: httpx.Client) -> None:
    found = client.get("/fhir/CodeSystem", params={"url": f"{DEFAULT}/CodeSystem", "_total": "accurate"}).json()
    assert found["total"] == 0


def test_a_modifier_that_a_uri_has_not_is_refused(client: httpx.Client) -> None:
    assert client.get("/fhir/CodeSystem", params={"url:below": DEFAULT}).status_code == 400


def test_another_canonical_base_is_shown_and_understood(database: Database) -> None:
    with served(database, base=ELSEWHERE) as client:
        read = client.get("/fhir/StructureDefinition/tli-arm")
        assert DEFAULT not in read.text
        assert read.json()["url"] == f"{ELSEWHERE}/StructureDefinition/tli-arm"
        assert client.head("/fhir/StructureDefinition/tli-arm").status_code == 200
        for question in (
            client.get("/fhir/StructureDefinition", params={"url": f"{ELSEWHERE}/StructureDefinition/tli-arm"}),
            client.post("/fhir/StructureDefinition/_search", data={"url": f"{ELSEWHERE}/StructureDefinition/tli-arm"}),
        ):
            assert [one["resource"]["id"] for one in question.json()["entry"]] == ["tli-arm"]
            assert DEFAULT not in question.text
