"""Laws of the pseudonymised view: whatever is asked, nothing that tells who somebody is comes back (catalogue G).

Every resource of every golden case is stored as that of a participant, with a mark in each of its texts, numbers, ids
and local codes.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.fhir import json
from adapter.fhir.r4 import validate
from adapter.mapper.engine import Mapped
from adapter.store.database import Database, rows, run
from adapter.store.reach import OF_NOBODY
from adapter.store.resources import ResourceWriter
from adapter.viewing import QUIET, Viewer
from tests.integration.api_stand import (
    INDEX,
    NOW,
    PROJECTION,
    VIEW_INDEX,
    Rules,
    bearer,
    definitions,
    empty_database,
    served,
)
from tests.store_stand import STUDY, SUBJECT

MARK = "zweiundvierzig"
CASES = Path(__file__).parents[1] / "cases"
OURS, THEIRS = "FAHZU", "YWCH"
ME = f"{MARK}-me"
TEXTS = frozenset(
    "text display div family given prefix suffix line city district state title postalCode description comment unit "
    "valueString data authorString conclusion name value lotNumber patientInstruction assignedArm contentType".split()
)


def planted(value: Any) -> Any:
    """The same with the mark in each text and number, and beside each code."""
    if isinstance(value, list):
        return [planted(one) for one in value]
    if not isinstance(value, dict):
        return value
    made = {
        key: f"{MARK} {one}" if key in TEXTS and isinstance(one, str) else planted(one) for key, one in value.items()
    }
    if "coding" in made:
        made["coding"] = [*made["coding"], {"system": "https://example.org/local", "code": MARK, "display": MARK}]
    return made


def resources() -> Iterator[dict[str, Any]]:
    """Those of the golden cases, each with its mark."""
    for number, file in enumerate(sorted(CASES.glob("*/*/expected.json"))):
        for one in json.loads(file.read_bytes())["resources"]:
            made = planted(one) | {"id": f"{MARK}-{number}-{one['id'][:8]}"}
            if one["resourceType"] == "Patient":
                made |= {"link": [{"other": {"reference": f"Patient/{ME}"}, "type": "seealso"}]}
            yield made


def mine() -> dict[str, Any]:
    """The study's own Patient."""
    return {
        "resourceType": "Patient",
        "id": ME,
        "identifier": [{"system": SUBJECT, "value": "ATLI-77"}, {"system": "https://example.org/mrn", "value": MARK}],
        "name": [{"text": MARK}],
        "telecom": [{"system": "phone", "value": MARK}],
        "gender": "female",
        "birthDate": "1950-02-03",
    }


def store(database: Database) -> None:
    everyone = [mine(), *resources()]
    stranger = {"resourceType": "Patient", "id": f"{MARK}-stranger", "name": [{"text": MARK}], "gender": "male"}
    with database.write() as connection:
        writer = ResourceWriter(connection, INDEX, Rules(), NOW, study=STUDY)
        for one in definitions():
            writer.put(stated(one, None), site=OF_NOBODY, message_id=0)
        for one in everyone:
            own = str(one["id"]) if one["resourceType"] == "Patient" else ME
            writer.put(stated(one, own), site=OURS, message_id=1)
        writer.put(stated(stranger, f"{MARK}-stranger"), site=OURS, message_id=1)
        writer.flush()


def stated(resource: dict[str, Any], patient: str | None) -> Mapped:
    said = NOW.isoformat()
    return Mapped(resource, said, fill=False, defaults=(), cleared=(), map="test", patient_id=patient)


def written(database: Database) -> Viewer:
    viewer = Viewer(database, PROJECTION, VIEW_INDEX, lambda: datetime.now(UTC) + 2 * QUIET)
    viewer.begin()
    while viewer.run_once():
        pass
    return viewer


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened = empty_database(request.param, request, tmp_path_factory)
    store(opened)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def viewer(database: Database) -> Viewer:
    return written(database)


@pytest.fixture(scope="module")
def client(database: Database, viewer: Viewer) -> Iterator[httpx.Client]:
    with served(database) as running:
        running.headers["Authorization"] = bearer(database, "central")
        yield running


@pytest.mark.parametrize("kind", sorted(PROJECTION.shapes))
def test_g22_g48_g49_nothing_of_a_participant_that_is_not_allowed_is_served(client: httpx.Client, kind: str) -> None:
    """Bodies, headers, versions and includes, of every golden case's resources."""
    found = client.get(f"/fhir/{kind}?_count=1000&_include=*")
    assert found.status_code == 200
    assert MARK not in found.text
    assert MARK not in str(found.headers)
    entries = [entry["resource"] for entry in found.json()["entry"]]
    own = [one for one in entries if one["resourceType"] == kind]
    assert own, "no golden case has such a resource"
    for one in own[:20]:
        assert validate(one) == []
        for path in ("", "/_history", "/_history/1"):
            answer = client.get(f"/fhir/{kind}/{one['id']}{path}")
            assert answer.status_code == 200
            assert MARK not in answer.text


def test_only_participants_are_in_the_view(client: httpx.Client, viewer: Viewer) -> None:
    assert client.get(f"/fhir/Patient/{viewer.name('Patient', ME)}").status_code == 200
    assert client.get(f"/fhir/Patient/{viewer.name('Patient', f'{MARK}-stranger')}").status_code == 404


def test_a_participant_is_shown_by_number_sex_and_year_of_birth(client: httpx.Client, viewer: Viewer) -> None:
    found = client.get("/fhir/Patient?identifier=ATLI-77").json()["entry"]
    shown = found[0]["resource"]
    assert shown["id"] == viewer.name("Patient", ME)
    assert set(shown) == {"resourceType", "id", "meta", "identifier", "gender", "birthDate"}
    assert shown["identifier"] == [{"system": SUBJECT, "value": "ATLI-77"}]
    assert shown["birthDate"] == "1950"
    assert shown["meta"]["lastUpdated"].endswith("T00:00:00.000Z")


