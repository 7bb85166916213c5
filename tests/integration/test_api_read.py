"""Reading over real HTTP: versions, entity tags, forms, and the answer to everything that fails."""

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapter.errors import StorageUnavailable
from adapter.fhir import r4
from adapter.store.database import Database, open_database
from tests import databases
from tests.integration.api_stand import definitions, observation, patient, put, served


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('api')}/adapter.db")
    value = {"value": Decimal("0.70"), "system": "http://unitsofmeasure.org", "code": "10*9/L"}
    put(database, [patient(), *definitions(), observation("o1", valueQuantity=value)])
    put(database, [observation("o1", valueQuantity=value, status="amended")], message=2)
    with served(database) as running:
        yield running
    database.close()


def problem(answer: httpx.Response) -> dict[str, Any]:
    """The issue of an OperationOutcome, which must be valid R4."""
    assert answer.headers["content-type"] == "application/fhir+json"
    outcome = answer.json()
    assert r4.validate(outcome) == []
    return outcome["issue"][0]


def test_a_read_gives_the_stored_bytes_with_their_version_and_digits(client: httpx.Client) -> None:
    answer = client.get("/fhir/Observation/o1")
    assert (answer.status_code, answer.headers["etag"]) == (200, 'W/"2"')
    assert answer.headers["content-type"] == "application/fhir+json"
    assert answer.headers["last-modified"].endswith("GMT")
    assert b"0.70" in answer.content
    assert answer.json()["meta"]["versionId"] == "2"


def test_a_client_that_has_this_version_gets_304_without_a_body(client: httpx.Client) -> None:
    answer = client.get("/fhir/Observation/o1", headers={"If-None-Match": 'W/"1", W/"2"'})
    assert (answer.status_code, answer.content) == (304, b"")
    assert client.get("/fhir/Observation/o1", headers={"If-None-Match": 'W/"1"'}).status_code == 200


def test_head_answers_as_get_without_a_body(client: httpx.Client) -> None:
    answer = client.head("/fhir/Observation/o1")
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (200, b"", 'W/"2"')


def test_an_older_version_can_still_be_read(client: httpx.Client) -> None:
    assert client.get("/fhir/Observation/o1/_history/1").json()["status"] == "final"
    assert client.get("/fhir/Observation/o1/_history/3").status_code == 404
    assert client.get("/fhir/Observation/o1/_history/x").status_code == 404


def test_the_history_is_a_valid_bundle_newest_first_and_pages(client: httpx.Client) -> None:
    bundle = client.get("/fhir/Observation/o1/_history").json()
    assert r4.validate(bundle) == []
    assert [entry["resource"]["meta"]["versionId"] for entry in bundle["entry"]] == ["2", "1"]
    assert [entry["request"]["method"] for entry in bundle["entry"]] == ["PUT", "POST"]
    first = client.get("/fhir/Observation/o1/_history?_count=1").json()
    (link,) = (link["url"] for link in first["link"] if link["relation"] == "next")
    assert [entry["resource"]["meta"]["versionId"] for entry in client.get(link).json()["entry"]] == ["1"]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/fhir/Observation/none", 404, "not-found"),
        ("/fhir/Observation/none/_history", 404, "not-found"),
        ("/fhir/Slot/x", 404, "not-supported"),
        ("/fhir/observation", 404, "not-supported"),
        ("/fhir/Observation/o1/no/such/place", 404, "not-found"),
        ("/nothing", 404, "not-found"),
        ("/fhir/Observation?_format=xml", 406, "not-supported"),
        ("/fhir/Observation?colour=red", 400, "invalid"),
    ],
)
def test_what_cannot_be_answered_is_an_operation_outcome(
    client: httpx.Client, path: str, status: int, code: str
) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert problem(answer)["code"] == code


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/fhir/Observation"), ("PUT", "/fhir/Observation/o1"), ("DELETE", "/fhir/Observation/o1")],
)
def test_a_write_is_refused_and_told_how_resources_come_in(client: httpx.Client, method: str, path: str) -> None:
    answer = client.request(method, path, json={})
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]
    assert "HL7 v2 messages" in problem(answer)["diagnostics"]


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/fhir+json", 200),
        ("application/json", 200),
        ("text/html, */*;q=0.8", 200),
        ("application/fhir+json; fhirVersion=4.0", 200),
        ("application/fhir+json; fhirVersion=5.0", 406),
        ("application/fhir+xml", 406),
        ("application/fhir+json;q=0, text/html", 406),
    ],
)
def test_only_json_of_r4_is_served(client: httpx.Client, accept: str, status: int) -> None:
    assert client.get("/fhir/Observation/o1", headers={"Accept": accept}).status_code == status


