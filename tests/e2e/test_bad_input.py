"""Bad input through the real program: what is answered, what is kept, and who is told to mend it."""

import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapter.wire.mllp import encode
from tests.e2e.bad_messages import HOSPITAL, LIMIT, REFUSED, Refused, fahzu, original
from tests.e2e.stand import Adapter, adapter, command, converted_offline
from tests.integration.intake_stand import OBR, OBX, PID

CONDITIONS = {
    "100": "Segment sequence error",
    "101": "Required field missing",
    "102": "Data type error",
    "103": "Table value not found",
    "200": "Unsupported message type",
    "201": "Unsupported event code",
    "202": "Unsupported processing id",
    "203": "Unsupported version id",
    "207": "Application internal error",
}
HEAD = 64 * 1024


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Generator[Adapter]:
    with adapter(tmp_path_factory.mktemp("bad"), max_message_bytes=str(LIMIT), stall_seconds="1") as it:
        yield it


@dataclass(frozen=True)
class Sent:
    """The bad messages after they were sent, one connection each, and the list that the operator sees then."""

    program: Adapter
    answers: dict[str, list[bytes]]
    listing: dict[int, str]


@pytest.fixture(scope="module")
def sent(program: Adapter) -> Sent:
    answers = {name: program.converse(encode(case.raw)) for name, case in REFUSED.items()}
    return Sent(program, answers, program.listing())


def segments(answer: bytes) -> dict[str, list[str]]:
    return {line.split("|")[0]: line.split("|") for line in answer.decode("gb18030").rstrip("\r").split("\r")}


def kept(case: Refused) -> bytes:
    """What is stored: all of it, or the head of what is too large."""
    return case.raw if len(case.raw) <= LIMIT else case.raw[:HEAD]


@pytest.mark.parametrize("name", REFUSED)
def test_refusal_says_code_message_condition_and_place(sent: Sent, name: str):
    case = REFUSED[name]
    (answer,) = sent.answers[name]
    found = segments(answer)
    assert found["MSA"][1:3] == [case.code, case.control_id]
    assert found["MSA"][3]
    condition = f"{case.condition}^{CONDITIONS[case.condition]}^HL70357"
    if case.older:
        place = [*case.place.split("^"), "", ""][:3]
        assert found["ERR"] == ["ERR", "^".join([*place, condition.replace("^", "&")])]
    else:
        err = found["ERR"]
        assert (err[1], err[2], err[3], err[4]) == ("", case.place, condition, "E")
        assert err[5].startswith(f"{case.cause}^")
        assert case.mender in err[8]


@pytest.mark.parametrize("name", REFUSED)
def test_refused_message_is_kept_byte_for_byte_in_one_state(sent: Sent, name: str):
    case = REFUSED[name]
    row = sent.program.row(kept(case))
    assert row["state"] == case.state
    assert (row["ack_code"], row["cause_code"], row["mender"]) == (case.code, case.cause, case.mender)
    assert row["control_id"] == case.control_id
    assert row["ack"] == sent.answers[name][0]


@pytest.mark.parametrize("name", REFUSED)
def test_list_of_messages_names_the_cause_and_who_mends_it(sent: Sent, name: str):
    case = REFUSED[name]
    row = sent.program.row(kept(case))
    entry = sent.listing[row["id"]]
    assert f"  {case.control_id}  {case.state}  answered {case.code}" in entry
    assert f"{case.cause} " in entry
    assert entry.rstrip().endswith(f"to be mended by: {case.mender}")


def test_a2_junk_before_a_frame_is_kept_and_the_message_accepted(program: Adapter):
    good = fahzu("A2")
    answers = program.converse(b"hello" + encode(good))
    assert [segments(one)["MSA"][1:3] for one in answers] == [["CA", "A2"]]
    assert program.events(b"hello") == ["noise"]
    assert program.converted(good)["state"] == "mapped"


