"""Searching over real HTTP: what is found, how pages follow, what is refused."""

from collections.abc import Iterator

import httpx
import pytest

from adapter.fhir import r4
from adapter.store.database import Database
from tests.integration.api_stand import LAB, STUDY, definitions, empty_database, observation, patient, put, served

RESOURCES = [
    *definitions(),
    patient(),
    patient("p2", name=[{"family": "Müller"}], gender="male", birthDate="1961"),
    observation("wbc-1", "WBC", "2019-06-27T06:20:00+08:00", extension=[STUDY], status="preliminary"),
    observation("wbc-2", "WBC", "2019-06-28T23:30:00+08:00", extension=[STUDY]),
    observation("wbc-day", "WBC", "2019-06-28"),
    observation("plt", "PLT|A,B", "2019-07-01T00:00:00Z", identifier=[{"value": "R1"}]),
    observation("p2-wbc", "WBC", subject={"reference": "Patient/p2"}),
    observation("device", "WBC", subject={"reference": "Device/p1"}),
    {
        "resourceType": "Encounter",
        "id": "stay",
        "status": "in-progress",
        "class": {"code": "IMP"},
        "subject": {"reference": "Patient/p1"},
        "period": {"start": "2019-06-20T10:00:00+08:00"},
    },
]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def client(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    database = empty_database(request.param, request, tmp_path_factory)
    put(database, RESOURCES)
    with served(database) as running:
        yield running
    database.close()


def found(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    bundle = answer.json()
    assert r4.validate(bundle) == []
    return [entry["resource"]["id"] for entry in bundle.get("entry", [])]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"code={LAB}|WBC&patient=p1", {"wbc-1", "wbc-2", "wbc-day"}),
        ("code=WBC&subject=Patient/p1", {"wbc-1", "wbc-2", "wbc-day"}),
        ("code=WBC&subject:Device=p1", {"device"}),
        ("subject=p1&code=WBC", {"wbc-1", "wbc-2", "wbc-day", "device"}),
        ("code=|WBC", set()),
        (f"code={LAB}|&patient=p2", {"p2-wbc"}),
        (r"code=PLT\|A\,B", {"plt"}),
        (r"code=WBC,PLT\|A\,B&date=ge2019-06-29", {"plt"}),
        ("code:not=WBC", {"plt"}),
        ("identifier=|R1", {"plt"}),
        ("identifier=R1", {"plt"}),
        ("status=preliminary", {"wbc-1"}),
        ("study=tli-trial", {"wbc-1", "wbc-2"}),
        ("study=ResearchStudy/tli-trial&status=final", {"wbc-2"}),
        ("study:missing=true&patient=p1", {"wbc-day", "plt"}),
        ("date=2019-06-28", {"wbc-2", "wbc-day"}),
        ("date=2019-06-28T23:30:00%2B08:00", {"wbc-2"}),
        ("date=2019-06-28T15:30:00Z", {"wbc-2"}),
        ("date=ge2019-06-28&date=lt2019-07", {"wbc-2", "wbc-day"}),
        ("date=gt2019-06-28", {"plt"}),
        ("date=lt2019-06-28", {"wbc-1"}),
        ("date=sa2019-06-27", {"wbc-2", "wbc-day", "plt"}),
        ("date=eb2019-06-28", {"wbc-1"}),
        ("date=ne2019-06", {"plt"}),
        ("_id=plt,wbc-1", {"plt", "wbc-1"}),
        ("_id=plt&patient=p2", set()),
        ("_lastUpdated=2026-11-01", {"wbc-1", "wbc-2", "wbc-day", "plt", "p2-wbc", "device"}),
        ("_lastUpdated=gt2026-11-02", set()),
    ],
)
def test_observations_are_found(client: httpx.Client, query: str, expected: set[str]) -> None:
    assert set(found(client.get(f"/fhir/Observation?{query}"))) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("name=试", {"p1"}),
        ("family=mull", {"p2"}),
        ("family:exact=muller", set()),
        ("family:exact=Müller", {"p2"}),
        ("given=jia", {"p1"}),
        ("name:contains=HI", {"p1"}),
        ("name:contains=%25", set()),
        ("gender=female", {"p1"}),
        ("birthdate=1961", {"p2"}),
        ("birthdate=lt1951-01-01", {"p1"}),
        ("identifier=https://example.org/mrn|00X-p1", {"p1"}),
    ],
)
def test_patients_are_found(client: httpx.Client, query: str, expected: set[str]) -> None:
    assert set(found(client.get(f"/fhir/Patient?{query}"))) == expected


