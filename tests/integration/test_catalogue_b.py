"""Group B of the fault catalogue, header and modes: what is answered, stored, and told to an operator."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from adapter.intake import accept_order
from tests.integration.agreed_stand import NOON, Hospital, hospital
from tests.integration.intake_stand import (
    JINHUA,
    JINHUA_PID,
    OBR,
    OBX,
    PID,
    catalog,
    header,
    message,
    result,
    run,
    segments,
)

ORIGINAL = {"msh_15": "", "msh_16": ""}
BAD = message(header(msh_10="bad"), PID)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/adapter.db"


def asked(accept: str, application: str, raw_id: str = "LIS18010100001") -> dict[str, str]:
    return {"msh_10": raw_id, "msh_15": accept, "msh_16": application}


def last(it: Hospital) -> dict[str, object]:
    return it.messages()[-1]


ODD = {
    "B3 other delimiters": (
        result().replace(b"|", b"$").replace(b"^", b"%").replace(b"~", b"*").replace(b"MSH$%*\\&", b"MSH$%*@#")
        .replace(b"&", b"#"),
        "other_delimiters",
    ),
    "B10 structure contradicted": (result(msh_9="ORU^R01^ADT_A01"), "structure_contradicted"),
    "B12 long id": (result(msh_10="L" * 199), "long_control_id"),
    "B21 no MSH-11": (result(msh_11=""), "processing_missing"),
    "B31 MSH-15 in no table": (result(msh_15="XX"), "unknown_condition"),
    "B44 line feeds": (result().replace(b"\r", b"\n"), "line_feeds"),
    "B46 mixed ends": (result() + b"OBX|2|ST|x^y^LN||1\nOBX|3|NM|||2||||||F\r", "mixed_segment_ends"),
    "B52 no MSH-7": (result(msh_7=""), "time_missing"),
    "B52 unreadable MSH-7": (result(msh_7="yesterday"), "time_missing"),
    "C5 spelling": (result(msh_18="UTF-8"), "charset_spelling"),
}  # fmt: skip


@pytest.mark.parametrize("case", ODD)
def test_odd_message_is_accepted_and_flagged(url: str, case: str):
    raw, flag = ODD[case]
    with hospital(url) as it:
        (answer,) = it.give(raw)
        assert answer.ack
        assert b"CA" in answer.ack
        assert b"ERR" not in answer.ack
        row = it.messages()[0]
        assert (row["state"], flag in row["flags"].split(), bytes(row["raw"])) == ("received", True, raw)


PLAIN = {
    "B4 truncation character": result().replace(b"^~\\&|LIS", b"^~\\&#|LIS").replace(b"2.5.1", b"2.7"),
    "B25 ordinary": result(**ORIGINAL),
    "B45 LF in a text": result().replace(b"0.70", b"0.70\nand more"),
    "B49 Z segment": result() + b"ZZZ|1|x\r",
}


@pytest.mark.parametrize("case", PLAIN)
def test_ordinary_message_has_no_flags(url: str, case: str):
    with hospital(url) as it:
        it.give(PLAIN[case])
        assert [(row["state"], row["flags"]) for row in it.messages()] == [("received", "")]


WARNED = {
    "B10": (result(msh_9="ORU^R01^ADT_A01"), "0", "MSH^1^9^1^3"),
    "B21": (result(msh_11=""), "101", "MSH^1^11"),
    "B31": (result(msh_15="XX"), "103", "MSH^1^15"),
    "B46": (result() + b"OBX|2|ST|x^y^LN||1\nOBX|3|NM|||2||||||F\r", "100", "MSH^1"),
    "B52 missing": (result(msh_7=""), "101", "MSH^1^7"),
    "B52 unreadable": (result(msh_7="yesterday"), "102", "MSH^1^7"),
    "C5": (result(msh_18="UTF-8"), "103", "MSH^1^18"),
}


@pytest.mark.parametrize("case", WARNED)
def test_doubt_is_told_to_a_site_that_wants_warnings(url: str, case: str):
    raw, condition, place = WARNED[case]
    with hospital(url, warnings=True) as it:
        ack = segments(it.give(raw)[0].ack)
        assert ack["MSA"][1] == "CA"
        assert (ack["ERR"][3].split("^")[0], ack["ERR"][2], ack["ERR"][4]) == (condition, place, "W")


STRICT = {
    "B21 no MSH-11": (result(msh_11="", **ORIGINAL), "AR", "101", "MSH^1^11"),
    "B52 no MSH-7": (result(msh_7="", **ORIGINAL), "AE", "101", "MSH^1^7"),
    "B52 unreadable MSH-7": (result(msh_7="2018-01-01", **ORIGINAL), "AE", "102", "MSH^1^7"),
}


@pytest.mark.parametrize("case", STRICT)
def test_strict_site_refuses_what_others_flag(url: str, case: str):
    raw, *told = STRICT[case]
    with hospital(url, strict=True) as it:
        ack = segments(it.give(raw)[0].ack)
        assert [ack["MSA"][1], ack["ERR"][3].split("^")[0], ack["ERR"][2]] == told
        assert it.states() == ["rejected"]


def test_header_is_judged_before_the_segments_that_follow_it(url: str):
    """B7 before B48: the order of the checks."""
    with hospital(url) as it:
        ack = segments(it.give(result(msh_9="NMD^N02", **ORIGINAL) + b"OB |1\r")[0].ack)
        assert (ack["MSA"][1], ack["ERR"][3].split("^")[0]) == ("AR", "200")


def test_b9_event_that_a_site_wants_ignored_is_kept_and_never_converted(url: str):
    with hospital(url, ignored=frozenset({"BAR^P01"})) as it:
        assert it.codes(message(header(msh_9="BAR^P01"), PID)) == ["CA"]
        it.convert()
        assert it.states() == ["ignored"]


def test_b11_message_without_an_id_is_known_by_its_bytes_where_that_was_agreed(url: str):
    with hospital(url, empty_control_id="hash") as it:
        other = result(msh_10="").replace(b"0.70", b"0.71")
        later = result(msh_10="", msh_7="20180101080100+0800")
        assert it.codes(result(msh_10=""), result(msh_10=""), other, later) == ["CA"] * 4
        assert len(it.messages()) == 3
        assert all("control_id_reused" not in row["flags"] for row in it.messages())


@pytest.mark.parametrize("field", ["msh_9", "msh_10", "msh_12"])
def test_b12_endless_texts_in_msh_are_refused_and_stored(database_url: str, field: str):
    """An index of PostgreSQL holds no more than 2.7 kB: the row must be storable all the same."""
    noise = "".join(f"{number * 7919 % 104729:x}" for number in range(3000))
    raw = result(**ORIGINAL | {field: noise})
    with hospital(database_url) as it:
        assert it.codes(raw) == ["AR"]
        assert [(row["state"], bytes(row["raw"])) for row in it.messages()] == [("rejected", raw)]


def test_b13_odd_ids_come_back_byte_for_byte_and_inject_nothing(url: str):
    number = "a\\T\\b'\"<>;é试"
    with hospital(url) as it:
        ack = it.give(result(msh_10=number))[0].ack
        assert ack
        assert [line for line in ack.split(b"\r") if line][1:] == [f"MSA|CA|{number}".encode()]


def test_b20_test_message_on_production_is_refused_and_never_converted(url: str):
    with hospital(url) as it:
        assert it.codes(result(msh_11="T"), result(msh_11="D", msh_10="2")) == ["CR", "CR"]
        it.convert()
        assert [(row["state"], row["cause_code"]) for row in it.messages()] == [("rejected", "H2F-2007")] * 2


def test_b22_missing_version_is_that_of_the_site_where_one_was_agreed(url: str):
    with hospital(url, version="2.5.1") as it:
        assert it.codes(result(msh_12="")) == ["CA"]
        row = it.messages()[0]
        assert (row["version"], row["flags"]) == ("2.5.1", "version_of_site")
        it.convert()
        assert it.states() == ["mapped"]


def test_b24_fields_of_a_later_version_are_flagged_and_told_once_a_day(url: str):
    newer = f"{JINHUA_PID}{'|' * 35}Y"
    with hospital(url) as it:
        raws = [
            message(JINHUA.replace("LIS000001", f"LIS{number}"), newer, OBR, OBX, encoding="gb18030")
            for number in range(3)
        ]
        it.give(*raws)
        assert [row["flags"] for row in it.messages()] == ["newer_fields"] + ["newer_fields probable_resend"] * 2
        told = it.incidents()["version_misdeclared"]
        assert (told["site"], told["count"], told["detail"]) == ("JHAH", 3, "declares 2.3.1, uses PID-40 of 2.7")


@pytest.mark.parametrize(
    ("accept", "application", "good", "bad"),
    [
        pytest.param("", "", "AA", "AE", id="B25 original"),
        pytest.param("AL", "NE", "CA", "CE", id="B26 accept only"),
        pytest.param("AL", "AL", "CA", "CE", id="B27 both"),
        pytest.param("NE", "NE", "", "", id="B28 never"),
        pytest.param("ER", "NE", "", "CE", id="B29 errors only"),
        pytest.param("SU", "NE", "CA", "", id="B30 success only"),
        pytest.param("XX", "NE", "CA", "CE", id="B31 in no table"),
        pytest.param("", "AL", "AA", "AE", id="application alone"),
        pytest.param("", "ER", "", "AE", id="application on error"),
    ],
)
def test_msh_15_and_16_decide_who_is_told_what(url: str, accept: str, application: str, good: str, bad: str):
    with hospital(url) as it:
        unreadable = message(header(**asked(accept, application, "2")), PID.replace("00A90001", ""), OBR)
        assert it.codes(result(**asked(accept, application)), unreadable) == [good, bad]
        assert it.states() == ["received", "rejected"]
        assert ("refusal_not_told" in it.incidents()) == (not bad)


def test_b25_site_may_mean_enhanced_mode_where_it_says_nothing(url: str):
    with hospital(url, acknowledgement="enhanced") as it:
        assert it.codes(result(**ORIGINAL), message(header(msh_10="2", **ORIGINAL), PID)) == ["CA", "CE"]


def test_b32_acknowledgement_is_never_acknowledged_and_told(database_url: str):
    ack = message(header(msh_9="ACK^R01^ACK"), "MSA|AA|nobody")
    with hospital(database_url) as it:
        assert it.codes(ack) == [""]
        assert it.messages() == []
        assert [row["kind"] for row in it.rows("SELECT * FROM connection_event")] == ["acknowledgement"]
        assert it.incidents()["unexpected_acknowledgement"]["detail"] == ""


def test_b33_query_is_refused(url: str):
    with hospital(url) as it:
        ack = segments(it.give(result(msh_9="QRY^A19", **ORIGINAL))[0].ack)
        assert (ack["MSA"][1], ack["ERR"][3].split("^")[0], it.states()) == ("AR", "200", ["rejected"])


def test_b47_xml_is_refused_unread(url: str):
    bomb = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><ORU_R01>&b;</ORU_R01>'
    with hospital(url) as it:
        ack = segments(it.give(bomb)[0].ack)
        assert (ack["MSA"][1], ack["ERR"][3].split("^")[0]) == ("AR", "207")
        assert b"root" not in (it.give(bomb)[0].ack or b"")
        assert it.states() == ["rejected"]


@pytest.mark.parametrize(
    ("line", "place"),
    [
        pytest.param("pid|1", "pid^1", id="B48 small letters"),
        pytest.param("P1|1", "P1^1", id="B48 too short"),
        pytest.param("OB |1", "OB ^1", id="B48 blank"),
        pytest.param("a line of text", "OBX^1", id="B48 text, which is not repeated"),
    ],
)
def test_line_without_a_segment_name_is_refused_at_its_place(url: str, line: str, place: str):
    with hospital(url) as it:
        ack = segments(it.give(result(**ORIGINAL) + line.encode() + b"\r")[0].ack)
        assert (ack["MSA"][1], ack["ERR"][3].split("^")[0], ack["ERR"][2]) == ("AE", "100", place)
        assert it.states() == ["rejected"]


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        pytest.param(message(header(**ORIGINAL), PID), "OBR^1", id="B50 ORU without OBR"),
        pytest.param(
            message(header(msh_9="ADT^A01^ADT_A01", **ORIGINAL), "EVN||20180101", "PV1|1|I"), "PID^1",
            id="B50 ADT without PID",
        ),
    ],
)  # fmt: skip
def test_missing_segment_is_refused_at_its_place(url: str, raw: bytes, place: str):
    with hospital(url) as it:
        ack = segments(it.give(raw)[0].ack)
        assert (ack["MSA"][1], ack["ERR"][3].split("^")[0], ack["ERR"][2]) == ("AE", "100", place)


def test_b51_result_before_its_order_is_refused_and_held_and_keeps_nobody_back(database_url: str):
    raw = message(header(**ORIGINAL), PID, OBX, OBR)
    with hospital(database_url) as it:
        ack = segments(it.give(raw)[0].ack)
        assert (ack["MSA"][1], ack["ERR"][3].split("^")[0], ack["ERR"][2]) == ("AE", "100", "OBX^1")
        assert it.codes(raw, result(msh_10="2")) == ["AE", "CA"]
        it.convert()
        held, later = it.messages()
        assert (held["state"], held["lane"], bytes(held["raw"]), later["state"]) == ("held", "", raw, "mapped")


def test_b51_a_person_lets_the_message_be_converted_as_it_is(database_url: str):
    with hospital(database_url) as it:
        it.give(message(header(**ORIGINAL), PID, OBX, OBR))
        with it.database.write() as connection:
            assert accept_order(connection, it.messages()[0]["id"], catalog=catalog())
            assert not accept_order(connection, it.messages()[0]["id"], catalog=catalog())
        it.convert()
        (row,) = it.messages()
        assert (row["state"], row["lane"].partition("|")[0]) == ("mapped", "FAHZU")


def test_b51_observations_of_the_patient_before_the_visit_are_no_wrong_order(url: str):
    raw = message(header(msh_12="2.8"), PID, OBX, "PV1|1|I", OBR, OBX.replace("OBX|1", "OBX|2"))
    with hospital(url) as it:
        assert it.codes(raw) == ["CA"]


@pytest.mark.parametrize(
    ("sent", "flag", "told"),
    [
        pytest.param("20180104080000+0800", "time_ahead", "MSH-7 is 2 days ahead", id="B53 ahead"),
        pytest.param("20071201080000+0800", "time_old", "MSH-7 is 3684 days back", id="B53 ten years back"),
        pytest.param("20171229080000+0800", "late", "", id="three days late is no fault of a clock"),
    ],
)
def test_time_that_cannot_be_right_is_flagged_and_told(url: str, sent: str, flag: str, told: str):
    with hospital(url) as it:
        assert it.codes(result(msh_7=sent)) == ["CA"]
        assert it.messages()[0]["flags"] == flag
        assert it.incidents().get("clock_skew", {"detail": ""})["detail"] == told


def test_b54_site_that_is_always_eight_hours_back_is_told_what_to_look_at(url: str):
    with hospital(url) as it:
        it.clock.now = NOON + timedelta(hours=8)
        raws = [result(msh_10=str(number)) for number in range(20)]
        it.give(*raws[:19])
        assert "clock_skew" not in it.incidents()
        it.give(raws[19])
        told = it.incidents()["clock_skew"]["detail"]
        assert told == "MSH-7 is always 8 h back: is it UTC without its offset?"


def test_b54_one_message_in_time_shows_that_the_clock_is_right(url: str):
    with hospital(url) as it:
        it.clock.now = NOON + timedelta(hours=8)
        it.give(*[result(msh_10=str(number)) for number in range(15)])
        it.give(result(msh_10="now", msh_7="20180101160000+0800"))
        it.give(*[result(msh_10=f"b{number}") for number in range(15)])
        assert "clock_skew" not in it.incidents()


def test_b55_no_answer_after_three_seconds_and_the_resend_is_answered(url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("adapter.intake.receive.BUDGET_SECONDS", 0.05)
    with hospital(url) as it:

        async def scene() -> None:
            with it.database.write():
                (answer,) = await asyncio.gather(it.receive(result()))
            assert (answer.ack, answer.close) == (None, True)
            monkeypatch.undo()
            assert (await it.receive(result())).ack
            await it.intake.close()

        run(scene)
        assert len(it.messages()) == 1


def test_b55_answer_that_took_more_than_a_second_is_told(url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("adapter.intake.watch.SLOW_SECONDS", 0.0)
    with hospital(url) as it:
        it.give(result())
        assert it.incidents()["slow_acknowledgement"]["site"] == "FAHZU"


@pytest.mark.parametrize(
    ("asked_for", "told"),
    [(ORIGINAL, "AR"), ({}, "CR"), ({"msh_15": "NE"}, "")],
    ids=["original", "enhanced", "never"],
)
def test_b55_fault_of_our_own_is_told_where_that_was_agreed(
    url: str, monkeypatch: pytest.MonkeyPatch, asked_for: dict[str, str], told: str
):
    monkeypatch.setattr("adapter.intake.receive.BUDGET_SECONDS", 0.05)
    with hospital(url, outage="207") as it:

        async def scene() -> None:
            with it.database.write():
                (answer,) = await asyncio.gather(it.receive(result(**asked_for)))
            assert answer.close == (not told)
            if told:
                ack = segments(answer.ack)
                assert [ack["MSA"][1], ack["ERR"][2], ack["ERR"][3].split("^")[0]] == [told, "", "207"]
            await it.intake.close()

        run(scene)


def test_c13_controls_are_stripped_for_reading_where_that_was_agreed(url: str):
    raw = result().replace(b"0.70", b"0.\x0070")
    with hospital(url, controls="strip") as it:
        assert it.codes(raw) == ["CA"]
        it.convert()
        row = it.messages()[0]
        assert (row["state"], row["flags"], bytes(row["raw"])) == ("mapped", "controls_stripped waits_for_adt", raw)
