"""The operator's commands and interface beside the real program; the store is tried on both engines elsewhere."""

import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapter.access.audit import files, verify
from adapter.cli.running import user
from tests.e2e.stand import SECONDS, Adapter, adapter, command
from tests.integration.intake_stand import OBR, OBX, PID, header, message, result

TOKEN = "synthetic-operator-token"


def suspect(number: str) -> bytes:
    """Declared GB 18030, and UTF-8: held before mapping."""
    raw = message(header(msh_10=number, msh_18="GB 18030-2000"), PID, OBR, OBX)
    for before, after in (("试^九〇一", "试试^测试"), ("血常规", "试验")):
        raw = raw.replace(before.encode(), after.encode())
    return raw


def cancelled(number: str) -> bytes:
    """A cancelled admission."""
    return message(header(msh_10=number, msh_9="ADT^A11^ADT_A09"), "EVN||20180101080000+0800", PID, "PV1|1|I|H01")


def ran(*arguments: str, of: Adapter) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "COLUMNS": "300", "ADAPTER_DATABASE_URL": of.url}
    command = [sys.executable, "-m", "adapter", *arguments, "--data", str(of.program.data)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def run(*arguments: str, of: Adapter, code: int = 0) -> str:
    done = ran(*arguments, of=of)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def objects(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


def frame(raw: bytes) -> bytes:
    return b"\x0b" + raw + b"\x1c\r"


def send(it: Adapter, raws: Sequence[bytes]) -> None:
    answers = it.converse(b"".join(map(frame, raws)))
    assert len(answers) == len(raws)


def settled(it: Adapter) -> dict[str, int]:
    """How many messages are in which state, once none can be converted any more."""
    due = time.monotonic() + SECONDS
    sql = """SELECT count(*) AS n FROM message AS m WHERE state = 'received' AND NOT EXISTS
        (SELECT 1 FROM message AS h WHERE h.state = 'held' AND h.lane = m.lane AND h.id < m.id)"""
    while it.rows(sql)[0]["n"] and time.monotonic() < due:
        time.sleep(0.05)
    return {row["state"]: row["n"] for row in it.rows("SELECT state, count(*) AS n FROM message GROUP BY state")}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Generator[Adapter]:
    """A program that has one message of every kind."""
    with adapter(tmp_path_factory.mktemp("operator"), operator_token=TOKEN) as it:
        refused = message(header(msh_10="R1", msh_9="NMD^N02"), PID)
        bad_bytes = message(header(msh_10="R2"), PID, OBR, OBX) + b"NTE|1||\xd5\xc5\xff\r"
        other = PID.replace("00A90001", "00A90002")
        kept = message(header(msh_10="U1", msh_9="ADT^A11^ADT_A09"), "EVN||20180101080000+0800", other, "PV1|1|I|H01")
        send(it, [result(msh_10="M1")] * 2 + [refused, bad_bytes, kept, suspect("H1"), result(msh_10="M2")])
        assert settled(it) == {"mapped": 2, "rejected": 2, "held": 1, "received": 1}
        yield it


def client(it: Adapter, token: str = TOKEN) -> httpx.Client:
    return httpx.Client(base_url=it.program.base, headers={"Authorization": f"Bearer {token}"}, timeout=SECONDS)


def number_of(it: Adapter, control_id: str) -> int:
    return it.rows("SELECT id FROM message WHERE control_id = ?", control_id)[0]["id"]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (("--state", "held"), ["H1"]),
        (("--type", "ADT^A11"), ["U1"]),
        (("--type", "ORU", "--state", "mapped"), ["M1"]),
        (("--control-id", "M2"), ["M2"]),
        (("--cause", "h2f-2005"), ["R1"]),
        (("--site", "FAHZU", "--state", "rejected"), ["R2", "R1"]),
        (("--since", "2100-01-01T00:00"), []),
        (("--until", "2100-01-01T00:00+08:00", "--limit", "2"), ["M2", "H1"]),
    ],
)
def test_h5_filters_of_the_list_find_what_they_say(program: Adapter, filters: tuple[str, ...], expected: list[str]):
    found = objects(run("messages", "--json", *filters, of=program))
    assert [one["control_id"] for one in found] == expected
    names = {name.removeprefix("--").replace("-", "_"): value for name, value in zip(*[iter(filters)] * 2, strict=True)}
    with client(program) as asking:
        assert asking.get("/operator/messages", params=names).json()["messages"] == found


