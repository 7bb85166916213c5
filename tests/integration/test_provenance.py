"""The Provenance of messages, over real HTTP: which message made what, by which mappings, each element from where."""

import re
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapter.api.routes import Auditing
from adapter.fhir import json, r4
from adapter.mapper.catalog import Catalog
from adapter.operate.provenance import Provenances
from adapter.store.database import Database, open_database, run
from tests.integration.api_stand import empty_database, put, served
from tests.integration.catalogue_stand import NOW, convert_all
from tests.integration.intake_stand import OBR, OBX, ORIGIN, PID, catalog, header, intake_on, message, result
from tests.integration.intake_stand import run as play
from tests.integration.test_access_audit import lines, trail

EXPECTED = Path(__file__).with_name("expected_provenance.json")
NINE = {"msh_7": "20180101090000+0800"}
TEN = {"msh_7": "20180101100000+0800"}
MESSAGES = (
    result(),
    message(header(msh_10="again", **NINE), PID, OBR, OBX),
    message(header(msh_10="corrected", **TEN), PID, OBR, OBX.replace("0.70", "0.80").replace("|||F", "|||C")),
)
REPLAYED = {
    "resourceType": "Provenance",
    "id": "6a9b1f0e-0000-5000-8000-000000000001",
    "recorded": "2018-01-02T00:00:00Z",
    "agent": [{"who": {"display": "adapter"}}],
}
OTHER = "0123456789ab"


def receive(database: Database, *raws: bytes) -> None:
    """Take and convert messages."""
    intake = intake_on(database, catalog(), lambda: NOW)

    async def scene() -> None:
        for raw in raws:
            await intake.receive(raw, origin=ORIGIN)
        await intake.close()

    play(scene)
    convert_all(database, catalog())


def by(known: Catalog) -> dict[str, Provenances]:
    return {"Provenance": Provenances(known)}


@contextmanager
def reader(database: Database, known: Catalog | None = None) -> Generator[httpx.Client]:
    with served(database, made=by(known or catalog())) as client:
        yield client


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """Three messages of one result, the last of which corrects it; then a Provenance is stored, as a replay does."""
    opened = empty_database(request.param, request, tmp_path_factory)
    receive(opened, *MESSAGES)
    with reader(opened) as client:
        about = observation(client)
    put(opened, [REPLAYED | {"target": [{"reference": f"Observation/{about}/_history/2"}]}], message=3)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(database: Database) -> Iterator[httpx.Client]:
    with reader(database) as running:
        yield running


def observation(client: httpx.Client) -> str:
    """The id of the one result."""
    (entry,) = client.get("/fhir/Observation").json()["entry"]
    return entry["resource"]["id"]


