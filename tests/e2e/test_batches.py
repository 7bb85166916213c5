"""Batches and files with the real program: over HTTP, through `adapter send`, through a watched folder (B39 to B42)."""

import gzip
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.e2e.stand import Adapter, adapter
from tests.integration.batch_stand import batch, lines, numbered
from tests.integration.intake_stand import result

SECONDS = 40.0


def until(true: Callable[[], object]) -> None:
    """Wait until it is so."""
    due = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < due, "it did not become so in time"
        time.sleep(0.05)


def send(it: Adapter, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`adapter send` to the program over MLLP."""
    host, port = it.program.mllp
    command = (sys.executable, "-m", "adapter", "send", *arguments, "--mllp", f"{host}:{port}")
    return subprocess.run(command, capture_output=True, text=True, check=False)


def watched(folder: Path) -> dict[str, str]:
    """Settings with a folder `inbox` for FAHZU."""
    file = folder / "listeners.yaml"
    file.write_text("folders:\n  - name: inbox\n    path: inbox\n    sites: [FAHZU]\n")
    return {"listeners": str(file)}


def put(folder: Path, name: str, content: bytes) -> None:
    """Write a file beside and rename it in, as a careful sender does."""
    folder.mkdir(parents=True, exist_ok=True)
    beside = folder / f".{name}"
    beside.write_bytes(content)
    beside.rename(folder / name)


def only(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def states(it: Adapter) -> list[str]:
    return [row["state"] for row in it.rows("SELECT state FROM message ORDER BY id")]


def test_b39_b40_over_http_and_with_the_command(tmp_path: Path):
    with adapter(tmp_path / "data", worker_processes="0") as it:
        answer = it.post(batch(*numbered(3)))
        assert answer.status_code == 200
        assert lines(answer.content, "MSA", "BTS") == [*[f"MSA|CA|M{number}" for number in range(3)], "BTS|3"]

        whole, answers = tmp_path / "whole.hl7", tmp_path / "answers.hl7"
        whole.write_bytes(batch(*numbered(4, first=3), control_id="B2") + b"\r\n" + batch(said=7, control_id="B3"))
        done = send(it, str(whole), "--batch", "--answers", str(answers))
        assert done.returncode == 1
        assert "CA" in done.stdout
        assert "7 messages were announced, 0 found" in done.stderr
        assert [line.split("|")[1] for line in lines(answers.read_bytes(), "MSA")] == ["CA"] * 4 + ["AE"]
        assert states(it) == ["batch", *["received"] * 3, "batch", *["received"] * 4, "held"]

        done = send(it, str(whole), "--answers", str(answers))
        assert done.returncode == 0
        frames = answers.read_bytes().split(b"\x1c\r")[:-1]
        assert [lines(frame, "MSA") for frame in frames] == [[f"MSA|CA|M{number}"] for number in range(3, 7)]
        assert len(states(it)) == 10


def test_b39_a_batch_above_a_megabyte_over_mllp(tmp_path: Path):
    long = [raw.replace(b"0.70", b"7" * 60_000) for raw in numbered(30)]
    with adapter(tmp_path / "data", worker_processes="0") as it:
        after = result(msh_10="AFTER")
        whole, alone = it.converse(b"\x0b" + batch(*long) + b"\x1c\r\x0b" + after + b"\x1c\r")
        assert [line.split("|")[1] for line in lines(whole, "MSA", "BTS")] == [*["CA"] * 30, "30"]
        assert lines(alone, "MSA") == ["MSA|CA|AFTER"]
        rows = it.rows("SELECT raw FROM message ORDER BY id")
        assert [row["raw"] for row in rows] == [batch(*long), *long, after]


def test_b40_a_held_batch_is_released_through_the_running_program(tmp_path: Path):
    with adapter(tmp_path / "data", worker_processes="0") as it:
        it.post(batch(*numbered(2), said=3))
        release = (sys.executable, "-m", "adapter", "release", "1", "--data", str(it.program.data), "--reason", "asked")
        for _ in range(2):
            subprocess.run((*release, "--yes"), capture_output=True, text=True, check=False)
        assert states(it) == ["batch", "received", "received"]
        assert [row["kind"] for row in it.rows("SELECT kind FROM action WHERE message_id = 1")] == ["release"]


def test_a_message_without_an_answer_is_sent_again_until_the_receiver_is_there(tmp_path: Path):
    data, messages = tmp_path / "data", tmp_path / "messages.hl7"
    messages.write_bytes(b"".join(numbered(5)))
    with adapter(data, worker_processes="0") as it:
        address = f"{it.program.mllp[0]}:{it.program.mllp[1]}"
    command = (sys.executable, "-m", "adapter", "send", str(messages), "--mllp", address, "--retries")
    refused = subprocess.run((*command, "1"), capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "cannot be reached" in refused.stderr
    sending = subprocess.Popen((*command, "9"), stdout=subprocess.PIPE, text=True)
    serve = (sys.executable, "-m", "adapter", "serve", "--data", str(data), "--mllp", address, "--http", "127.0.0.1:0")
    serving = subprocess.Popen(serve, stderr=subprocess.DEVNULL)
    try:
        printed, _ = sending.communicate(timeout=90)
    finally:
        serving.terminate()
        serving.wait(30)
    assert sending.returncode == 0
    assert "5" in printed


def test_b39_b40_b42_files_put_into_a_watched_folder(tmp_path: Path):
    inbox = tmp_path / "inbox"
    dump = b"".join(b"\x0b" + raw + b"\x1c\r" for raw in numbered(2, first=20))
    put(inbox, "plain.hl7", result(msh_10="A") + b"\n" + result(msh_10="B", msh_11="T"))
    put(inbox, "batch.hl7", batch(*numbered(2)))
    put(inbox, "dump.mllp", dump)
    put(inbox, "packed.hl7.gz", gzip.compress(batch(*numbered(1, first=10), said=2, control_id="SHORT")))
    put(inbox, "letter.txt", b"Dear colleagues")
    put(inbox, "later.hl7.part", result(msh_10="LATER"))
    with adapter(tmp_path / "data", worker_processes="0", **watched(tmp_path)) as it:
        until(lambda: len(list((inbox / "done").glob("*Z"))) == 4 and any((inbox / "refused").iterdir()))
        assert sorted(file.name for file in inbox.iterdir()) == ["done", "later.hl7.part", "refused"]
        done = inbox / "done"
        assert only(done, "batch.hl7.*Z").read_bytes() == batch(*numbered(2))
        assert lines(only(done, "batch.hl7.*.ack").read_bytes(), "MSA", "BTS") == ["MSA|CA|M0", "MSA|CA|M1", "BTS|2"]
        plain = lines(only(done, "plain.hl7.*.ack").read_bytes(), "BHS", "MSA", "BTS")
        assert [line.split("|")[1] for line in plain[1:]] == ["CA", "CR", "2"]
        assert len(lines(only(done, "dump.mllp.*.ack").read_bytes(), "MSA")) == 2
        assert "SHORT" in lines(only(done, "packed.hl7.gz.*.ack").read_bytes(), "MSA")[0]
        assert only(inbox / "refused", "*").read_bytes() == b"Dear colleagues"
        rows = it.rows("SELECT control_id, state, channel, transport, peer FROM message ORDER BY peer, id")
        assert {(row["channel"], row["transport"]) for row in rows} == {("inbox", "file")}
        assert [row["control_id"] for row in rows if row["peer"] == "batch.hl7"] == ["BATCH1", "M0", "M1"]
        assert {row["state"] for row in rows if row["peer"] == "packed.hl7.gz"} == {"held"}
        until(lambda: it.rows("SELECT * FROM incident WHERE kind = 'file_refused'"))


def test_b39_a_file_put_there_again_is_answered_as_before_and_stored_once(tmp_path: Path):
    inbox, done = tmp_path / "inbox", tmp_path / "inbox/done"
    with adapter(tmp_path / "data", worker_processes="0", **watched(tmp_path)) as it:
        for times in (1, 2):
            put(inbox, "batch.hl7", batch(*numbered(2)))
            until(lambda wanted=times: len(list(done.glob("batch.hl7.*Z"))) == wanted)
        first, second = sorted(done.glob("batch.hl7.*.ack"))
        assert first.read_bytes() == second.read_bytes()
        assert states(it) == ["batch", "received", "received"]


def test_b39_a_file_is_stored_once_when_the_program_is_killed_in_the_middle_of_it(tmp_path: Path):
    inbox, data, settings = tmp_path / "inbox", tmp_path / "data", watched(tmp_path)
    raws = numbered(400)
    put(inbox, "many.hl7", b"".join(raws))
    with adapter(data, worker_processes="0", failpoint="after_commit:20", **settings) as it:
        it.program.process.wait(SECONDS)
        assert it.program.process.returncode == -signal.SIGKILL
        stored = len(states(it))
        assert 0 < stored < 400
        assert (inbox / "many.hl7").exists()
    with adapter(data, worker_processes="0", **settings) as it:
        until(lambda: list((inbox / "done").glob("many.hl7.*Z")))
        assert [row["raw"] for row in it.rows("SELECT raw FROM message ORDER BY id")] == raws
        told = lines(only(inbox / "done", "many.hl7.*.ack").read_bytes(), "MSA", "BTS")
        assert told == [*[f"MSA|CA|M{number}" for number in range(400)], "BTS|400"]


def test_b39_a_file_whose_answers_are_written_and_which_was_not_moved_is_read_again(tmp_path: Path):
    inbox, data, settings = tmp_path / "inbox", tmp_path / "data", watched(tmp_path)
    put(inbox, "batch.hl7", batch(*numbered(2)))
    with adapter(data, worker_processes="0", **settings) as it:
        until(lambda: list((inbox / "done").glob("batch.hl7.*Z")))
        it.program.process.kill()
        it.program.process.wait(SECONDS)
    # As it is after a kill between the two renames.
    only(inbox / "done", "batch.hl7.*Z").rename(inbox / "batch.hl7")
    with adapter(data, worker_processes="0", **settings) as it:
        until(lambda: list((inbox / "done").glob("batch.hl7.*Z")))
        assert states(it) == ["batch", "received", "received"]
        assert len({file.read_bytes() for file in (inbox / "done").glob("batch.hl7.*.ack")}) == 1