def test_pages_go_on_where_the_page_before_ended(program: Adapter):
    seen: list[int] = []
    with client(program) as asking:
        before: int | None = None
        while True:
            params = {"limit": 2} | ({"before": before} if before else {})
            page = asking.get("/operator/messages", params=params).json()
            seen += [one["id"] for one in page["messages"]]
            before = page["before"]
            if before is None:
                break
    assert seen == sorted(seen, reverse=True)
    assert len(seen) == 6


def test_one_message_tells_its_fields_answer_resends_and_resources(program: Adapter):
    printed = run("message", str(number_of(program, "M1")), "--explain", of=program)
    assert "PID-5.1" in printed
    assert "试" in printed
    assert "Patient name" in printed
    assert "␍" in printed
    assert "MSA|CA|M1" in printed
    assert "resource_type=Observation" in printed
    assert "resent" in printed
    assert "Where each element came from" in printed
    assert "What became of each field" in printed
    (said,) = objects(run("message", str(number_of(program, "M1")), "--json", of=program))
    assert {one["resource_type"] for one in said["resources"]} >= {"Patient", "Observation", "DiagnosticReport"}
    assert len(said["resent"]) == 1
    with client(program) as asking:
        bare = asking.get(f"/operator/messages/{said['id']}").json()
        assert "text" not in bare
        assert bare["control_id"] == "M1"
        assert (
            asking.get(f"/operator/messages/{said['id']}", params={"contents": "true"}).json()["tree"] == said["tree"]
        )
        assert asking.get(f"/operator/messages/{said['id']}/raw").content == result(msh_10="M1")


def reads(it: Adapter) -> list[dict[str, Any]]:
    """What the access audit says of messages that were read, the oldest first."""
    lines = [line for file in files(it.program.data / "audit") for line in objects(file.read_text())]
    return [line for line in lines if line["type"] == "messages" and line["id"]]


def test_a_command_that_shows_a_message_is_in_the_access_audit(tmp_path: Path):
    with adapter(tmp_path / "data") as it:
        send(it, [result(msh_10="M1")])
        assert settled(it) == {"mapped": 1}
        number = number_of(it, "M1")
        run("message", str(number), of=it)
        beside = reads(it)[-1]
        assert (beside["id"], beside["principal"], beside["method"]) == (str(number), "local", "GET")
        it.program.process.kill()
        it.program.process.wait()
    assert (it.program.data / "operator.json").exists()  # as a program that was killed leaves it
    assert "PID-5.1" in run("message", str(number), of=it)
    alone = reads(it)[-1]
    assert (alone["id"], alone["principal"], alone["method"]) == (str(number), "local", "CLI")
    assert alone["request"].startswith(user())
    assert verify(it.program.data / "audit").broken == ()


def test_what_cannot_be_recorded_is_not_shown(tmp_path: Path):
    with adapter(tmp_path / "data") as it:
        send(it, [result(msh_10="M1")])
    with locked(it.program.data / "audit" / "lock"):
        shown = ran("message", "1", of=it)
    assert shown.returncode == 2
    assert "audit" in shown.stderr
    assert "PID" not in shown.stdout + shown.stderr


@contextmanager
def locked(file: Path) -> Generator[None]:
    """As a program that writes there keeps others out."""
    with file.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def test_c1_hex_marks_the_byte_that_is_no_text_and_shows_how_it_would_read(program: Adapter):
    raw = program.rows("SELECT raw FROM message WHERE control_id = 'R2'")[0]["raw"]
    printed = run("message", str(number_of(program, "R2")), "--hex", of=program)
    at = raw.index(b"\xd5")
    assert f"^^ byte {at}" in printed
    assert "cannot be read" in printed
    assert "gb18030" in printed
    marked = printed.splitlines()[next(n for n, line in enumerate(printed.splitlines()) if "^^ byte" in line) - 1]
    assert "d5" in marked