@pytest.mark.parametrize("raw", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/1.1\r\n\r\n"], ids=["A4 TLS", "A6 HTTP"])
def test_bytes_of_another_protocol_are_kept_and_the_connection_closed(program: Adapter, raw: bytes):
    assert program.wait_until_closed(raw) == []
    assert program.events(raw) == ["garbage"]


def test_a9_truncated_frame_is_kept_and_never_a_message(program: Adapter):
    part = fahzu("A9")[:150]
    assert program.converse(b"\x0b" + part) == []
    assert program.events(part) == ["partial"]
    assert program.rows("SELECT id FROM message WHERE control_id = 'A9'") == []
    printed = command("messages", "--data", str(program.program.data))
    assert re.search(r"partial: a frame that never ended\n *to be mended by: sending hospital", printed)


def test_a10_stalled_frame_is_kept_and_the_connection_closed(program: Adapter):
    part = fahzu("A10")[:150]
    assert program.wait_until_closed(b"\x0b" + part) == []
    assert program.events(part) == ["partial"]


def test_a11_frame_abandoned_by_a_second_vt_is_kept_and_the_second_message_accepted(program: Adapter):
    part, good = fahzu("A11")[:150], fahzu("A11b")
    answers = program.converse(b"\x0b" + part + encode(good))
    assert [segments(one)["MSA"][1:3] for one in answers] == [["CA", "A11b"]]
    assert program.events(part) == ["partial"]
    assert program.converted(good)["state"] == "mapped"


def test_a27_connection_lives_on_after_a_message_that_was_too_large(program: Adapter):
    large, good = fahzu("A27", PID, OBR, OBX.replace("0.70", "8" * LIMIT)), fahzu("A27b")
    answers = program.converse(encode(large) + encode(good))
    assert [segments(one)["MSA"][1:3] for one in answers] == [["CE", "A27"], ["CA", "A27b"]]


def test_a36_http_with_another_content_type_is_refused_and_nothing_kept(program: Adapter):
    raw = original("A36")
    answer = program.post(raw, "text/plain")
    assert answer.status_code == 415
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert program.rows("SELECT id FROM message WHERE raw = ?", raw) == []


def test_a37_http_answers_200_with_the_refusal_in_its_body(program: Adapter):
    raw = original("A37", PID.replace("00A90001", ""), OBR)
    answer = program.post(raw)
    assert answer.status_code == 200
    assert segments(answer.content)["MSA"][1:3] == ["AE", "A37"]
    row = program.row(raw)
    assert (row["state"], row["transport"], row["mender"]) == ("rejected", "http", HOSPITAL)


def test_e2_number_that_is_a_text_becomes_a_text_with_a_warning(program: Adapter, tmp_path: Path):
    raw = fahzu("E2", PID.replace("00A90001", "00A90E02"), OBR.replace("0001", "0E02"), OBX.replace("|0.70|", "|阴性|"))
    (answer,) = program.converse(encode(raw))
    assert segments(answer)["MSA"][1] == "CA"
    assert program.converted(raw)["state"] == "mapped"
    (patient,) = program.get("Patient?identifier=00A90E02")["entry"]
    (entry,) = program.get(f"Observation?patient={patient['resource']['id']}")["entry"]
    assert entry["resource"]["valueString"] == "阴性"
    assert "valueQuantity" not in entry["resource"]
    assert re.search(
        r"FAHZU.*ORU_R01.*OBX-5.*sending hospital", command("messages", "--data", str(program.program.data))
    )
    issues = converted_offline(raw, tmp_path)["issues"]
    assert ("warning", "102", "OBX-5") in [(one["severity"], one["code"], one["path"]) for one in issues]


def test_e33_impossible_date_becomes_no_date_with_an_issue(program: Adapter, tmp_path: Path):
    raw = fahzu("E33", PID.replace("00A90001", "00A90E33").replace("19541202", "19540230"), OBR, OBX)
    (answer,) = program.converse(encode(raw))
    assert segments(answer)["MSA"][1] == "CA"
    assert program.converted(raw)["state"] == "mapped"
    (entry,) = program.get("Patient?identifier=00A90E33")["entry"]
    assert "birthDate" not in entry["resource"]
    assert re.search(
        r"FAHZU.*ORU_R01.*PID-7.*sending hospital", command("messages", "--data", str(program.program.data))
    )
    issues = converted_offline(raw, tmp_path)["issues"]
    assert ("warning", "102", "PID-7") in [(one["severity"], one["code"], one["path"]) for one in issues]


def test_every_message_of_this_run_is_in_a_named_state(sent: Sent):
    states = {row["state"] for row in sent.program.rows("SELECT DISTINCT state FROM message")}
    assert states <= {"received", "mapped", "unmapped", "ignored", "held", "rejected"}
    count = sent.program.rows("SELECT count(*) AS number FROM message WHERE ack_code IN ('AE','AR','CE','CR')")[0][
        "number"
    ]
    assert count >= len(REFUSED)
