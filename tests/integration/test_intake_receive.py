"""What each message is answered, and what is on disk then: catalogue groups A, B, C, D as far as intake decides."""

import asyncio
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from adapter.errors import StorageUnavailable
from adapter.intake import Answer
from adapter.store.database import Database
from tests.integration.intake_stand import (
    JINHUA,
    JINHUA_PID,
    OBR,
    OBX,
    PID,
    header,
    message,
    receive,
    result,
    run,
    segments,
    stand,
)


@contextmanager
def failing(transaction: AbstractContextManager[Any]) -> Generator[Any]:
    """The transaction, with a disk that fails at its commit."""
    with transaction as connection:
        yield connection
        raise StorageUnavailable("the disk failed")


ORIGINAL = {"msh_15": "", "msh_16": ""}


def receive_one(where: Path | str, raw: bytes) -> tuple[Answer, dict[str, Any]]:
    answers, messages = receive(where, [raw])
    (row,) = messages
    return answers[0], row


def test_message_is_on_disk_byte_for_byte_when_it_is_acknowledged(database_url: str):
    answer, row = receive_one(database_url, result())
    assert segments(answer.ack)["MSA"] == ["MSA", "CA", "LIS18010100001"]
    assert bytes(row["raw"]) == result()
    assert bytes(row["ack"]) == answer.ack
    known = ("site", "state", "message_type", "event", "structure", "version", "encoding", "ack_code", "cause_code")
    assert [row[name] for name in known] == [
        "FAHZU", "received", "ORU", "R01", "ORU_R01", "2.5.1", "utf-8", "CA", ""
    ]  # fmt: skip
    assert (answer.state, answer.message_id, answer.close) == ("received", row["id"], False)


def test_lane_tells_patients_apart_and_names_none(tmp_path: Path):
    other = message(header(msh_10="2"), PID.replace("00A90001", "00A90002"), OBR, OBX)
    _, messages = receive(tmp_path, [result(), other, result(msh_10="3")])
    lanes = [row["lane"] for row in messages]
    assert lanes[0] == lanes[2] != lanes[1]
    assert all(lane.startswith("FAHZU|") and "00A9" not in lane for lane in lanes)


def test_lane_of_a_site_with_numbers_in_another_field(tmp_path: Path):
    """Jinhua: PID-2 is the permanent number, PID-3 changes with every stay."""
    stay = message(JINHUA, JINHUA_PID, OBR, OBX, encoding="gb18030", end="\n")
    later = message(
        JINHUA.replace("LIS000001", "LIS000002"), JINHUA_PID.replace("ZY00900001", "0009000001"), OBR, OBX,
        encoding="gb18030",
    )  # fmt: skip
    answers, messages = receive(tmp_path, [stay, later])
    assert [segments(one.ack, "gb18030")["MSA"][1] for one in answers] == ["AA", "AA"]
    assert messages[0]["lane"] == messages[1]["lane"]


