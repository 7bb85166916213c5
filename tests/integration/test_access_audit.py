"""The record of reads: on disk before the answer leaves, chained, and without it nothing is read (F32)."""

import json
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapter.access.audit import Access, Trail, files, verify
from adapter.api.routes import Auditing
from adapter.errors import ConfigurationError
from adapter.request_errors import AuditUnavailable
from adapter.store.database import Database, open_database
from adapter.store.incidents import Incidents, listing
from tests import databases
from tests.integration.api_stand import NOW, Entrance, observation, patient, put, served
from tests.integration.test_api_hl7 import MESSAGE
from tests.integration.test_api_hl7 import Entrance as Taking

ACCESS = Access(NOW, "bearer", "192.0.2.7", "GET", "read", "Patient", "p1", 200, 1, "r-1")


@pytest.fixture
def database(tmp_path: Path) -> Generator[Database]:
    opened = open_database(databases.sqlite(tmp_path))
    put(opened, [patient(), observation("o1"), observation("o2")])
    yield opened
    opened.close()


@contextmanager
def trail(folder: Path, database: Database) -> Generator[tuple[Trail, Incidents]]:
    incidents = Incidents(database, lambda: NOW)
    opened = Trail(folder, incidents)
    try:
        yield opened, incidents
    finally:
        opened.close()


@contextmanager
def api(
    folder: Path, database: Database, *, entrance: Entrance | None = None
) -> Generator[tuple[httpx.Client, Incidents]]:
    with trail(folder, database) as (opened, incidents):
        auditing = Auditing(opened, incidents, lambda: NOW)
        with served(database, auditing=auditing, entrance=entrance) as client:
            yield client, incidents


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in files(folder) for line in file.read_bytes().splitlines()]


def test_f32_every_read_is_recorded_with_who_what_and_how_many(tmp_path: Path, database: Database):
    folder = tmp_path / "audit"
    with api(folder, database) as (client, _):
        client.get("/fhir/Patient/p1", headers={"X-Request-Id": "ask-1"})
        client.get("/fhir/Observation?patient=p1&code=WBC")
        client.post("/fhir/Observation/_search", data={"patient": "p1"})
        client.get("/fhir/Observation/o1/_history/1")
        client.get("/fhir/Observation/o1/_history")
        client.get("/fhir/Patient/00A90001")
        client.get("/fhir/Patient/p1/_history/9/more")
    found = [(one["interaction"], one["type"], one["id"], one["status"], one["resources"]) for one in lines(folder)]
    assert found == [
        ("read", "Patient", "p1", 200, 1),
        ("search-type", "Observation", "", 200, 2),
        ("search-type", "Observation", "", 200, 2),
        ("vread", "Observation", "o1", 200, 1),
        ("history-instance", "Observation", "o1", 200, 1),
        ("read", "Patient", "", 404, 0),
        ("unknown", "Patient", "", 404, 0),
    ]
    first = lines(folder)[0]
    assert (first["principal"], first["client"], first["method"]) == ("local-data-manager", "127.0.0.1", "GET")
    assert (first["request"], first["at"]) == ("ask-1", "2026-11-01T12:00:00+00:00")
    assert len({one["request"] for one in lines(folder)}) == 7


def test_no_value_of_a_query_and_nothing_that_was_not_found_is_recorded(tmp_path: Path, database: Database):
    folder = tmp_path / "audit"
    with api(folder, database) as (client, _):
        client.get("/fhir/Patient?identifier=https://example.org/mrn|00X-p1&name=SHI")
        client.get("/fhir/Secret7/Secret8", headers={"X-Request-Id": "Secret9 said so"})
        client.get("/fhir/Patient/Secret7")
    written = b"".join(file.read_bytes() for file in files(folder))
    assert b"00X" not in written
    assert b"SHI" not in written
    assert b"Secret" not in written


def test_metadata_and_refused_logins_are_not_recorded(tmp_path: Path, database: Database):
    folder = tmp_path / "audit"
    with api(folder, database) as (client, incidents):
        del client.headers["Authorization"]
        assert client.get("/fhir/metadata").status_code == 200
        assert client.get("/fhir/Patient/p1").status_code == 401
        incidents.flush()
    assert lines(folder) == []
    with database.read() as connection:
        assert [(one.kind, one.count) for one in listing(connection, open_only=True, limit=9)] == [("login_refused", 1)]


def test_answer_bears_the_name_of_its_request(tmp_path: Path, database: Database):
    with api(tmp_path / "audit", database) as (client, _):
        assert client.get("/fhir/Patient/p1", headers={"X-Request-Id": "ask-1"}).headers["x-request-id"] == "ask-1"
        named = client.get("/fhir/Patient/p1").headers["x-request-id"]
    assert lines(tmp_path / "audit")[1]["request"] == named


def test_f32_without_the_audit_nothing_is_read_and_messages_are_still_taken(tmp_path: Path, database: Database):
    folder = tmp_path / "audit"
    folder.write_text("no folder")
    with api(folder, database, entrance=Taking()) as (client, incidents):
        for path in ("Patient/p1", "Patient", "Patient/p1/_history", "Patient/nobody"):
            answer = client.get(f"/fhir/{path}")
            assert (answer.status_code, answer.json()["resourceType"]) == (503, "OperationOutcome")
            assert "retry-after" in answer.headers
            assert b"SHI" not in answer.content
        assert client.get("/fhir/metadata").status_code == 200
        taken = client.post("/hl7", content=MESSAGE, headers={"Content-Type": "application/hl7-v2"})
        assert taken.status_code == 200
        incidents.flush()
        with database.read() as connection:
            (incident,) = listing(connection, open_only=True, limit=9)
        assert (incident.kind, incident.count) == ("audit_unavailable", 4)
        folder.unlink()
        assert client.get("/fhir/Patient/p1").status_code == 200
        incidents.flush()
        with database.read() as connection:
            assert listing(connection, open_only=True, limit=9) == []


