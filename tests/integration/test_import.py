"""Rows of the historical controls on a real store: imported once, twice, changed, replayed; on both engines."""

import asyncio
import json
from base64 import b64decode
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from adapter.intake import receive_made
from adapter.operate.imports import Given, Importer, Rows
from adapter.request_errors import BadParameter
from adapter.stock import Stock
from adapter.store.database import Database, open_database, rows
from adapter.store.fingerprint import fingerprint
from adapter.worker import Worker
from tests.import_stand import ALIVE, DEAD, csv_of
from tests.integration.intake_stand import SHARED, intake_on
from tests.integration.test_replay_whole import replayed_into
from tests.store_stand import NOON

CONTROLS_CSV = SHARED / "cohort/controls.csv"
ASSESSMENT = "https://fhir.tli-trial.example.org/CodeSystem/tli-assessment"
GONE = {"vital_status": "lost to follow-up", "death_date": "", "os_event": "0"}

needs_controls = pytest.mark.skipif(not CONTROLS_CSV.is_file(), reason="the reference cohort is not here")


@pytest.fixture(scope="module")
def stock() -> Stock:
    return Stock.load()


def taken(database: Database, stock: Stock, content: bytes, *, actor: str = "tester") -> dict[str, Any]:
    """Import a file and convert what it gives."""

    def give(raws: Sequence[bytes], site: str, actor: str) -> list[Given]:
        async def giving() -> list[Given]:
            intake = intake_on(database, stock.catalog, lambda: datetime.now(UTC))
            answers = await receive_made(intake, raws, site=site, actor=actor)
            await intake.close()
            return [Given(answer.state, answer.message_id) for answer in answers]

        return asyncio.run(giving())

    stock.present().define(database, NOON)
    importer = Importer(database, stock.sheets, give, lambda: datetime.now(UTC))
    numbers = range(2, content.count(b"\n") + 1)
    told = importer.take(Rows("controls", content.decode(), list(numbers), actor))
    worker = Worker(database, name="w", convert=stock.convert, rules=stock.rules, clock=lambda: NOON)
    while worker.run_once():
        pass
    return told


def outcomes(told: dict[str, Any]) -> list[str]:
    return [row["outcome"] for row in told["rows"]]


def resources(database: Database, kind: str) -> list[dict[str, Any]]:
    with database.read() as connection:
        found = rows(connection, "SELECT body FROM resource WHERE resource_type = ? AND message_id > 0", [kind])
    return [json.loads(bytes(body)) for (body,) in found]


def versions(database: Database) -> dict[tuple[str, str], int]:
    with database.read() as connection:
        return {
            (kind, name): number
            for kind, name, number in rows(connection, "SELECT resource_type, id, version FROM resource")
        }


def messages(database: Database) -> list[tuple[str, str, str]]:
    with database.read() as connection:
        return [tuple(row) for row in rows(connection, "SELECT event, state, channel FROM message ORDER BY id")]


def answers(database: Database) -> dict[str, dict[str, Any]]:
    """Observations by their code."""
    return {
        coding["code"]: one
        for one in resources(database, "Observation")
        for coding in one["code"]["coding"]
        if coding["system"] == ASSESSMENT
    }


@needs_controls
def test_reference_controls_are_subjects_of_the_historical_arm_with_all_that_their_rows_say(
    sqlite_database: Database, stock: Stock
):
    told = taken(sqlite_database, stock, CONTROLS_CSV.read_bytes())
    assert (outcomes(told), told["faults"]) == (["new"] * 30, [])
    subjects = resources(sqlite_database, "ResearchSubject")
    assert len(subjects) == 30
    assert {(one["actualArm"], one["assignedArm"], one["study"]["reference"]) for one in subjects} == {
        ("HIST-IA", "HIST-IA", "ResearchStudy/tli-trial")
    }
    assert min(one["period"]["start"] for one in subjects) == "2010-08-30"
    assert len(resources(sqlite_database, "Patient")) == 30
    assert {state for _, state, _ in messages(sqlite_database)} == {"mapped"}
    reports = resources(sqlite_database, "DiagnosticReport")
    kept = {b64decode(one["presentedForm"][0]["data"]) for one in reports}
    header, *lines = CONTROLS_CSV.read_bytes().splitlines()
    assert kept == {header + b"\n" + line for line in lines}


def test_row_becomes_patient_subject_and_observations_tied_to_the_study(database: Database, stock: Stock):
    taken(database, stock, csv_of(DEAD))
    (patient,) = resources(database, "Patient")
    assert (patient["birthDate"], patient["gender"]) == ("1948-01-15", "male")
    assert [one["value"] for one in patient["identifier"]] == ["HC-901"]
    found = answers(database)
    values = {
        code: one.get("valueDateTime")
        or one.get("valueString")
        or one.get("valueQuantity", {}).get("value")
        or one.get("valueCodeableConcept", {}).get("coding", [{}])[0].get("code")
        for code, one in found.items()
    }
    assert values == {
        "STRATUM": "POOR",
        "AGE-ENROLMENT": 62,
        "REGIMEN": "IA",
        "RESP-IWG2003": "NR",
        "VITAL-STATUS": "D",
        "DEATH-DATE": "2011-02-12",
        "LAST-CONTACT": "2011-02-12",
        "RECOV-ANC": 16.1,
        "RECOV-PLT": 12.7,
        "DATA-CUTOFF": "2021-08-21",
        "SOURCE-ROW": None,
    }
    assert {one["subject"]["reference"] for one in found.values()} == {f"Patient/{patient['id']}"}
    tied = [{"url": "http://hl7.org/fhir/StructureDefinition/workflow-researchStudy",
             "valueReference": {"reference": "ResearchStudy/tli-trial"}}]  # fmt: skip
    assert [one["extension"] for one in found.values()] == [tied] * len(found)
    assert {channel for _, _, channel in messages(database)} == {"import"}