def test_a_stay_that_has_not_ended_reaches_into_every_later_day(client: httpx.Client) -> None:
    assert found(client.get("/fhir/Encounter?date=ge2024-01-01")) == ["stay"]
    assert found(client.get("/fhir/Encounter?date=2019-06")) == []


def test_our_own_absolute_reference_is_understood(client: httpx.Client) -> None:
    assert found(client.get("/fhir/Observation", params={"patient": f"{client.base_url}/fhir/Patient/p2"})) == [
        "p2-wbc"
    ]


def test_a_posted_search_is_the_same_search_and_its_links_can_be_followed(client: httpx.Client) -> None:
    answer = client.post("/fhir/Observation/_search?_count=2", data={"code": "WBC", "patient": "p1"})
    first = found(answer)
    (following,) = (link["url"] for link in answer.json()["link"] if link["relation"] == "next")
    assert sorted(first + found(client.get(following))) == ["wbc-1", "wbc-2", "wbc-day"]
    assert client.post("/fhir/Observation/_search", json={"code": "WBC"}).status_code == 415


def test_sorting_by_date_puts_what_has_none_last(client: httpx.Client) -> None:
    ascending = found(client.get("/fhir/Observation?_sort=date"))
    assert ascending[:2] == ["wbc-1", "wbc-day"]
    assert set(ascending[-2:]) == {"p2-wbc", "device"}
    assert found(client.get("/fhir/Observation?_sort=-date&patient=p1"))[0] == "plt"
    assert set(found(client.get("/fhir/Observation?_sort=-_lastUpdated"))) == set(ascending)


def test_pages_are_whole_and_in_order_while_resources_are_added(database: Database) -> None:
    put(database, [observation(f"o{number:02d}", when=f"2019-06-{number:02d}") for number in range(1, 21)])
    with served(database) as client:
        seen, address = list[str](), "/fhir/Observation?_sort=-date&_count=7&code=WBC"
        for page in range(3):
            answer = client.get(address)
            seen += found(answer)
            put(database, [observation(f"new{page}", when="2019-07-01")], message=page + 2)
            links = {link["relation"]: link["url"] for link in answer.json()["link"]}
            address = links.get("next", "")
    assert seen == [f"o{number:02d}" for number in range(20, 0, -1)]
    assert address == ""


def test_the_total_is_told_when_it_is_asked_for_or_free(client: httpx.Client) -> None:
    assert client.get("/fhir/Observation?patient=p1").json()["total"] == 4
    assert "total" not in client.get("/fhir/Observation?patient=p1&_count=1").json()
    assert client.get("/fhir/Observation?patient=p1&_count=1&_total=accurate").json()["total"] == 4
    counted = client.get("/fhir/Observation?code:not=WBC&_summary=count").json()
    assert (counted["total"], counted.get("entry")) == (1, None)


def test_an_unknown_parameter_is_refused_with_the_known_ones(client: httpx.Client) -> None:
    text = client.get("/fhir/Observation?patinet=p1").json()["issue"][0]["diagnostics"]
    assert "patient" in text


def test_a_lenient_search_says_what_it_left_out(client: httpx.Client) -> None:
    bundle = client.get("/fhir/Observation?colour=red&patient=p2", headers={"Prefer": "handling=lenient"}).json()
    assert [entry["search"]["mode"] for entry in bundle["entry"]] == ["match", "outcome"]
    assert "colour" not in bundle["link"][0]["url"]