def test_the_interface_answers_nobody_without_its_token(program: Adapter):
    for path in ("messages", "messages/1", "messages/1/raw", "incidents", "figures"):
        for said in (b"", b"Bearer", b"Bearer wrong", "Bearer nöt-ascii".encode()):
            answer = httpx.get(f"{program.program.base}/operator/{path}", headers={b"Authorization": said})
            assert answer.status_code == 401
    with client(program, "wrong") as asking:
        assert asking.post("/operator/release", json={"filter": {"state": "held"}}).status_code == 401


def test_the_token_for_commands_is_readable_by_its_owner_alone_and_gone_afterwards(tmp_path: Path):
    with adapter(tmp_path / "data") as it:
        door = it.program.data / "operator.json"
        assert door.stat().st_mode & 0o777 == 0o600
        with client(it, json.loads(door.read_bytes())["token"]) as asking:
            assert asking.get("/operator/figures").status_code == 200
    assert not door.exists()


def test_a_token_of_the_data_folder_reads_its_hospital_whether_the_program_runs_or_not(tmp_path: Path):
    data = ("--data", str(tmp_path / "data"))
    with adapter(tmp_path / "data") as it:
        told = command("token", "--role", "site", "--site", "FAHZU", *data).strip()
        asked = {"Authorization": f"Bearer {told}"}
        assert httpx.get(f"{it.program.base}/fhir/Patient", headers=asked).status_code == 200
        assert httpx.get(f"{it.program.base}/status", headers=asked).status_code == 403
    said = json.loads(command("token", "--role", "operator", "--minutes", "5", "--json", *data))
    assert (said["expires_in"], said["role"], said["sites"]) == (300, "operator", [])
    with adapter(tmp_path / "data") as it:
        asked = {"Authorization": f"Bearer {said['access_token']}"}
        assert httpx.get(f"{it.program.base}/status", headers=asked).status_code == 200
        assert httpx.get(f"{it.program.base}/fhir/Patient", headers=asked).status_code == 403


@pytest.mark.parametrize(
    "wrong", [("--role", "nobody"), ("--role", "site"), ("--role", "operator", "--scope", "user/*.rs")], ids=" ".join
)
def test_a_token_that_cannot_be_given_says_why(tmp_path: Path, wrong: tuple[str, ...]):
    asked = [sys.executable, "-m", "adapter", "token", *wrong, "--data", str(tmp_path)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "H2F-4001" in done.stderr


def test_the_trial_offices_queries_are_answered_and_a_wrong_filter_is_refused(tmp_path: Path):
    with adapter(tmp_path / "data") as it:
        door = it.program.data / "operator.json"
        with client(it, json.loads(door.read_bytes())["token"]) as asking:
            assert asking.get("/operator/queries?severity=major").json() == {"queries": []}
            assert asking.get("/operator/queries?severity=grave").status_code == 400


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("requeue", {}),
        ("requeue", {"filter": {"colour": "red"}}),
        ("requeue", {"filter": ["held"]}),
        ("release", {"filter": {"state": "held"}, "plan": "7.0000", "actor": "a", "reason": "b"}),
        ("release", {"message": "-1"}),
        ("requeue", [1]),
    ],
)
def test_bad_requests_are_refused_and_change_nothing(program: Adapter, path: str, body: Any):
    before = program.rows("SELECT id, state FROM message")
    with client(program) as asking:
        assert asking.post(f"/operator/{path}", json=body).status_code == 400
        assert asking.post(f"/operator/{path}", content=b"{").status_code == 400
    assert program.rows("SELECT id, state FROM message") == before


def test_metrics_tell_what_happened_and_name_nobody(program: Adapter):
    assert httpx.get(f"{program.program.base}/metrics").status_code == 401
    text = httpx.get(f"{program.program.base}/metrics", headers=program.headers).text
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    stored = 'adapter_messages_total{channel="mllp",site="FAHZU",state="received",type="ORU^R01"}'
    assert float(lines[stored]) == 3
    assert float(lines['adapter_messages_total{channel="mllp",site="FAHZU",state="rejected",type="other"}']) == 1
    assert float(lines['adapter_resends_total{channel="mllp",site="FAHZU"}']) == 1
    assert float(lines['adapter_answer_seconds_count{channel="mllp"}']) == 7
    assert float(lines['adapter_in_flight{channel="mllp"}']) == 0
    assert float(lines['adapter_waiting{site="FAHZU",state="held"}']) == 1
    assert float(lines['adapter_converted_total{state="mapped"}']) == 2
    assert float(lines["adapter_database_up"]) == 1
    assert float(lines["adapter_disk_free_bytes"]) > 0
    for secret in ("00A90001", "试", "19541202", "M1", "127.0.0.1"):
        assert secret not in text