def test_f32_full_disk_refuses_reads_until_there_is_room(tmp_path: Path, database: Database):
    """A limit on the size of files stands for the disk: the write fails in the middle of a line."""
    folder = tmp_path / "audit"
    script = """
import resource, signal, sys
from pathlib import Path
from adapter.access.audit import Trail
from adapter.request_errors import AuditUnavailable
from adapter.store.database import open_database
from adapter.store.incidents import Incidents
from tests.integration.test_access_audit import ACCESS, NOW
folder = Path(sys.argv[1])
trail = Trail(folder, Incidents(open_database(f"sqlite:///{folder}/x.db"), lambda: NOW))
trail.put(ACCESS).result(20)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
size = (folder / "2026-11-01.jsonl").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, resource.RLIM_INFINITY))
try:
    trail.put(ACCESS).result(20)
except AuditUnavailable:
    print("refused")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
trail.put(ACCESS).result(20)
trail.close()
"""
    done = subprocess.run([sys.executable, "-c", script, str(folder)], capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"
    verdict = verify(folder)
    assert (verdict.lines, verdict.torn, verdict.broken) == (3, 1, ())


def test_lines_of_many_threads_are_one_chain(tmp_path: Path, database: Database):
    folder = tmp_path / "audit"
    with trail(folder, database) as (opened, _):

        def read() -> None:
            for _ in range(50):
                opened.put(ACCESS).result(20)

        threads = [threading.Thread(target=read) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    verdict = verify(folder)
    assert (verdict.files, verdict.lines, verdict.torn, verdict.broken) == (1, 400, 0, ())


def chained(folder: Path, database: Database, days: int = 3) -> None:
    """Two lines on each of some days, each day by a process of its own."""
    for day in range(days):
        with trail(folder, database) as (opened, _):
            at = datetime(2026, 11, 1 + day, 23, 59, tzinfo=UTC)
            for number in range(2):
                opened.put(Access(at, "bearer", "", "GET", "read", "Patient", "p1", 200, 1, f"{day}-{number}")).result(
                    20
                )


def test_chain_goes_over_the_ends_of_days_and_programs(tmp_path: Path, database: Database):
    chained(tmp_path / "audit", database)
    verdict = verify(tmp_path / "audit")
    assert (verdict.files, verdict.lines, verdict.broken) == (3, 6, ())


def test_clock_that_is_put_back_does_not_break_the_chain(tmp_path: Path, database: Database):
    folder = tmp_path / "audit"
    with trail(folder, database) as (opened, _):
        for days in (2, 0, 3, 1):
            opened.put(Access(NOW + timedelta(days), "", "", "GET", "read", "", "", 200, 1, "")).result(20)
    assert (len(files(folder)), verify(folder).broken) == (2, ())


@pytest.mark.parametrize("how", ["changed", "removed", "a day removed", "put between", "swapped"])
def test_tampering_is_found(tmp_path: Path, database: Database, how: str):
    folder = tmp_path / "audit"
    chained(folder, database)
    day = files(folder)[1]
    first, second = day.read_bytes().splitlines(keepends=True)
    day.write_bytes(
        {
            "changed": first.replace(b'"p1"', b'"p2"') + second,
            "removed": second,
            "a day removed": b"",
            "put between": first + first + second,
            "swapped": second + first,
        }[how]
    )
    assert verify(folder).broken


def test_days_that_were_put_away_are_not_missed(tmp_path: Path, database: Database):
    chained(tmp_path / "audit", database)
    files(tmp_path / "audit")[0].unlink()
    assert verify(tmp_path / "audit").broken == ()


@pytest.mark.parametrize("left", [b'{"at":"2026', b"\x00" * 300, b"\n"], ids=["half a line", "zeros", "empty line"])
def test_what_a_power_cut_left_of_a_line_stays_and_the_chain_goes_on(tmp_path: Path, database: Database, left: bytes):
    folder = tmp_path / "audit"
    chained(folder, database, days=1)
    (day,) = files(folder)
    with day.open("ab") as file:
        file.write(left)
    chained(folder, database, days=2)
    whole = verify(folder)
    assert (whole.lines, whole.torn, whole.broken) == (7, 1, ())
    if left != b"\n":
        day.write_bytes(day.read_bytes().replace(left, b"!"))
        assert verify(folder).broken


def test_folder_is_for_us_alone_and_for_one_process(tmp_path: Path, database: Database):
    folder = tmp_path / "audit"
    with trail(folder, database) as (opened, incidents):
        opened.put(ACCESS).result(20)
        assert [oct(path.stat().st_mode)[-3:] for path in (folder, *files(folder))] == ["700", "600"]
        with pytest.raises(ConfigurationError):
            Trail(folder, incidents)


def test_refused_line_says_what_to_do(tmp_path: Path, database: Database):
    (tmp_path / "audit").write_text("no folder")
    with trail(tmp_path / "audit", database) as (opened, _), pytest.raises(AuditUnavailable, match="not answered"):
        opened.put(ACCESS).result(20)