def test_metadata_is_valid_and_promises_what_is_loaded(client: httpx.Client) -> None:
    answer = client.get("/fhir/metadata")
    statement = answer.json()
    assert r4.validate(statement) == []
    assert (statement["kind"], statement["fhirVersion"]) == ("instance", "4.0.1")
    observations = next(entry for entry in statement["rest"][0]["resource"] if entry["type"] == "Observation")
    wanted = {"_id", "_lastUpdated", "identifier", "patient", "subject", "code", "date", "status", "category", "study"}
    assert wanted <= {parameter["name"] for parameter in observations["searchParam"]}
    again = client.get("/fhir/metadata", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


def test_the_study_and_its_hospitals_are_served(client: httpx.Client) -> None:
    bundle = client.get("/fhir/ResearchStudy?identifier=ChiCTR-ONC-17011948").json()
    study = bundle["entry"][0]["resource"]
    assert [arm["name"] for arm in study["arm"]] == ["AML", "MDS", "HIST-IA"]
    for site in study["site"]:
        place = client.get(f"/fhir/{site['reference']}").json()
        assert client.get(f"/fhir/{place['managingOrganization']['reference']}").status_code == 200


@contextmanager
def running(folder: Path, **settings: Any) -> Generator[tuple[Database, httpx.Client]]:
    database = open_database(databases.sqlite(folder))
    put(database, [observation("o1")])
    with served(database, **settings) as client:
        yield database, client
    database.close()


def test_with_a_token_only_metadata_is_open(tmp_path: Path) -> None:
    with running(tmp_path) as (_, client):
        given = client.headers.pop("Authorization")
        assert client.get("/fhir/metadata").status_code == 200
        for headers in ({}, {"Authorization": "Bearer other"}, {"Authorization": given.replace("Bearer", "Basic")}):
            answer = client.get("/fhir/Observation/o1", headers=headers)
            assert (answer.status_code, problem(answer)["code"]) == (401, "login")
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert client.get("/fhir/Observation", headers=headers).status_code == 401
            assert client.post("/fhir/Observation/_search", headers=headers).status_code == 401
        assert client.get("/fhir/Observation/o1", headers={"Authorization": given}).status_code == 200


def test_a_storage_that_is_away_is_503_and_not_ready_but_alive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path) as (database, client):
        assert client.get("/health/ready").status_code == 200

        @contextmanager
        def away() -> Generator[None]:
            raise StorageUnavailable("the database failed: SQLITE_IOERR")
            yield

        monkeypatch.setattr(database, "read", away)
        answer = client.get("/fhir/Observation/o1")
        assert (answer.status_code, problem(answer)["code"]) == (503, "transient")
        assert client.get("/health/ready").status_code == 503
        assert client.get("/health/live").status_code == 200


def test_a_fault_of_ours_is_500_and_tells_the_log_no_contents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path) as (_, client):

        def broken(*_: object) -> None:
            raise RuntimeError("Zhang San")

        monkeypatch.setattr("adapter.store.resources.read", broken)
        answer = client.get("/fhir/Observation/o1")
        assert (answer.status_code, problem(answer)["code"]) == (500, "exception")
        assert "Zhang" not in answer.text


def test_the_access_log_names_type_and_outcome_but_neither_query_nor_id(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with running(tmp_path) as (_, client), caplog.at_level("INFO", logger="adapter"):
        client.get("/fhir/Patient?identifier=SECRET-1")
        client.get("/fhir/Patient/SECRET-2")
        client.get("/fhir/SECRET-3")
    events = [json.dumps(record.__dict__["ids"]) for record in caplog.records if record.message == "fhir_request"]
    assert len(events) == 3
    assert '"resource_type": "Patient"' in events[0]
    assert '"status": 200' in events[0]
    assert "SECRET" not in caplog.text + "".join(events)
