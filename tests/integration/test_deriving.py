"""Derived facts on the store of the reference cohort: derived once, again where their evidence changes, else never."""

import shutil
from collections import Counter
from collections.abc import Generator
from datetime import timedelta
from typing import Any

import pytest

from adapter.deriving import QUIET, Deriver
from adapter.fhir import json
from adapter.fhir.r4 import validate
from adapter.mapper.engine import Mapped
from adapter.stock import Stock
from adapter.store.database import Database, open_database, rows
from adapter.trial.proposals import IDENTIFIERS
from tests.integration.api_stand import bearer, served
from tests.integration.cohort import needs_cohort
from tests.integration.cohort_world import World
from tests.store_stand import NOON

pytestmark = [needs_cohort, pytest.mark.timeout(900)]

LATER = NOON + 100 * timedelta(days=365)


@pytest.fixture(scope="module")
def stock() -> Stock:
    return Stock.load()


@pytest.fixture(scope="module")
def store(played_cohort: World, stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> Generator[Database]:
    folder = tmp_path_factory.mktemp("derived")
    shutil.copytree(played_cohort.folder, folder / "data")
    database = open_database(f"sqlite:///{folder}/data/adapter.db")
    derive_all(database, stock)
    yield database
    database.close()


def derive_all(database: Database, stock: Stock) -> int:
    deriver = Deriver(database, stock.rules, stock.asking.trial, lambda: LATER)
    times = 0
    while deriver.run_once():
        times += 1
    return times


def derived(database: Database) -> dict[str, dict[str, Any]]:
    with database.read() as connection:
        sql = "SELECT body FROM resource WHERE resource_type = 'Observation' AND message_id = 0"
        found = [json.loads(bytes(body)) for (body,) in rows(connection, sql, [])]
    return {next(one["value"] for one in fact["identifier"] if one["system"] == IDENTIFIERS): fact for fact in found}


def test_every_kind_of_fact_is_derived_as_often_as_it_happened(store: Database) -> None:
    counts = Counter(fact["code"]["coding"][0]["code"] for fact in derived(store).values())
    assert counts["CTCAE-LAB"] == 353  # the laboratory events of ../shared/cohort/adverse_events.csv
    assert (counts["RECOV-ANC"], counts["RECOV-PLT"]) == (77, 77)  # two procedures have no recovery (NOTES.md, I-5)
    assert (counts["CRS-GRADE"], counts["RESPONSE"], counts["GVHD-GRADE"], counts["DEVIATION"]) == (56, 28, 1, 1)
    assert (counts["OS"], counts["PFS"], counts["TTR"], counts["ALIQUOTS-LEFT"]) == (25, 25, 19, 79)
    assert (counts["NRM"], counts["TRM60"], counts["COURSE"]) == (25, 25, 79)


def test_early_and_non_relapse_mortality_are_those_that_the_paper_counts(store: Database) -> None:
    dead = Counter(
        fact["code"]["coding"][0]["code"]
        for fact in derived(store).values()
        for part in fact.get("component", [])
        if part.get("valueCodeableConcept", {}).get("coding", [{}])[0].get("code") == "EVENT"
    )
    assert (dead["TRM60"], dead["NRM"]) == (2, 4)  # Table 4


def test_each_fact_is_a_valid_proposal_with_rule_and_evidence(store: Database) -> None:
    for number, fact in derived(store).items():
        assert validate(fact) == [], number
        assert fact["status"] == "preliminary"
        assert fact["method"]["coding"][0]["version"]
        assert fact.get("derivedFrom") or fact.get("extension"), number


def test_a_fact_leaves_a_provenance_that_names_its_version(store: Database) -> None:
    with store.read() as connection:
        sql = "SELECT body FROM resource WHERE resource_type = 'Provenance' AND message_id = 0"
        accounts = [json.loads(bytes(body)) for (body,) in rows(connection, sql, [])]
    named = {target["reference"].partition("/_history")[0] for one in accounts for target in one["target"]}
    assert {f"Observation/{fact['id']}" for fact in derived(store).values()} <= named


def test_g15_what_is_derived_from_several_hospitals_is_for_those_who_read_all(store: Database) -> None:
    asked = ("/fhir/Observation?code=CTCAE-LAB&_summary=count", "/fhir/Provenance?_summary=count")
    with served(store) as client:
        assert [client.get(one).json()["total"] > 0 for one in asked] == [True, True]
        client.headers["Authorization"] = bearer(store, "site", site="FAHZU")
        assert [client.get(one).json()["total"] for one in asked] == [0, 0]


def test_only_what_rests_on_a_withdrawn_result_is_derived_anew(store: Database, stock: Stock) -> None:
    before = derived(store)
    number = next(one for one in before if one.endswith("IND1/RECOV-PLT"))
    evidence = before[number]["derivedFrom"][0]["reference"].partition("/")[2]
    with store.write() as connection:
        sql = "SELECT body, patient_id FROM resource WHERE id = ?"
        ((body, patient),) = rows(connection, sql, [evidence])
        withdrawn = {**json.loads(bytes(body)), "status": "entered-in-error"}
        withdrawn.pop("meta")
        writer = stock.rules.writer(connection, LATER)
        said = Mapped(withdrawn, LATER.isoformat(), fill=False, defaults=(), cleared=(), map="test", patient_id=patient)
        writer.put(said, site="FAHZU", message_id=1)
        assert writer.flush() == 1
    assert Deriver(store, stock.rules, stock.asking.trial, lambda: LATER + QUIET / 2).run_once() == 0
    assert Deriver(store, stock.rules, stock.asking.trial, lambda: LATER + 2 * QUIET).run_once() == 1
    after = derived(store)
    changed = {one for one in after if after[one]["meta"]["versionId"] != before[one]["meta"]["versionId"]}
    assert number in changed
    assert after[number].get("valueQuantity") != before[number]["valueQuantity"]
    assert {one.split("/")[0] for one in changed} == {number.split("/")[0]}
    assert len(changed) < 10


def test_a_subject_whose_record_cannot_be_read_stops_nobody_and_waits_no_more(store: Database, stock: Stock) -> None:
    before = derived(store)
    later = LATER + timedelta(days=1)
    with store.write() as connection:
        sql = "SELECT body, patient_id FROM resource WHERE resource_type = 'ResearchSubject' ORDER BY key LIMIT 1"
        ((body, patient),) = rows(connection, sql, [])
        sound = json.loads(bytes(body))
        sound.pop("meta")
    for period, failed in (({"start": "2019-13-45"}, True), (sound["period"], False)):
        said = {**sound, "period": period}
        with store.write() as connection:
            later += timedelta(days=1)
            writer = stock.rules.writer(connection, later)
            moment = later.isoformat()
            writer.put(
                Mapped(said, moment, fill=False, defaults=(), cleared=(), map="test", patient_id=patient),
                site="FAHZU",
                message_id=1,
            )
            assert writer.flush() == 1
        deriver = Deriver(store, stock.rules, stock.asking.trial, lambda at=later: at + 2 * QUIET)
        assert (deriver.run_once(), deriver.run_once()) == (1, 0), failed
        assert derived(store) == before


def test_what_did_not_change_is_not_written_again(store: Database, stock: Stock) -> None:
    before = derived(store)
    with store.write() as connection:
        rows(connection, "INSERT INTO derivation_due SELECT DISTINCT number, 0 FROM study_member RETURNING number", [])
    assert derive_all(store, stock) > 25
    assert derived(store) == before
