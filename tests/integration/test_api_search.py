"""Searching over real HTTP: what is found, how pages follow, what is refused."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from adapter.fhir import r4
from adapter.store.database import Database
from tests.integration.api_stand import LAB, STUDY, definitions, empty_database, observation, patient, put, served

RESOURCES = [
    *definitions(),
    patient(),
    patient(
        "p2",
        name=[{"family": "Müller"}],
        gender="male",
        birthDate="1961",
        telecom=[{"system": "phone", "value": "123"}, {"system": "email", "value": "a@example.org"}],
        address=[{"city": "Hangzhou"}],
        meta={"tag": [{"system": "urn:t", "code": "seen"}], "profile": ["https://example.org/p"]},
    ),
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
        ("phone=123", {"p2"}),
        ("telecom=a@example.org", {"p2"}),
        ("address-city=hang", {"p2"}),
        ("_tag=urn:t|seen", {"p2"}),
        ("_profile=https://example.org/p", {"p2"}),
        ("_security:missing=false", set()),
        ("birthdate=lt1951-01-01", {"p1"}),
        ("identifier=https://example.org/mrn|00X-p1", {"p1"}),
    ],
)
def test_patients_are_found(client: httpx.Client, query: str, expected: set[str]) -> None:
    assert set(found(client.get(f"/fhir/Patient?{query}"))) == expected


HGB = [{"system": "http://loinc.org", "code": "718-7"}, {"system": LAB, "code": "HGB"}]
GRAM = "http://unitsofmeasure.org"


def measured(identity: str, value: str, unit: str, **others: Any) -> dict[str, Any]:
    quantity = {"value": Decimal(value), "unit": unit, "system": GRAM, "code": unit}
    return observation(identity, code="HGB", valueQuantity=quantity | others) | {
        "code": {"coding": HGB},
        "subject": {"reference": "Patient/p9"},
    }


def part(code: str, **value: Any) -> dict[str, Any]:
    return {"code": {"coding": [{"system": LAB, "code": code}]}, **value}


MEASURED = [
    measured("litre", "70", "g/L"),
    measured("decilitre", "7.0", "g/dL"),
    measured("more", "7.04", "g/dL"),
    measured("below", "50", "g/L", comparator="<"),
    measured("own", "7", "g/L") | {"valueQuantity": {"value": 7, "unit": "spoons"}},
    measured("warm", "38.5", "Cel") | {"code": {"coding": [{"system": LAB, "code": "TEMP"}]}},
    observation("parts", component=[
        part("SYS", valueQuantity={"value": 120, "system": GRAM, "code": "mm[Hg]"}),
        part("DIA", valueQuantity={"value": 80, "system": GRAM, "code": "mm[Hg]"}),
        part("SITE", valueCodeableConcept={"coding": [{"system": "urn:s", "code": "left$arm"}]}),
    ], subject={"reference": "Patient/p9"}),
    observation("group", valueCodeableConcept={"coding": [{"system": "urn:s", "code": "A"}]},
                subject={"reference": "Patient/p9"}),
    observation("words", valueString="No growth", subject={"reference": "Patient/p9"}),
    observation("day", extension=[
        {"url": "https://fhir.tli-trial.example.org/StructureDefinition/tli-study-day", "valueInteger": -10}
    ], subject={"reference": "Patient/p9"}),
    observation("when", valueDateTime="2019-06-27", subject={"reference": "Patient/p9"}),
]  # fmt: skip


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def measuring(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    database = empty_database(request.param, request, tmp_path_factory)
    put(database, [*MEASURED, patient("p9")])
    with served(database) as running:
        yield running
    database.close()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"value-quantity=70|{GRAM}|g/L", {"litre", "decilitre", "more"}),
        (f"value-quantity=70.0|{GRAM}|g/L", {"litre", "decilitre"}),
        ("value-quantity=7.00||g/dL", {"litre", "decilitre"}),
        ("value-quantity=7000||mg/dL", {"litre", "decilitre"}),
        (f"value-quantity=gt70|{GRAM}|g/L", {"more"}),
        (f"value-quantity=ge7|{GRAM}|g/dL", {"litre", "decilitre", "more"}),
        (f"value-quantity=lt70|{GRAM}|g/L", {"below"}),
        (f"value-quantity=eb50|{GRAM}|g/L", {"below"}),
        (f"value-quantity=ap76|{GRAM}|g/L", {"litre", "decilitre", "more"}),
        (f"value-quantity=ne70.0|{GRAM}|g/L", {"more", "below"}),
        ("value-quantity=7.0", {"decilitre", "more", "own"}),
        ("value-quantity=70", {"litre"}),
        ("value-quantity=7||spoons", {"own"}),
        ("value-quantity=7|urn:other|spoons", set()),
        (f"value-quantity=38.5|{GRAM}|Cel", {"warm"}),
        ("value-quantity=gt38||Cel", {"warm"}),
        ("value-quantity=7e1||g/L", {"litre", "decilitre", "more"}),
        ("value-quantity:missing=false", {"litre", "decilitre", "more", "below", "own", "warm"}),
        (f"code-value-quantity=http://loinc.org|718-7$gt70|{GRAM}|g/L", {"more"}),
        ("code-value-quantity=718-7$7.04||g/dL,TEMP$gt38||Cel", {"more", "warm"}),
        (f"code-value-quantity={LAB}|718-7$gt70|{GRAM}|g/L", set()),
        ("code-value-quantity=HGB$38.5", set()),
        ("component-code-value-quantity=SYS$120||mm[Hg]", {"parts"}),
        ("component-code-value-quantity=SYS$80||mm[Hg]", set()),
        ("component-value-quantity=80", {"parts"}),
        ("value-quantity=80", set()),
        ("combo-value-quantity=80,70", {"parts", "litre"}),
        ("combo-code-value-quantity=SYS$gt100,HGB$7.04", {"parts", "more"}),
        ("combo-code=SYS,TEMP", {"parts", "warm"}),
        ("code=SYS", set()),
        (r"component-code-value-concept=SITE$left\$arm", {"parts"}),
        (f"component-code-value-concept={LAB}|SITE$urn:s|left\\$arm", {"parts"}),
        ("component-code-value-concept=SITE$urn:t|left\\$arm", set()),
        ("code-value-concept=WBC$A", {"group"}),
        (f"code-value-concept={LAB}|WBC$A", {"group"}),
        ("code-value-concept=WBC$urn:s|A", {"group"}),
        ("code-value-concept=urn:x|WBC$A", set()),
        ("combo-code-value-concept=WBC$A,SITE$left\\$arm", {"group", "parts"}),
        ("combo-value-concept=A", {"group"}),
        ("code-value-string=WBC$no", {"words"}),
        (f"code-value-string={LAB}|WBC$no", {"words"}),
        ("code-value-string=urn:x|WBC$no", set()),
        ("code-value-date=WBC$ge2019-06-01", {"when"}),
        ("code-value-date=WBC$2018", set()),
        ("study-day=ap-10.5", {"day"}),
        ("study-day=ap-12", set()),
        ("study-day=gt-11&study-day=le-10", {"day"}),
        ("study-day=lt-10", set()),
        ("patient._id=p9&code-value-quantity=HGB$gt7.01||g/dL", {"more"}),
    ],
)
def test_measured_values_are_found(measuring: httpx.Client, query: str, expected: set[str]) -> None:
    assert set(found(measuring.get(f"/fhir/Observation?{query}"))) == expected


@pytest.mark.parametrize(
    "query",
    ["value-quantity=much", "value-quantity=5|g", "value-quantity=5|x|", "value-quantity:not=5", "value-quantity=1e999",
     "value-quantity=1e99||10*99.10*99.10*99.10*99", "code-value-quantity=HGB", "code-value-quantity=HGB$a|b",
     "code-value-quantity=$5", "code-value-concept=a|b|c$d", "code-value-concept:not=a$b", "code-value-date=WBC$x"],
)  # fmt: skip
def test_a_measured_value_that_is_not_understood_is_refused(measuring: httpx.Client, query: str) -> None:
    assert measuring.get(f"/fhir/Observation?{query}").status_code == 400


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
        ("Observation?_id=plt&_include=*", {"plt"}, {"p1"}),
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
        "Patient?_revinclude=*", "Observation?_include=Observation:colour",
        "Observation?_include:below=Observation:patient",
        "Observation?_include=Slot:schedule", "Observation?_include=Observation:patient:Device",
        "Observation?patient.link.link.link.link=p1",
    ],
)  # fmt: skip
def test_a_chain_or_an_include_that_cannot_be_is_refused(client: httpx.Client, query: str) -> None:
    assert client.get(f"/fhir/{query}").status_code == 400


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("_elements=effective", {"status", "code", "effectiveDateTime"}),
        ("_elements=subject,identifier", {"status", "code", "subject", "identifier"}),
        ("_elements=Observation.subject", {"status", "code", "subject"}),
        ("_elements=Patient.name", {"status", "code", "subject", "identifier", "effectiveDateTime"}),
        ("_summary=text", {"status", "code"}),
    ],
)
def test_parts_of_resources_are_sent_and_say_so(client: httpx.Client, query: str, kept: set[str]) -> None:
    answer = client.get(f"/fhir/Observation?_id=plt&{query}")
    assert found(answer) == ["plt"]
    resource = answer.json()["entry"][0]["resource"]
    assert resource.keys() - {"resourceType", "id", "meta"} == kept
    tags = [tag["code"] for tag in resource["meta"].get("tag", [])]
    assert ("SUBSETTED" in tags) == ("Patient." not in query)


def test_an_included_resource_is_cut_by_its_own_elements(client: httpx.Client) -> None:
    answer = client.get("/fhir/Observation?_id=plt&_include=Observation:patient&_elements=status,Patient.gender")
    patient_ = next(one["resource"] for one in answer.json()["entry"] if one["search"]["mode"] == "include")
    assert patient_.keys() == {"resourceType", "id", "meta", "gender"}


@pytest.mark.parametrize(
    "query", ["_elements=colour", "_elements=Colour.name", "_summary=true", "_count=-1", "_count=a"]
)
def test_g35_parts_and_counts_that_cannot_be_are_refused(client: httpx.Client, query: str) -> None:
    assert client.get(f"/fhir/Observation?{query}").status_code == 400


def test_g34_the_self_link_tells_how_many_come_at_most(client: httpx.Client) -> None:
    links = client.get("/fhir/Observation?_count=1000000000").json()["link"]
    assert "_count=1000" in links[0]["url"].split("&") or links[0]["url"].endswith("?_count=1000")


def test_more_than_comes_with_a_page_is_left_out_and_said(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapter.store.included.MOST", 2)
    entries = client.get("/fhir/Patient?_id=p1&_revinclude=Observation:patient").json()["entry"]
    assert [one["search"]["mode"] for one in entries] == ["match", "include", "include", "outcome"]
    assert "left out" in entries[-1]["resource"]["issue"][0]["diagnostics"]


def test_g38_a_cursor_that_was_changed_is_refused(client: httpx.Client) -> None:
    following = next(
        one["url"] for one in client.get("/fhir/Observation?_count=2").json()["link"] if one["relation"] == "next"
    )
    assert client.get(following).status_code == 200
    head, _, cursor = following.rpartition("_cursor=")
    for wrong in (cursor[:-3] + "AAA", "A" + cursor[1:], cursor[:-8], "", "bWFkZQ", "ä"):
        assert client.get(f"{head}_cursor={wrong}").status_code == 400


def test_g36_a_search_that_costs_too_much_is_refused(client: httpx.Client) -> None:
    values = ",".join(f"c{number}" for number in range(1001))
    many = client.post("/fhir/Observation/_search", data={"code": values})
    assert (many.status_code, many.json()["issue"][0]["code"]) == (400, "too-costly")
    assert client.get("/fhir/Observation?" + "&".join(["status=final"] * 51)).status_code == 400
    assert client.get("/fhir/Observation?code=" + "x" * 9000).status_code == 414


def test_g32_sql_in_a_value_is_a_value(client: httpx.Client) -> None:
    for value in ("'; DROP TABLE resource; --", "' OR '1'='1", "%' --"):
        assert found(client.get("/fhir/Observation", params={"code": value})) == []
        assert found(client.get("/fhir/Patient", params={"name": value})) == []
    assert len(found(client.get("/fhir/Patient"))) == 2