@pytest.mark.parametrize(
    "query",
    ["date=yesterday", "date=ap2019", "code=a|b|c", "code:above=x", "patient=Group/1", "subject:Patiant=1", "code=",
     "_count=-1", "_sort=code", "_cursor=abc", "_total=maybe", "_id=a/b", "study:missing=perhaps"],
)  # fmt: skip
def test_a_value_that_is_not_understood_is_refused(client: httpx.Client, query: str) -> None:
    answer = client.get(f"/fhir/Observation?{query}")
    assert (answer.status_code, answer.json()["resourceType"]) == (400, "OperationOutcome")


def test_a_cursor_of_another_search_is_refused(client: httpx.Client) -> None:
    links = client.get("/fhir/Observation?code=WBC&_count=1").json()["link"]
    following = next(link["url"] for link in links if link["relation"] == "next")
    assert client.get(following.replace("code=WBC", "code=PLT")).status_code == 400


def with_it(answer: httpx.Response) -> tuple[set[str], set[str]]:
    """The ids that match, and those that come with them."""
    assert answer.status_code == 200, answer.text
    assert r4.validate(answer.json()) == []
    modes: dict[str, list[str]] = {"match": [], "include": []}
    for one in answer.json().get("entry", []):
        modes[one["search"]["mode"]].append(one["resource"]["id"])
    assert len(modes["include"]) == len(set(modes["include"]))
    return set(modes["match"]), set(modes["include"])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Observation?subject:Patient.identifier=00X-p1&code=WBC", {"wbc-1", "wbc-2", "wbc-day"}),
        ("Observation?patient.gender=female&status=preliminary", {"wbc-1"}),
        ("Observation?patient._id=p1&_sort=-date&code=WBC", {"wbc-1", "wbc-2", "wbc-day"}),
        ("Observation?subject:Patient.identifier=00X-none", set()),
        ("Patient?_has:Observation:patient:code=PLT\\|A\\,B", {"p1"}),
        ("Patient?_has:Observation:patient:code=none", set()),
        ("Observation?patient._has:Observation:patient:status=preliminary&code=WBC", {"wbc-1", "wbc-2", "wbc-day"}),
    ],
)
def test_resources_are_found_by_others_that_they_refer_to_or_that_refer_to_them(
    client: httpx.Client, query: str, expected: set[str]
) -> None:
    assert set(found(client.get(f"/fhir/{query}"))) == expected


@pytest.mark.parametrize(
    ("query", "match", "include"),
    [
        ("Observation?_id=plt&_include=Observation:patient", {"plt"}, {"p1"}),
        ("Observation?_id=plt&_include=Observation:subject:Patient", {"plt"}, {"p1"}),
        ("Observation?_id=plt&_include=Observation:*", {"plt"}, {"p1"}),
        ("Observation?_id=device&_include=Observation:patient", {"device"}, set()),
        ("Patient?_id=p1&_revinclude=Observation:patient", {"p1"}, {"wbc-1", "wbc-2", "wbc-day", "plt"}),
        ("Observation?_id=plt&_include=Observation:patient&_revinclude:iterate=Observation:patient",
         {"plt"}, {"p1", "wbc-1", "wbc-2", "wbc-day"}),
    ],
)  # fmt: skip
def test_what_belongs_to_a_page_comes_with_it_once(
    client: httpx.Client, query: str, match: set[str], include: set[str]
) -> None:
    assert with_it(client.get(f"/fhir/{query}")) == (match, include)


@pytest.mark.parametrize(
    "query",
    [
        "Observation?status.identifier=1", "Observation?subject:Device.name=a", "Observation?patient.colour=red",
        "Patient?_has:Observation:status:code=1", "Patient?_has:Observation:patient:colour=1", "Patient?_has:a=1",
        "Observation?_include=Observation:colour", "Observation?_include:below=Observation:patient",
        "Observation?_include=Slot:schedule", "Observation?_include=Observation:patient:Device",
        "Observation?patient.link.link.link.link=p1",
    ],
)  # fmt: skip
def test_a_chain_or_an_include_that_cannot_be_is_refused(client: httpx.Client, query: str) -> None:
    assert client.get(f"/fhir/{query}").status_code == 400