def test_doctor_names_the_stuck_lane_and_who_mends_it(program: Adapter):
    # The server of the tests has fsync off, and the doctor says so.
    durable, code = ("fsync", 1) if program.url else ("journal_mode", 0)
    lines = json.loads(run("doctor", "--json", of=program, code=code))
    by_name = {one["name"]: one for one in lines}
    assert by_name[durable]["level"] == ("fail" if program.url else "fine")
    assert ("integrity" in by_name) == (not program.url)
    stuck = next(one for one in lines if one["name"].startswith("stuck FAHZU|"))
    assert stuck["value"].startswith(f"1 wait behind message {number_of(program, 'H1')}")
    assert [one["name"] for one in lines if one["level"] != "fine" and not one["advice"]] == []


def test_h1_h3_requeue_shows_a_plan_then_does_it_once(tmp_path: Path):
    with adapter(tmp_path / "data") as it:
        send(it, [cancelled(f"U{number}") for number in range(20)])
        assert settled(it) == {"mapped": 20}
        (planned,) = objects(run("requeue", "--state", "mapped", "--json", of=it))
        assert (planned["messages"], planned["patients"], planned["done"]) == (20, 1, 0)
        assert it.rows("SELECT count(*) AS n FROM action")[0]["n"] == 0
        asked = (
            "requeue",
            "--state",
            "mapped",
            "--type",
            "ADT^A11",
            "--yes",
            "--reason",
            "a map was added",
            "--actor",
            "analyst",
            "--json",
        )
        (done,) = objects(run(*asked, of=it))
        assert done["done"] == 20
        assert settled(it) == {"mapped": 20}
        actions = it.rows("SELECT DISTINCT actor, kind, detail FROM action")
        assert actions == [{"actor": "analyst", "kind": "requeue", "detail": "a map was added"}]
        assert it.rows("SELECT count(*) AS n FROM action")[0]["n"] == 20
        assert "a map was added" in run("message", "1", of=it)
        assert "--reason" in run_failing("requeue", "--state", "mapped", "--yes", of=it)


def run_failing(*arguments: str, of: Adapter) -> str:
    done = ran(*arguments, of=of)
    assert done.returncode == 2
    return done.stderr


@pytest.mark.parametrize("running", [True, False], ids=["beside the program", "without a program"])
def test_f24_release_lets_the_lane_go_on_and_a_second_run_finds_nothing(tmp_path: Path, *, running: bool):
    data = tmp_path / "data"
    with adapter(data) as it:
        send(it, [suspect("H1"), result(msh_10="M1"), result(msh_10="M2")])
        assert settled(it) == {"held": 1, "received": 2}
        asked = ("release", "--state", "held", "--yes", "--reason", "agreed with the ward", "--json")
        if running:
            assert objects(run(*asked, of=it))[0]["done"] == 1
            assert objects(run(*asked, of=it))[0]["done"] == 0
            assert settled(it) == {"ignored": 1, "mapped": 2}
    if not running:
        assert objects(run(*asked, of=it))[0]["done"] == 1
        assert objects(run(*asked, of=it))[0]["done"] == 0
        with adapter(data) as it:
            assert settled(it) == {"ignored": 1, "mapped": 2}
    assert "H2F-3003" in run("messages", "--state", "ignored", of=it)


def test_incidents_are_listed_and_the_exit_code_says_whether_one_is_open(tmp_path: Path):
    with adapter(tmp_path / "data") as it:
        assert "no incident" in run("incidents", of=it)
        send(it, [result(msh_10="X1", msh_3="NOBODY", msh_4="NOWHERE")])
        due = time.monotonic() + SECONDS
        while not it.rows("SELECT 1 FROM incident") and time.monotonic() < due:
            time.sleep(0.1)
        (one,) = objects(run("incidents", "--json", of=it, code=1))
        assert (one["kind"], one["ended_at"], one["count"]) == ("unknown_sender", None, 1)
        assert one["mender"]
