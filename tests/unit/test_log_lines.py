"""A log line holds an event and ids; the contents of a message cannot get into it."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from adapter import log


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("adapter")
    before = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:], root.level, ours.level = before


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_an_event_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure()
    log.event("message_stored", message_id=7, site="FAHZU", duplicate=False, peer=None)
    [line] = lines(capsys)
    assert line.pop("at").endswith("+00:00")
    assert line == {
        "level": "INFO", "event": "message_stored", "message_id": 7, "site": "FAHZU", "duplicate": False, "peer": None,
    }  # fmt: skip


@pytest.mark.parametrize("contents", [b"PID|1||4711", {"PID-5": "TEST"}, ["TEST"]])
def test_what_could_carry_a_message_is_refused(contents: Any) -> None:
    log.configure()
    with pytest.raises(TypeError, match="only scalars"):
        log.event("message_stored", raw=contents)


def test_a_long_text_is_told_by_its_length_only(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure()
    log.event("message_stored", cause="PID|" + "9" * 300)
    assert lines(capsys)[0]["cause"] == "<304 characters>"


def test_a_failure_is_told_by_its_type_and_place_without_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure()
    try:
        int("TESTPATIENT^ONE")
    except ValueError as failure:
        log.event("message_not_converted", level=logging.ERROR, failure=failure, message_id=7)
    [line] = lines(capsys)
    assert (line["exception"], line["message_id"]) == ("ValueError", 7)
    assert "test_log_lines.py:" in line["raised_at"]
    assert "TESTPATIENT" not in json.dumps(line)


def test_a_librarys_warning_is_told_without_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure()
    logging.getLogger("asyncio").error("Task exception was never retrieved: %s", "TESTPATIENT^ONE")
    logging.getLogger("asyncio").info("not told at all")
    [line] = lines(capsys)
    assert (line["event"], line["logger"]) == ("library_warning", "asyncio")
    assert "TESTPATIENT" not in json.dumps(line)


def test_a_configured_level_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("WARNING")
    log.event("message_stored", message_id=7)
    log.event("disk_full", level=logging.ERROR)
    assert [line["event"] for line in lines(capsys)] == ["disk_full"]
