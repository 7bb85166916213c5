"""ADT messages all the way into the store: bed status without a patient, allergies, and what an update leaves."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from adapter.convert import convert
from adapter.data import data_folder
from adapter.fhir import json
from adapter.fhir.search_params import load
from adapter.store import inbox
from adapter.store.database import Database, open_database, rows
from adapter.store.merge import load_merge_rules
from adapter.trial.study import load_study
from adapter.worker import Rules, Worker
from tests import mappings
from tests.store_stand import NOON, new_message

MAPPINGS = data_folder("mappings")
CATALOG = mappings.catalog()
RULES = Rules(load(data_folder("profiles")), load_merge_rules(MAPPINGS), load_study(MAPPINGS))
HEAD = "MSH|^~\\&|HIS|FAHZU|HUB|CENTRAL|{time}||ADT^{event}|T1|T|2.5.1|||||CHN|UNICODE UTF-8"
PID = "PID|1||TEST0001^^^FAHZU^MR||TEST^ONE||19600203|M"


@pytest.fixture
def database(tmp_path: Path) -> Generator[Database, None, None]:
    opened = open_database(f"sqlite:///{tmp_path}/adt.db")
    yield opened
    opened.close()


def stored_after(database: Database, *messages: str) -> dict[str, list[dict[str, Any]]]:
    """All resources by type, after these messages; every one of them is mapped."""
    with database.write() as connection:
        inbox.insert(connection, [new_message(text) for text in messages])
    worker = Worker(
        database,
        name="w",
        convert=lambda claimed: convert(claimed.raw, catalog=CATALOG),
        rules=RULES,
        clock=lambda: NOON,
    )
    while worker.run_once():
        pass
    with database.read() as connection:
        assert {row[0] for row in rows(connection, "SELECT state FROM message")} == {"mapped"}
        bodies = [json.loads(bytes(row[0])) for row in rows(connection, "SELECT body FROM resource")]
    found: dict[str, list[dict[str, Any]]] = {}
    for body in bodies:
        found.setdefault(body["resourceType"], []).append(body)
    return found


def message(event: str, *segments: str, time: str = "20240315100000+0800") -> str:
    return "\r".join([HEAD.format(event=event, time=time), *segments, ""])


def test_the_status_of_a_bed_is_stored_without_a_patient(database: Database) -> None:
    cleaned = message("A20", "NPU|HEM3^0302^01|H")
    free = message("A20", "NPU|HEM3^0302^01|U", time="20240315110000+0800")
    (bed,) = stored_after(database, cleaned, free)["Location"]
    assert bed["operationalStatus"]["code"] == "U"


def test_an_allergy_that_is_deleted_loses_its_clinical_status(database: Database) -> None:
    told = message("A60", PID, "IAM|1|DA|PCN^Penicillin|SV||A|ALL1")
    deleted = message("A60", PID, "IAM|1|DA|PCN^Penicillin|||D|ALL1", time="20240315110000+0800")
    (allergy,) = stored_after(database, told, deleted)["AllergyIntolerance"]
    assert allergy["verificationStatus"]["coding"][0]["code"] == "entered-in-error"
    assert "clinicalStatus" not in allergy


def test_an_update_replaces_a_religion_and_keeps_what_it_does_not_tell(database: Database) -> None:
    first = message("A31", PID + "|" * 9 + "BUD|||||||||CHN")
    second = message("A31", PID + "|" * 9 + "ATH", time="20240315110000+0800")
    (patient,) = stored_after(database, first, second)["Patient"]
    urls = [one["url"].rpartition("-")[2] for one in patient["extension"]]
    assert sorted(urls) == ["citizenship", "religion"]
    religion = next(one for one in patient["extension"] if one["url"].endswith("religion"))
    assert religion["valueCodeableConcept"]["text"] == "ATH"
