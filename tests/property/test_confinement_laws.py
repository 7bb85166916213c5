"""Laws of access: whatever a hospital's client asks, no byte of another hospital's data comes back (catalogue G)."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.store.database import Database
from tests.integration.api_stand import INDEX, bearer, empty_database, observation, patient, put, served

OURS, THEIRS = "FAHZU", "YWCH"
SECRET = "zweiundvierzig"
"""In every value of the other hospital, and in its ids."""

KNOWN = [
    "WBC",
    "https://example.org/lab|WBC",
    "final",
    "finished",
    "2019",
    "ge2019",
    "true",
    "false",
    "female",
    "-date",
]
ANSWERS = ["_include", "_revinclude", "_sort", "_total", "_summary"]
ASKED = ["*", "Observation:subject", "Observation:specimen", "Encounter:subject"]
ACROSS = [
    "subject:Patient.identifier",
    "patient.name",
    "subject.birthdate",
    "specimen.subject",
    "_has:Observation:patient:code",
]
TYPES = ("Patient", "Observation", "Encounter", "Specimen")


def resources(mark: str) -> list[dict[str, Any]]:
    """A patient with a stay, a sample and results; the mark stands in ids, names, numbers, codes and texts."""
    one, subject = f"p-{mark}", {"reference": f"Patient/p-{mark}"}
    return [
        patient(one) | {"identifier": [{"system": "https://example.org/mrn", "value": mark}], "name": [{"text": mark}]},
        {
            "resourceType": "Encounter",
            "id": f"e-{mark}",
            "status": "finished",
            "class": {"code": "IMP"},
            "subject": subject,
            "identifier": [{"value": mark}],
        },
        {"resourceType": "Specimen", "id": f"s-{mark}", "subject": subject, "type": {"text": mark}},
        *(
            observation(f"o{number}-{mark}", when=f"2019-06-2{number}")
            | {"subject": subject, "specimen": {"reference": f"Specimen/s-{mark}"}, "valueString": mark}
            for number in range(3)
        ),
    ]


def values(mark: str) -> list[str]:
    """What a client may guess of a hospital."""
    own = [f"Patient/p-{mark}", f"p-{mark}", f"e-{mark}", f"s-{mark}", f"o1-{mark}", mark, mark[:4]]
    return [
        *own,
        "WBC",
        "https://example.org/lab|WBC",
        "final",
        "finished",
        "2019",
        "ge2019",
        "true",
        "false",
        "female",
    ]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened = empty_database(request.param, request, tmp_path_factory)
    put(opened, resources("ours"), site=OURS)
    put(opened, resources(SECRET), message=2, site=THEIRS)
    # What stands at both hospitals: one of ours points to theirs.
    put(opened, [observation("o9-ours") | {"subject": {"reference": f"Patient/p-{SECRET}"}}], message=3, site=OURS)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(database: Database) -> Iterator[httpx.Client]:
    with served(database) as running:
        running.headers["Authorization"] = bearer(database, "site", site=OURS)
        yield running


def names(resource_type: str) -> st.SearchStrategy[str]:
    """Parameters of a type, with modifiers, across references, and what asks for more than was found."""
    known = st.sampled_from(sorted(INDEX.parameters[resource_type]))
    modified = st.builds("{}{}".format, known, st.sampled_from(["", "", "", ":missing", ":not", ":contains", ":exact"]))
    return st.one_of(modified, st.sampled_from(ACROSS), st.sampled_from(ANSWERS))


asked_values = st.sampled_from([*values("ours"), *values(SECRET), *KNOWN, *ASKED])
searches = st.sampled_from(TYPES).flatmap(
    lambda kind: st.tuples(st.just(kind), st.lists(st.tuples(names(kind), asked_values), max_size=3))
)


@given(searches)
def test_g17_g19_no_search_of_a_hospital_shows_another(client: httpx.Client, search: tuple[str, list[tuple[str, str]]]):
    kind, params = search
    answer = client.get(f"/fhir/{kind}?{urlencode(params)}")
    assert answer.status_code in {200, 400}
    answered = answer.json()
    if answer.status_code == 200:
        # The links repeat what was asked, and a reference of ours names whom it points to.
        found = [entry for entry in answered.get("entry", []) if entry["search"]["mode"] != "outcome"]
        assert [entry["resource"]["id"] for entry in found if SECRET in entry["resource"]["id"]] == []
        texts = [str(entry) for entry in found if entry["resource"]["id"] != "o9-ours"]
        assert not any(SECRET in text for text in texts)
        assert answered.get("total", 0) <= 4
    else:
        assert SECRET not in answer.text


@pytest.mark.parametrize("path", ["", "/_history", "/_history/1"])
@pytest.mark.parametrize("name", [f"Patient/p-{SECRET}", f"Observation/o1-{SECRET}", f"Encounter/e-{SECRET}"])
def test_g15_g16_another_hospitals_resource_is_answered_as_one_that_does_not_exist(
    client: httpx.Client, name: str, path: str
):
    kind, _, _ = name.partition("/")
    theirs, none = client.get(f"/fhir/{name}{path}"), client.get(f"/fhir/{kind}/no-such{path}")
    assert (theirs.status_code, theirs.content) == (none.status_code, none.content)
    assert theirs.status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        f"Observation?subject:Patient.identifier={SECRET}", f"Observation?patient._id=p-{SECRET}",
        f"Patient?_has:Observation:patient:_id=o1-{SECRET}",
        f"Observation?patient._has:Observation:patient:_id=o1-{SECRET}",
    ],
)  # fmt: skip
def test_g18_a_chain_through_another_hospital_finds_nothing(client: httpx.Client, query: str):
    answer = client.get(f"/fhir/{query}")
    assert (answer.status_code, answer.json().get("entry", [])) == (200, [])


@pytest.mark.parametrize("query", ["_include=Observation:patient", "_include=Observation:*"])
def test_g17_a_reference_to_another_hospital_includes_nothing(client: httpx.Client, query: str):
    answer = client.get(f"/fhir/Observation?_id=o9-ours&{query}").json()
    assert [entry["resource"]["id"] for entry in answer["entry"]] == ["o9-ours"]


def test_g21_counts_are_of_the_own_hospital(client: httpx.Client, database: Database):
    own = client.get("/fhir/Observation?_summary=count").json()["total"]
    client_of_all = {"Authorization": bearer(database, "data-manager")}
    whole = client.get("/fhir/Observation?_summary=count", headers=client_of_all).json()["total"]
    assert (own, whole) == (4, 7)


def test_g12_a_granular_scope_shows_its_category_alone(client: httpx.Client, database: Database):
    narrow = {"Authorization": bearer(database, "data-manager", scope="system/Observation.rs?code=PLT")}
    assert client.get("/fhir/Observation?_summary=count", headers=narrow).json()["total"] == 0
    assert client.get("/fhir/Observation/o1-ours", headers=narrow).status_code == 404
    assert client.get("/fhir/Patient/p-ours", headers=narrow).status_code == 403
    wide = {"Authorization": bearer(database, "data-manager", scope="system/Observation.rs?code=WBC")}
    assert client.get("/fhir/Observation/o1-ours", headers=wide).status_code == 200