def test_g16_the_identified_resource_is_not_there_for_the_central_site(client: httpx.Client) -> None:
    none = client.get("/fhir/Patient/no-such")
    for path in (ME, f"{ME}/_history/1", f"{ME}/_history"):
        answer = client.get(f"/fhir/Patient/{path}")
        assert (answer.status_code, answer.content) == (none.status_code, none.content)
    assert client.get("/fhir/Coverage").status_code == 404


@pytest.mark.parametrize(
    "search",
    [
        pytest.param("Observation?subject:Patient.name=Zhang", id="G18 a hidden element behind a reference"),
        pytest.param("Observation?subject:Patient.birthdate=gt1950", id="G18 the year behind a reference"),
        pytest.param("Patient?_has:Observation:patient:performer=x", id="G19 a hidden element of what refers"),
        pytest.param("Patient?birthdate=gt1950-06-01", id="G20 date of birth"),
        pytest.param("Patient?name=a", id="G20 name"),
        pytest.param("Patient?phone=138", id="G20 telephone"),
        pytest.param("Patient?_text=a", id="G20 text"),
        pytest.param("Patient?_sort=birthdate", id="G21 order by date of birth"),
        pytest.param("Patient?_sort=name", id="G21 order by name"),
        pytest.param("Patient?address-city=a&_summary=count", id="G21 a count by address"),
        pytest.param("Patient?_filter=name+eq+a", id="G22 filter"),
        pytest.param("Patient?_content=a", id="G22 content"),
    ],
)
def test_what_is_hidden_can_be_neither_searched_nor_sorted_nor_counted(client: httpx.Client, search: str) -> None:
    answer = client.get(f"/fhir/{search}")
    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"


names = st.sampled_from(sorted(VIEW_INDEX.parameters)).flatmap(
    lambda kind: st.tuples(
        st.just(kind),
        st.lists(
            st.tuples(
                st.sampled_from(
                    [*sorted(VIEW_INDEX.parameters[kind]), "_include", "_revinclude", "_summary", "_elements"]
                ),
                st.sampled_from(
                    [MARK, ME, f"Patient/{ME}", f"https://example.org/local|{MARK}", "*", "text", "count", "a"]
                ),
            ),
            max_size=3,
        ),
    )
)


@given(names)
def test_g20_g21_no_search_finds_by_what_is_hidden_or_shows_it(
    client: httpx.Client, search: tuple[str, list[tuple[str, str]]]
) -> None:
    kind, params = search
    answer = client.get(f"/fhir/{kind}?{urlencode(params)}")
    assert answer.status_code in {200, 400}
    said = answer.json()
    found = said.get("entry", [])
    assert not any(MARK in str(entry["resource"]) for entry in found if entry["search"]["mode"] != "outcome")
    guessed = [value for name, value in params if MARK in value and name[0] != "_"]
    if answer.status_code == 200 and guessed:
        assert said.get("total", 0) == 0


def test_a_monitor_sees_the_participants_of_one_hospital_alone(database: Database, client: httpx.Client) -> None:
    asked = "/fhir/Observation?_summary=count"
    everyone = client.get(asked).json()["total"]
    seen = {
        site: client.get(asked, headers={"Authorization": bearer(database, "monitor", site=site)}).json()["total"]
        for site in (OURS, THEIRS)
    }
    assert everyone > 0
    assert seen == {OURS: everyone, THEIRS: 0}


def test_what_is_no_participants_any_more_leaves_the_view(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    database = empty_database("sqlite", request, tmp_path_factory)
    result = {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
        "subject": {"reference": f"Patient/{ME}"},
    }
    with database.write() as connection:
        writer = ResourceWriter(connection, INDEX, Rules(), NOW, study=STUDY)
        writer.put(stated(mine(), ME), site=OURS, message_id=1)
        writer.put(stated(result, ME), site=OURS, message_id=1)
        writer.flush()
    written(database)
    assert shown(database) == [("Observation", 1), ("Patient", 1)]
    with database.write() as connection:
        run(connection, "UPDATE resource SET patient_id = 'somebody', version = 2 WHERE id = 'o1'")
        run(connection, "INSERT INTO view_due VALUES ('ATLI-77', 0)")
    written(database)
    assert shown(database) == [("Patient", 1)]
    database.close()


def test_a_resource_that_did_not_change_for_the_view_has_no_new_version(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> None:
    database = empty_database("sqlite", request, tmp_path_factory)
    for name in ("one", "two"):
        with database.write() as connection:
            writer = ResourceWriter(connection, INDEX, Rules(), NOW + timedelta(days=1), study=STUDY)
            said = mine() | {"name": [{"text": name}]}
            moment = f"2026-01-0{len(name)}T00:00:0{'one two'.index(name)}Z"
            made = Mapped(said, moment, fill=False, defaults=(), cleared=(), map="test", patient_id=ME)
            writer.put(made, site=OURS, message_id=1)
            writer.flush()
        written(database)
    with database.read() as connection:
        assert rows(connection, "SELECT version FROM resource WHERE resource_type = 'Patient'") == [(2,)]
        assert rows(connection, "SELECT version, source_version FROM view_resource WHERE patient_id IS NOT NULL") == [
            (1, 2)
        ]
    database.close()


def shown(database: Database) -> list[tuple[str, int]]:
    with database.read() as connection:
        sql = """SELECT resource_type, count(*) FROM view_resource WHERE NOT deleted AND patient_id IS NOT NULL
            GROUP BY resource_type ORDER BY resource_type"""
        return [(kind, count) for kind, count in rows(connection, sql)]
