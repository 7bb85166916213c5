"""The whole log into an empty store, on both engines; and what one edited row of the mappings changes."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from adapter.data import data_folder
from adapter.operate.replays import Order, selected
from adapter.replay.run import Replayer
from adapter.replay.trial import DryRun
from adapter.replay.whole import Compared, into
from adapter.stock import Stock
from adapter.store.database import Database, open_database, run
from adapter.store.fingerprint import differing, fingerprint
from adapter.worker import Worker
from tests.integration.catalogue_stand import ORIGIN
from tests.integration.cohort import needs_cohort, stream
from tests.integration.intake_stand import OBR, OBX, PID, header, intake_on, message, result
from tests.replay_stand import one
from tests.store_stand import NOON, stored

SEX = "  - {from: PID-8, to: gender, codes: 0001-administrative-sex}\n"
AT_ONCE = 200


def log_of(database: Database, stock: Stock, raws: Sequence[bytes]) -> None:
    """Receive and convert messages."""

    async def scene() -> None:
        intake = intake_on(database, stock.catalog, lambda: NOON)
        for start in range(0, len(raws), AT_ONCE):
            await asyncio.gather(*[intake.receive(raw, origin=ORIGIN) for raw in raws[start : start + AT_ONCE]])
        await intake.close()

    stock.present().define(database, NOON)
    asyncio.run(scene())
    worker = Worker(database, name="w", convert=stock.convert, rules=stock.rules, clock=lambda: NOON)
    while worker.run_once():
        pass


def replayed_into(database: Database, stock: Stock, folder: Path) -> tuple[Compared, Database]:
    target = open_database(f"sqlite:///{folder}/other.db")
    return into(database, target, stock.present(), clock=lambda: NOON, progress=lambda _: None), target


def without_sex(folder: Path) -> Stock:
    """The mappings of the project without one row."""
    shutil.copytree(data_folder("mappings"), folder)
    file = folder / "segments" / "PID-Patient.yaml"
    text = file.read_text(encoding="utf-8")
    assert SEX in text
    file.write_text(text.replace(SEX, ""), encoding="utf-8")
    return Stock.load(folder)


@pytest.fixture(scope="module")
def stock() -> Stock:
    return Stock.load()


def some() -> list[bytes]:
    other = PID.replace("00A90001", "00A90002")
    return [
        result(msh_10="M1"),
        message(header(msh_10="M2"), other, OBR.replace("LIS", "LIT"), OBX),
        message(header(msh_10="U1", msh_9="ZZZ^Z99"), PID),
        message(header(msh_10="R1", msh_9="BAR^P99"), PID),
        result(msh_10="M3"),
    ]


def test_whole_log_gives_the_same_store_and_messages_keep_their_numbers(
    database: Database, stock: Stock, tmp_path: Path
):
    log_of(database, stock, some())
    compared, target = replayed_into(database, stock, tmp_path)
    assert compared.same, compared.differing
    assert one(target, "SELECT count(*) FROM message WHERE state = 'received'") == 0
    for sql in ("SELECT max(id) FROM message WHERE control_id = 'M3'", "SELECT count(*) FROM message"):
        assert one(target, sql) == one(database, sql)
    assert one(target, "SELECT count(*) FROM reply") == 0
    target.close()


def test_store_that_was_tampered_with_is_found_out_and_the_resource_is_named(
    database: Database, stock: Stock, tmp_path: Path
):
    log_of(database, stock, some())
    number = one(database, "SELECT min(id) FROM resource WHERE resource_type = 'Observation'")
    with database.write() as connection:
        body = b'{"resourceType":"Observation","id":"x","status":"cancelled"}'
        run(connection, "UPDATE resource SET body = ? WHERE id = ?", [body, number])
    compared, target = replayed_into(database, stock, tmp_path)
    assert compared.differing == [f"Observation/{number}"]
    assert compared.source != compared.target
    target.close()


def test_one_edited_row_changes_its_resources_and_the_store_is_as_if_it_had_always_been_so(
    database: Database, stock: Stock, tmp_path: Path
):
    log_of(database, stock, some())
    edited = without_sex(tmp_path / "mappings")
    assert edited.catalog.version != stock.catalog.version
    with database.read() as connection:
        assert connection  # a dry run needs no more
    found = DryRun(database, edited.present()).run(selected({}), NOON, progress=lambda *_: None)
    assert found["resources"] == {"new": 0, "changed": 2, "removed": 0}
    assert [(line["element"], line["what"]) for line in found["elements"]] == [("Patient.gender", "removed")]
    edited.present().define(database, NOON)  # as a program does that starts with these mappings
    replayer = Replayer(database, edited.present(), lambda: NOON)
    told = replayer.begin(Order(selected({}), edited.catalog.version, "tester", "no sex"))
    while told["state"] == "open":
        told = replayer.go_on(None, edited.catalog.version)
    assert told["changed"] == {"changed": 2, "patients": 2}
    compared, target = replayed_into(database, edited, tmp_path)
    assert compared.same, compared.differing
    assert "gender" not in stored(
        target, "Patient", one(target, "SELECT min(id) FROM resource WHERE resource_type = 'Patient'")
    )
    target.close()


def test_fingerprint_does_not_depend_on_the_engine(tmp_path: Path, postgres_url: str, stock: Stock):
    found: list[Database] = []
    for url in (f"sqlite:///{tmp_path}/one.db", postgres_url):
        found.append(open_database(url))
        log_of(found[-1], stock, some())
    assert fingerprint(found[0]) == fingerprint(found[1])
    assert differing(*found, limit=9) == []
    for opened in found:
        opened.close()


@needs_cohort
@pytest.mark.timeout(600)
def test_log_of_a_hospital_gives_the_same_store(sqlite_database: Database, stock: Stock, tmp_path: Path):
    log_of(sqlite_database, stock, stream("LSCH"))
    compared, target = replayed_into(sqlite_database, stock, tmp_path)
    assert compared.messages == len(stream("LSCH"))
    assert compared.same, compared.differing
    target.close()
