"""A mapping mistake is mended with the real program: a store made by wrong mappings, a dry run, a replay, readers."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapter.data import data_folder
from adapter.demo.feeds import FEEDS
from adapter.stock import Stock
from adapter.store.database import open_database
from adapter.worker import Worker
from tests.databases import blank
from tests.e2e.stand import SECONDS, Adapter, adapter
from tests.integration.catalogue_stand import ORIGIN
from tests.integration.intake_stand import intake_on
from tests.store_stand import NOON

RULE = "  - {from: PID-8, to: gender, codes: 0001-administrative-sex}\n"


def wrong(folder: Path) -> Stock:
    """The mappings of the project, one rule forgotten."""
    shutil.copytree(data_folder("mappings"), folder)
    file = folder / "segments" / "PID-Patient.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace(RULE, ""), encoding="utf-8")
    return Stock.load(folder)


def filled(url: str, stock: Stock, *, most: int) -> None:
    """The first messages of each hospital of the demo trial, received and converted by these mappings."""
    database = open_database(url)

    async def scene() -> None:
        intake = intake_on(database, stock.catalog, lambda: NOON)
        for feed in FEEDS:
            await asyncio.gather(*[intake.receive(raw, origin=ORIGIN) for raw in feed.messages()[:most]])
        await intake.close()

    asyncio.run(scene())
    worker = Worker(database, name="w", convert=stock.convert, rules=stock.rules, clock=lambda: NOON)
    while worker.run_once():
        pass
    database.close()


def ran(it: Adapter, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "COLUMNS": "300", "ADAPTER_DATABASE_URL": it.url}
    command = [sys.executable, "-m", "adapter", *arguments, "--data", str(it.program.data)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def said(it: Adapter, *arguments: str, code: int = 0) -> dict[str, Any]:
    done = ran(it, *arguments, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def patients(it: Adapter) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in it.get("Patient?_count=200")["entry"]]


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    return blank(request.getfixturevalue("postgres_server")) if request.param == "postgresql" else ""


def test_mapping_mistake_is_mended_beside_the_running_program(tmp_path: Path, database_url: str):
    data = tmp_path / "data"
    data.mkdir()
    filled(database_url or f"sqlite:///{data}/adapter.db", wrong(tmp_path / "mappings"), most=40)
    with adapter(data, database_url=database_url) as it:
        before = patients(it)
        expected = dry_run_told(it)
        assert patients(it) == before
        refused = ran(it, "replay", "--yes")
        assert (refused.returncode, "--reason" in refused.stderr) == (2, True)
        told = said(it, "replay", "--yes", "--reason", "PID-8 was forgotten", "--actor", "analyst")
        count = expected["resources"]["changed"]
        assert (told["state"], told["changed"]) == ("done", {"changed": count, "patients": count})
        mended = assert_mended(before, patients(it))
        assert len(mended) == count > 1
        assert said(it, "replay", "--yes", "--reason", "again")["changed"] == {"patients": 0}
        assert_told_why(it, mended[0], expected["mapping"])
    compared = said(it, "replay", "--into", str(tmp_path / "new"))
    assert compared["same"], compared["differing"]


def dry_run_told(it: Adapter) -> dict[str, Any]:
    expected = said(it, "replay", "--dry-run")
    count = expected["resources"]["changed"]
    assert expected["resources"] == {"new": 0, "changed": count, "removed": 0}
    assert [(one["element"], one["what"]) for one in expected["elements"]] == [("Patient.gender", "added")]
    shown = ran(it, "replay")
    assert f"{count} changed" in shown.stdout, shown.stderr
    assert not {"male", "female"} & set(shown.stdout.split())
    assert {"male", "female"} & set(ran(it, "replay", "--show-values").stdout.split())
    return expected


def assert_mended(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[str]:
    assert not any("gender" in one for one in before)
    mended = sorted(one["id"] for one in after if "gender" in one)
    versions = {one["id"]: int(one["meta"]["versionId"]) for one in before}
    assert sorted(one["id"] for one in after if int(one["meta"]["versionId"]) == versions[one["id"]] + 1) == mended
    return mended


def assert_told_why(it: Adapter, number: str, mapping: str) -> None:
    account = it.get(f"Provenance?target=Patient/{number}")["entry"][0]["resource"]
    assert account["reason"] == [{"text": "PID-8 was forgotten"}]
    assert account["agent"][1]["who"] == {"display": "analyst"}
    (found,) = it.rows("SELECT message_id FROM resource WHERE id = ? AND resource_type = 'Patient'", number)
    one = said(it, "message", str(found["message_id"]))
    assert (one["replay"][0]["actor"], one["mapping"]) == ("analyst", mapping)


def test_replay_that_ctrl_c_stops_goes_on(tmp_path: Path):
    filled(f"sqlite:///{tmp_path}/adapter.db", wrong(tmp_path / "mappings"), most=400)
    with adapter(tmp_path) as it:
        command = [sys.executable, "-m", "adapter", "replay", "--yes", "--reason", "mended", "--data", str(tmp_path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        stop_when_begun(it, process)
        _, errors = process.communicate(timeout=60)
        if process.returncode == 0:
            pytest.skip("this machine was quicker than the signal")
        assert (process.returncode, "--resume" in errors) == (130, True), errors
        told = said(it, "replay", "--resume")
        assert (told["state"], told["done"]) == ("done", told["messages"])
        assert any("gender" in one for one in patients(it))


def stop_when_begun(it: Adapter, process: "subprocess.Popen[str]") -> None:
    due = time.monotonic() + SECONDS
    while not it.rows("SELECT id FROM replay") and time.monotonic() < due:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)


def test_program_with_other_mappings_is_not_asked_to_replay(tmp_path: Path):
    with adapter(tmp_path, operator_token="synthetic-token") as it:
        headers = {"Authorization": "Bearer synthetic-token"}
        body: dict[str, Any] = {"filter": {}, "mapping": "others", "actor": "a", "reason": "r"}
        answer = httpx.post(f"{it.program.base}/operator/replay", json=body, headers=headers, timeout=SECONDS)
    assert answer.status_code == 400
    assert "restart the program" in answer.text