def test_same_file_again_changes_nothing(database: Database, stock: Stock):
    taken(database, stock, csv_of(DEAD, ALIVE))
    before = (messages(database), versions(database), fingerprint(database))
    assert outcomes(taken(database, stock, csv_of(DEAD, ALIVE))) == ["unchanged", "unchanged"]
    assert outcomes(taken(database, stock, csv_of(ALIVE, DEAD, end="\r\n"))) == ["unchanged", "unchanged"]
    assert (messages(database), versions(database), fingerprint(database)) == before


def test_changed_row_makes_new_versions_of_what_it_changes_and_of_nothing_else(database: Database, stock: Stock):
    taken(database, stock, csv_of(DEAD, ALIVE))
    before = versions(database)
    assert outcomes(taken(database, stock, csv_of({**DEAD, "response": "PR"}, ALIVE))) == ["changed", "unchanged"]
    after = versions(database)
    changed = {name for name in after if after[name] != before.get(name)}
    about = {one["id"]: one for kind in ("Observation", "DiagnosticReport") for one in resources(database, kind)}
    codes = sorted(about[name]["code"]["coding"][0]["code"] for _, name in changed)
    assert codes == ["CRF", "RESP-IWG2003", "SOURCE-ROW"]


def test_correction_of_the_registration_reaches_patient_and_stratum(database: Database, stock: Stock):
    taken(database, stock, csv_of(DEAD))
    changed = {"risk_group": "good", "birth_date": "1948-01-16"}
    assert outcomes(taken(database, stock, csv_of({**DEAD, **changed}))) == ["changed"]
    (patient,) = resources(database, "Patient")
    assert (patient["gender"], patient["birthDate"]) == ("male", "1948-01-16")
    assert answers(database)["STRATUM"]["valueCodeableConcept"]["coding"][0]["code"] == "GOOD"
    assert {state for _, state, _ in messages(database)} == {"mapped"}


def test_row_that_seems_to_be_of_another_person_is_held_like_a_hospitals_message(database: Database, stock: Stock):
    taken(database, stock, csv_of(DEAD))
    taken(database, stock, csv_of({**DEAD, "sex": "F", "birth_date": "1948-08-29"}))
    assert [(event, state) for event, state, _ in messages(database)][2:] == [("C03", "held"), ("C12", "received")]


def test_what_a_row_says_no_more_is_taken_back_and_comes_back_with_it(database: Database, stock: Stock):
    taken(database, stock, csv_of(DEAD))
    taken(database, stock, csv_of({**DEAD, **GONE}))
    assert answers(database)["DEATH-DATE"]["status"] == "entered-in-error"
    assert outcomes(taken(database, stock, csv_of(DEAD))) == ["changed"]
    found = answers(database)
    assert (found["DEATH-DATE"]["status"], found["DEATH-DATE"]["valueDateTime"]) == ("corrected", "2011-02-12")
    assert found["VITAL-STATUS"]["valueCodeableConcept"]["coding"][0]["code"] == "D"
    assert outcomes(taken(database, stock, csv_of(DEAD))) == ["unchanged"]


def test_row_that_is_refused_keeps_no_other_back(database: Database, stock: Stock):
    told = taken(database, stock, csv_of({**DEAD, "death_date": "2009-01-01"}, ALIVE))
    assert outcomes(told) == ["new"]
    assert {(fault["row"], fault["key"]) for fault in told["faults"]} == {(2, "HC-901")}
    assert [one["identifier"][0]["value"] for one in resources(database, "ResearchSubject")] == ["HC-902"]


def test_replay_of_the_whole_log_gives_the_same_store(database: Database, stock: Stock, tmp_path: Path):
    for content in (csv_of(DEAD, ALIVE), csv_of({**DEAD, **GONE}, ALIVE), csv_of(DEAD, {**ALIVE, "sex": "M"})):
        taken(database, stock, content)
    compared, target = replayed_into(database, stock, tmp_path)
    assert compared.same, compared.differing
    target.close()


def test_half_of_an_import_is_completed_by_the_next(database: Database, stock: Stock, tmp_path: Path):
    """The process died between the two messages of a row."""
    other = open_database(f"sqlite:///{tmp_path}/whole.db")
    taken(other, stock, csv_of(DEAD))
    taken(database, stock, csv_of(DEAD))
    with database.write() as connection:
        connection.exec_driver_sql("DELETE FROM message WHERE event = 'C10'")
    assert outcomes(taken(database, stock, csv_of(DEAD))) == ["new"]
    assert [event for event, _, _ in messages(database)] == ["C01", "C10"]
    assert fingerprint(database) == fingerprint(other)
    other.close()


def test_kind_and_actor_must_be_known(sqlite_database: Database, stock: Stock):
    importer = Importer(sqlite_database, stock.sheets, lambda *_: [], lambda: NOON)
    with pytest.raises(BadParameter, match="there is no mappings/imports/ file 'others'; there are controls"):
        importer.take(Rows("others", csv_of(DEAD).decode(), [2], "tester"))
    with pytest.raises(BadParameter, match="actor"):
        importer.take(Rows("controls", csv_of(DEAD).decode(), [2], " "))
    with pytest.raises(BadParameter, match="numbers"):
        importer.take(Rows("controls", csv_of(DEAD).decode(), [2, 3], "tester"))