def read(client: httpx.Client, number: int) -> dict[str, Any]:
    answer = client.get(f"/fhir/Provenance/msg-{number}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def found(client: httpx.Client, query: str) -> list[str]:
    answer = client.get(f"/fhir/Provenance?{query}")
    assert answer.status_code == 200, answer.text
    bundle = answer.json()
    assert r4.validate(bundle) == []
    return [entry["resource"]["id"] for entry in bundle.get("entry", ())]


def targets(provenance: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """By type and what follows the id: `Observation/_history/2`; the extension of each as a dictionary."""
    return {
        re.sub(r"/[0-9a-f-]{36}", "", one["reference"]): [
            {part["url"]: next(value for name, value in part.items() if name != "url") for part in said["extension"]}
            for said in one.get("extension", ())
        ]
        for one in provenance["target"]
    }


def steady(provenance: dict[str, Any]) -> dict[str, Any]:
    """Without what another day, another version or another line of a mapping changes."""
    text = json.dumps(provenance).decode()
    text = re.sub(r'(\.yaml):\d+"', r'\1"', text).replace(f"mappings/{catalog().version}", "mappings/VERSION")
    said = json.loads(re.sub(r"hl7v2-fhir-adapter-[^\"]+", "hl7v2-fhir-adapter-VERSION", text))
    assert said["meta"].pop("lastUpdated") == said.pop("recorded")
    return said


def test_provenance_of_a_message_says_who_said_what_where(client: httpx.Client):
    made = read(client, 1)
    assert r4.validate(made) == []
    assert steady(made) == json.loads(EXPECTED.read_bytes())


def test_bytes_and_path_of_each_element_are_those_of_the_message(client: httpx.Client):
    (value,) = [one for one in targets(read(client, 3))["Observation/_history/2"] if one["path"] == "OBX-5"]
    assert MESSAGES[2][value["start"] : value["end"]] == b"0.80"
    assert (value["element"], value["rule"].partition(":")[0]) == ("value[x]", "OBX-Observation.yaml")


def test_e39_each_message_that_says_the_same_has_its_provenance(client: httpx.Client):
    about = observation(client)
    assert found(client, f"target=Observation/{about}") == [REPLAYED["id"], "msg-1", "msg-2", "msg-3"]
    first, again, corrected = (read(client, number) for number in (1, 2, 3))
    assert "Observation/_history/1" in targets(first)
    assert "Observation" in targets(again), "it confirmed what was known, and made no version"
    assert "Observation/_history/2" in targets(corrected)
    assert [one.get("activity", {"coding": [{}]})["coding"][0].get("code") for one in (first, again, corrected)] == [
        "CREATE",
        None,
        "UPDATE",
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("target=Observation/{about}/_history/2&_id=msg-3", ["msg-3"]),
        ("target:Observation={about}&_id=msg-1,msg-2", ["msg-1", "msg-2"]),
        ("target={about}&_id=msg-1", ["msg-1"]),
        ("target=Observation/other", []),
        ("target=Observation/other,Observation/{about}&_id=msg-2", ["msg-2"]),
        ("target=Observation/{about}&target=Observation/other", []),
        ("target=http://elsewhere.example.org/Observation/{about}", []),
        ("_id=msg-2", ["msg-2"]),
        ("_id=msg-4", []),
        ("_id=msg-02", []),
        ("patient={patient}", ["msg-1", "msg-2", "msg-3"]),
        ("target=Patient/{patient}", ["msg-1", "msg-2", "msg-3"]),
    ],
)
def test_search_finds_messages_by_what_they_made(client: httpx.Client, query: str, expected: list[str]):
    patient = client.get("/fhir/Patient").json()["entry"][0]["resource"]["id"]
    assert found(client, query.format(about=observation(client), patient=patient)) == expected


def test_target_as_an_address_of_ours_is_known(client: httpx.Client):
    about = f"{client.base_url}/fhir/Observation/{observation(client)}".replace("//fhir", "/fhir")
    assert "msg-3" in found(client, f"target={about}")


def test_version_of_a_target_leads_to_the_message_that_made_it(client: httpx.Client):
    about = observation(client)
    # The index of what is stored knows no versions: the replay's is found beside each.
    assert found(client, f"target=Observation/{about}/_history/1") == [REPLAYED["id"], "msg-1"]
    assert found(client, f"target=Observation/{about}/_history/2") == [REPLAYED["id"], "msg-3"]
    assert found(client, f"target=Observation/{about}/_history/3") == [REPLAYED["id"]]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_pages_go_from_what_is_stored_to_what_is_made(client: httpx.Client, count: int):
    url: str | None = f"/fhir/Provenance?target=Observation/{observation(client)}&_count={count}&_total=accurate"
    seen: list[str] = []
    while url:
        page = client.get(url).json()
        assert page["total"] == 4
        assert len(page["entry"]) <= count
        seen += [entry["resource"]["id"] for entry in page["entry"]]
        url = next((link["url"] for link in page["link"] if link["relation"] == "next"), None)
    assert seen == [REPLAYED["id"], "msg-1", "msg-2", "msg-3"]


def test_search_by_post_and_the_number_alone(client: httpx.Client):
    asked = {"target": f"Observation/{observation(client)}", "_summary": "count"}
    counted = client.post("/fhir/Provenance/_search", data=asked).json()
    assert (counted["total"], "entry" in counted, [one["relation"] for one in counted["link"]]) == (4, False, ["self"])


def test_search_by_what_a_made_one_cannot_be_found_by_says_so(client: httpx.Client):
    page = client.get("/fhir/Provenance?recorded=ge2018-01-01").json()
    assert [entry["resource"]["resourceType"] for entry in page["entry"]] == ["Provenance", "OperationOutcome"]
    assert "target, patient and _id" in page["entry"][1]["resource"]["issue"][0]["diagnostics"]


@pytest.mark.parametrize("name", ["msg-0", "msg-4", "msg-01", "msg--1", "msg-", "msg-1x", "msg-99999999999999999999"])
def test_there_is_no_provenance_of_what_made_nothing(client: httpx.Client, name: str):
    assert client.get(f"/fhir/Provenance/{name}").status_code == 404


def test_client_that_has_it_is_not_sent_it_again(client: httpx.Client):
    tag = client.get("/fhir/Provenance/msg-1").headers["ETag"]
    assert client.get("/fhir/Provenance/msg-1", headers={"If-None-Match": tag}).status_code == 304
    assert client.get("/fhir/Provenance/msg-2", headers={"If-None-Match": tag}).status_code == 200


def test_mappings_of_another_version_explain_what_they_say_the_same_of(database: Database):
    with reader(database, replace(catalog(), version=OTHER)) as client:
        made = read(client, 1)
    assert made["policy"] == [f"https://fhir.tli-trial.example.org/mappings/{catalog().version}"]
    assert all(targets(made).values())


def test_mappings_that_say_something_else_explain_nothing_of_it(tmp_path: Path):
    opened = open_database(f"sqlite:///{tmp_path}/adapter.db")
    receive(opened, MESSAGES[0])
    with opened.write() as connection:
        asked = "SELECT key FROM resource WHERE resource_type = 'Observation'"
        run(connection, f"UPDATE contribution SET digest = digest + 1 WHERE key = ({asked})")
    with reader(opened, replace(catalog(), version=OTHER)) as client:
        made = targets(read(client, 1))
    assert made["Observation/_history/1"] == []
    assert made["DiagnosticReport/_history/1"]
    opened.close()


def test_provenance_needs_the_token_and_is_in_the_audit(tmp_path: Path):
    opened = open_database(f"sqlite:///{tmp_path}/adapter.db")
    receive(opened, MESSAGES[0])
    with (
        trail(tmp_path / "audit", opened) as (written, incidents),
        served(opened, auditing=Auditing(written, incidents, lambda: NOW), made=by(catalog())) as client,
    ):
        given = client.headers.pop("Authorization")
        assert client.get("/fhir/Provenance/msg-1").status_code == 401
        client.headers["Authorization"] = given
        assert client.get("/fhir/Provenance/msg-1").status_code == 200
        assert client.get(f"/fhir/Provenance?target=Observation/{observation(client)}").status_code == 200
    read_, _, searched = [
        (one["interaction"], one["type"], one["id"], one["resources"]) for one in lines(tmp_path / "audit")
    ]
    assert (read_, searched) == (("read", "Provenance", "msg-1", 1), ("search-type", "Provenance", "", 1))
    opened.close()