REFUSED = {
    "B1 no MSH": (message(PID, OBR), "AR", "100", "MSH^1"),
    "B2 no MSH-2": (b"MSH|\r", "AR", "101", "MSH^1^2"),
    "B5 delimiter twice": (b"MSH|^^\\&|LIS|FAHZU\r", "AR", "102", "MSH^1^2"),
    "B6 no MSH-9": (result(msh_9="", **ORIGINAL), "AR", "101", "MSH^1^9"),
    "B7 type": (result(msh_9="NMD^N02", **ORIGINAL), "AR", "200", "MSH^1^9^1^1"),
    "B8 event": (result(msh_9="ADT^A99", **ORIGINAL), "AR", "201", "MSH^1^9^1^2"),
    "B11 no MSH-10": (result(msh_10="", **ORIGINAL), "AR", "101", "MSH^1^10"),
    "B20 test message": (result(msh_11="T", **ORIGINAL), "AR", "202", "MSH^1^11"),
    "B22 no version": (result(msh_12="", **ORIGINAL), "AR", "101", "MSH^1^12"),
    "B23 version": (result(msh_12="2.99", **ORIGINAL), "AR", "203", "MSH^1^12"),
    "B33 query": (result(msh_9="QBP^Q22", **ORIGINAL), "AR", "200", "MSH^1^9^1^1"),
    "B47 XML": (b"<ORU_R01 xmlns='urn:hl7-org:v2xml'/>", "AR", "207", "MSH^1"),
    "B50 no OBR": (message(header(**ORIGINAL), PID), "AE", "100", "OBR^1"),
    "C1 not UTF-8": (result(**ORIGINAL).replace("试".encode(), "试".encode("gbk")), "AE", "102", "PID^1^5"),
    "C6 unknown characters": (result(msh_18="FOO", **ORIGINAL), "AR", "103", "MSH^1^18"),
    "C13 NUL": (result(**ORIGINAL).replace(b"0.70", b"0\x0070"), "AE", "102", "OBX^1^5"),
    "A12 VT in text": (result(**ORIGINAL).replace(b"0.70", b"0\x0b70"), "AE", "102", "OBX^1^5"),
    "A13 FS in text": (result(**ORIGINAL).replace(b"0.70", b"0\x1c70"), "AE", "102", "OBX^1^5"),
    "D1 sender": (result(msh_4="NOBODY", **ORIGINAL), "AR", "103", "MSH^1^4"),
    "D8 no patient number": (message(header(**ORIGINAL), PID.replace("00A90001", ""), OBR), "AE", "101", "PID^1^3"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refusal_names_code_and_place_and_is_stored(database_url: str, case: str):
    raw, code, condition, place = REFUSED[case]
    answer, row = receive_one(database_url, raw)
    ack = segments(answer.ack)
    assert ack["MSA"][1] == code
    assert ack["ERR"][3].split("^")[0] == condition if len(ack["ERR"]) > 3 else condition in ack["ERR"][1]
    assert (ack["ERR"][2] if len(ack["ERR"]) > 3 else ack["ERR"][1]).startswith(place)
    assert bytes(row["raw"]) == raw
    assert row["state"] == answer.state == "rejected"
    assert row["cause_code"].startswith("H2F-2")
    assert row["cause"]
    assert row["mender"]


def test_enhanced_mode_refuses_with_cr_and_ce(tmp_path: Path):
    answers, _ = receive(tmp_path, [result(msh_9="ADT^A99"), message(header(msh_10="2"), PID)])
    assert [segments(one.ack)["MSA"][1] for one in answers] == ["CR", "CE"]


@pytest.mark.parametrize(
    "raw",
    [
        result(msh_10="L" * 150),  # B12
        result(msh_10="a\\T\\b'\"<>"),  # B13
        result(msh_11=""),  # B21
        result(msh_7=""),  # B52
        result(msh_13="17"),  # B37
        result().replace(b"|", b"$").replace(b"MSH$^~\\&", b"MSH$^~\\&"),  # B3
        result().replace(b"^~\\&|LIS", b"^~\\&#|LIS").replace(b"2.5.1", b"2.7"),  # B4
        result().replace(b"\r", b"\r\n"),  # B44
        result() + b"ZZZ|1|x\r",  # B49
        b"\xef\xbb\xbf" + result(),  # C8
    ],
)
def test_odd_but_readable_messages_are_accepted_and_msh_10_echoed(tmp_path: Path, raw: bytes):
    answer, row = receive_one(tmp_path, raw)
    assert row["state"] == "received"
    assert answer.ack
    separator = raw[raw.index(b"MSH") + 3 :][:1]
    acknowledged = next(line for line in answer.ack.split(b"\r") if line.startswith(b"MSA"))
    assert acknowledged.split(separator)[2] == raw.split(separator)[9]


def test_b14_refused_message_sent_again_gets_the_stored_refusal(tmp_path: Path):
    answers, messages = receive(tmp_path, [result(msh_9="ADT^A99")] * 2)
    assert answers[0].ack == answers[1].ack
    assert len(messages) == 1


def test_b17_site_that_starts_control_ids_anew_every_day_is_not_deduplicated_by_them(tmp_path: Path):
    """B17 does not hold where MSH-10 is not unique: tomorrow's message may be the same but for its time."""
    today = message(JINHUA, JINHUA_PID, OBR, encoding="gb18030")
    tomorrow = today.replace(b"20180101080000", b"20180102080000", 1)
    _, messages = receive(tmp_path, [today, tomorrow, today])
    assert len(messages) == 2


def test_f2_resend_after_a_restart_gets_the_stored_answer(database_url: str):
    first, _ = receive(database_url, [result()])
    second, messages = receive(database_url, [result()])
    assert first[0].ack == second[0].ack
    assert len(messages) == 1


def test_own_control_ids_are_unique_and_sort_by_time(tmp_path: Path):
    raws = [result(msh_10=str(number)) for number in range(30)]
    answers, _ = receive(tmp_path, raws)
    ids = [segments(one.ack)["MSH"][9] for one in answers]
    assert ids == sorted(set(ids))
    assert all(len(one) <= 20 for one in ids)


def test_messages_of_one_batch_keep_their_order(database_url: str):
    raws = [result(msh_10=str(number)) for number in range(300)]
    with stand(database_url) as it:

        async def scene() -> None:
            await asyncio.gather(*[it.receive(raw) for raw in raws])

        run(scene)
        assert [row["control_id"] for row in it.messages()] == [str(number) for number in range(300)]


def test_f6_failed_storage_gives_no_answer_and_closes(tmp_path: Path):
    """F6 to F9: the disk is full. The sender sends again, and is served when the disk is."""
    with stand(tmp_path) as it:

        async def scene() -> None:
            with it.database.write() as connection:
                pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
                connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            large = result(msh_10="large").replace(b"0.70", b"7" * 500_000)
            answer = await it.receive(large)
            assert (answer.ack, answer.close, answer.message_id) == (None, True, None)
            assert it.messages() == []
            with it.database.write() as connection:
                connection.exec_driver_sql("PRAGMA max_page_count = 100000")
            assert (await it.receive(large)).ack

        run(scene)


def test_f10_busy_database_gives_no_answer_in_time_and_closes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("adapter.intake.receive.BUDGET_SECONDS", 0.05)
    with stand(tmp_path) as it:

        async def scene() -> None:
            with it.database.write():
                answer = await it.receive(result())
            assert (answer.ack, answer.close) == (None, True)
            await it.intake.close()

        run(scene)


def test_f1_acknowledgement_is_not_sent_when_the_commit_fails(database_url: str, monkeypatch: pytest.MonkeyPatch):
    """F1: what was not committed was never acknowledged, and the whole batch is sent again."""
    with stand(database_url) as it:
        raws = [result(msh_10=str(number)) for number in range(5)]

        async def scene() -> None:
            write = Database.write
            monkeypatch.setattr(Database, "write", lambda database: failing(write(database)))
            answers = await asyncio.gather(*[it.receive(raw) for raw in raws])
            assert {(one.ack, one.close) for one in answers} == {(None, True)}
            monkeypatch.setattr(Database, "write", write)
            assert it.messages() == []
            answers = await asyncio.gather(*[it.receive(raw) for raw in raws])
            assert all(one.ack for one in answers)

        run(scene)
        assert len(it.messages()) == 5
