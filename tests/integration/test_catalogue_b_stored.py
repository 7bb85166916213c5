"""Group B of the fault catalogue, what the inbox knows: resends, numbers, links, fragments; on both databases."""

import asyncio
from base64 import b64encode

import pytest

from adapter.intake.late import hold_once
from tests.integration.agreed_stand import Hospital, hospital
from tests.integration.intake_stand import (
    JINHUA,
    JINHUA_PID,
    OBR,
    OBX,
    ORIGIN,
    PID,
    header,
    intake_on,
    message,
    result,
    run,
    segments,
)

ORIGINAL = {"msh_15": "", "msh_16": ""}


def flags(it: Hospital) -> list[str]:
    return [row["flags"] for row in it.messages()]


def resends(it: Hospital) -> list[int | None]:
    return [row["resend_of"] for row in it.messages()]


def versions(it: Hospital) -> list[tuple[str, int]]:
    return [(row["id"], row["version"]) for row in it.rows("SELECT id, version FROM resource ORDER BY id")]


def test_b14_b17_resend_gets_the_stored_answer_and_is_noted_as_an_attempt(database_url: str):
    with hospital(database_url) as it:
        first, *others = it.give(result(), result(), result(msh_7="20180101080500+0800"))
        assert {one.ack for one in others} == {first.ack}
        assert [one.state for one in others] == ["duplicate"] * 2
        assert len(it.messages()) == 1
        assert [row["message_id"] for row in it.rows("SELECT * FROM message_attempt")] == [first.message_id] * 2


def test_b15_number_used_twice_is_flagged_and_told_where_numbers_are_promised(database_url: str):
    with hospital(database_url) as it:
        assert it.codes(result(), result().replace(b"0.70", b"0.71"), result(msh_10="2")) == ["CA"] * 3
        assert flags(it) == ["", "control_id_reused", "probable_resend"]
        assert it.incidents()["control_id_reused"]["count"] == 1


def test_b15_number_used_twice_in_one_transaction_is_flagged(database_url: str):
    with hospital(database_url) as it:

        async def scene() -> None:
            await asyncio.gather(it.receive(result()), it.receive(result().replace(b"0.70", b"0.71")))

        run(scene)
        assert flags(it) == ["", "control_id_reused"]


def test_b15_number_used_twice_is_ordinary_where_nothing_is_promised(database_url: str):
    with hospital(database_url) as it:
        today = message(JINHUA, JINHUA_PID, OBR, encoding="gb18030")
        it.give(today, message(JINHUA, JINHUA_PID, OBR, OBX, encoding="gb18030"))
        assert flags(it) == ["", ""]
        assert it.incidents() == {}


def test_b15_strict_site_is_refused_and_its_resend_is_refused_again(database_url: str):
    with hospital(database_url, strict=True) as it:
        other = result(**ORIGINAL).replace(b"0.70", b"0.71")
        first, *again = it.give(result(**ORIGINAL), other, other)
        assert segments(first.ack)["MSA"][1] == "AA"
        ack = segments(again[0].ack)
        assert [ack["MSA"][1], ack["ERR"][2], ack["ERR"][3].split("^")[0]] == ["AE", "MSH^1^10", "205"]
        assert again[1].ack == again[0].ack
        assert it.states() == ["received", "rejected"]


def test_b15_corrected_message_under_the_number_of_a_refused_one_is_ordinary(database_url: str):
    with hospital(database_url, strict=True) as it:
        assert it.codes(message(header(), PID), result()) == ["CE", "CA"]
        assert flags(it) == ["", ""]


def test_b16_same_content_under_a_new_number_is_a_probable_resend(database_url: str):
    with hospital(database_url) as it:
        it.give(result())
        again = result(msh_10="LIS18010100002", msh_7="20180101080500+0800")
        assert it.codes(again, result(msh_10="3").replace(b"0.70", b"0.71")) == ["CA", "CA"]
        assert flags(it) == ["", "probable_resend", ""]
        assert resends(it) == [None, it.messages()[0]["id"], None]


def test_b16_resend_changes_no_resource(database_url: str):
    with hospital(database_url) as it:
        it.give(result())
        it.convert()
        before = versions(it)
        it.give(result(msh_10="LIS18010100002"))
        it.convert()
        assert it.states() == ["mapped", "mapped"]
        assert versions(it) == before


def test_b16_copies_within_one_transaction_point_to_the_first(database_url: str):
    with hospital(database_url) as it:

        async def scene() -> None:
            await asyncio.gather(*[it.receive(result(msh_10=str(number))) for number in range(5)])

        run(scene)
        first = it.messages()[0]["id"]
        assert flags(it) == [""] + ["probable_resend"] * 4
        assert resends(it) == [None] + [first] * 4


def test_b16_same_content_of_another_site_or_of_a_refused_message_is_no_resend(database_url: str):
    with hospital(database_url) as it:
        refused = message(header(), PID)
        it.give(refused, message(header(msh_10="2"), PID), result(msh_10="3"))
        foreign = result(msh_10="3").replace(b"|FAHZU|", b"|LSCH|", 1)
        it.give(foreign)
        assert resends(it) == [None] * 4


def test_b18_resend_over_a_second_socket_waits_for_the_first(database_url: str):
    """Two intakes stand for two processes or two listeners: the unique index decides."""
    with hospital(database_url) as it:
        other = intake_on(it.database, it.known, it.clock)

        async def scene() -> None:
            answers = await asyncio.gather(
                *[one.receive(result(), origin=ORIGIN) for one in (it.intake, other) for _ in range(10)]
            )
            assert len({one.ack for one in answers}) == 1
            assert [one.state for one in answers].count("received") == 1
            await other.close()

        run(scene)
        assert len(it.messages()) == 1
        assert len(it.rows("SELECT id FROM message_attempt")) == 19


def test_b19_resend_after_the_first_was_removed_is_a_new_row_and_changes_nothing(database_url: str):
    with hospital(database_url) as it:
        it.give(result())
        it.convert()
        before = versions(it)
        with it.database.write() as connection:
            connection.exec_driver_sql("DELETE FROM message")
        assert it.codes(result()) == ["CA"]
        it.convert()
        assert it.states() == ["mapped"]
        assert versions(it) == before


def numbered(sequence: str, number: str) -> bytes:
    return result(**ORIGINAL, msh_10=number, msh_13=sequence).replace(b"0.70", f"1.{number}".encode())


def told(ack: bytes | None) -> tuple[str, str]:
    """MSA-1 and MSA-4."""
    msa = [*segments(ack)["MSA"], "", ""]
    return msa[1], msa[4]


def start(sequence: str, number: str) -> bytes:
    """As HL7 v2.5.1 §2.17.3 shows it: no functional content, MSH-9 of no account."""
    return message(header(**ORIGINAL, msh_9="^", msh_10=number, msh_13=sequence))


def test_b34_link_that_starts_is_told_which_number_is_expected(database_url: str):
    with hospital(database_url, sequence_numbers=True) as it:
        answers = it.give(start("0", "a"), numbered("1", "1"), numbered("2", "2"), start("0", "b"))
        assert [told(one.ack) for one in answers] == [("AA", "1"), ("AA", ""), ("AA", ""), ("AA", "3")]
        it.convert()
        assert it.states() == ["ignored", "mapped", "mapped", "ignored"]
        assert [row["last"] for row in it.rows("SELECT last FROM link")] == [2]


def test_b35_gap_is_refused_with_the_expected_number_until_it_is_filled(database_url: str):
    with hospital(database_url, sequence_numbers=True) as it:
        first, gap = it.give(numbered("1042", "a"), numbered("1048", "b"))
        assert [told(first.ack), told(gap.ack)] == [("AA", ""), ("AE", "1043")]
        assert segments(gap.ack)["ERR"][2] == "MSH^1^13"
        assert it.states() == ["received", "rejected"]
        assert it.incidents()["sequence_gap"]["detail"] == "missing 1043-1047"
        it.give(*[numbered(str(number), str(number)) for number in range(1043, 1047)])
        assert [told(one.ack) for one in it.give(numbered("1048", "b"))] == [("AE", "1047")]
        answers = it.give(numbered("1047", "x"), numbered("1048", "b"), numbered("1048", "b"))
        assert [told(one.ack) for one in answers] == [("AA", "")] * 3
        assert [row["state"] for row in it.messages() if row["control_id"] == "b"] == ["received"]
        assert "sequence_gap" not in it.incidents()


def test_b35_resend_of_what_was_taken_is_no_gap(database_url: str):
    with hospital(database_url, sequence_numbers=True) as it:
        answers = it.give(numbered("1", "a"), numbered("2", "b"), numbered("1", "a"), numbered("1", "other"))
        assert [told(one.ack) for one in answers] == [("AA", ""), ("AA", ""), ("AA", ""), ("AE", "3")]


def test_b35_number_is_kept_over_a_restart_and_in_order_within_one_transaction(database_url: str):
    with hospital(database_url, sequence_numbers=True) as it:

        async def scene() -> None:
            raws = [numbered(str(number), str(number)) for number in range(1, 40)]
            answers = await asyncio.gather(*[it.receive(raw) for raw in raws])
            assert {told(one.ack) for one in answers} == {("AA", "")}

        run(scene)
    with hospital(database_url, sequence_numbers=True) as it:
        assert [told(one.ack) for one in it.give(numbered("41", "41"))] == [("AE", "40")]


def test_b36_resynchronised_link_takes_whatever_number_comes_next(database_url: str):
    with hospital(database_url, sequence_numbers=True) as it:
        answers = it.give(numbered("5", "a"), start("-1", "b"), numbered("90", "c"), numbered("92", "d"))
        assert [told(one.ack) for one in answers] == [("AA", ""), ("AA", "-1"), ("AA", ""), ("AE", "91")]
        assert it.states() == ["received", "ignored", "received", "rejected"]


def test_b37_gap_without_the_protocol_is_only_flagged(database_url: str):
    with hospital(database_url) as it:
        answers = it.give(numbered("1", "a"), numbered("2", "b"), numbered("7", "c"), numbered("x", "d"))
        assert [told(one.ack) for one in answers] == [("AA", "")] * 4
        assert flags(it) == ["", "", "sequence_gap", ""]
        assert it.incidents() == {}


def parts() -> list[bytes]:
    """One result in three fragments, as a sender with short buffers writes them; one segment is cut in a field."""
    return [
        message(header(msh_10="p1"), PID, OBR, OBX[:20], "ADD", "DSC|one|F"),
        message(header(msh_10="p2", msh_14="one"), f"ADD|{OBX[20:]}", "DSC|two|F"),
        message(header(msh_10="p3", msh_14="two"), OBX.replace("OBX|1", "OBX|2").replace("751-8", "x")),
    ]


def test_b38_fragments_are_answered_one_by_one_and_converted_as_one(database_url: str):
    with hospital(database_url) as it:
        first, second, third = parts()
        assert it.codes(first, second) == ["CA", "CA"]
        it.convert()
        assert it.states() == ["fragment", "fragment"]
        assert it.codes(third, second) == ["CA", "CA"]
        it.convert()
        assert it.states() == ["joined", "joined", "joined", "mapped"]
        *rows, made = it.messages()
        assert [(row["batch_id"], bytes(row["raw"])) for row in rows] == [
            (made["id"], raw) for raw in (first, second, third)
        ]
        whole = message(header(msh_10="p1"), PID, OBR, OBX, OBX.replace("OBX|1", "OBX|2").replace("751-8", "x"))
        assert bytes(made["raw"]) == whole
        observed = it.rows("SELECT id FROM resource WHERE resource_type = 'Observation'")
        assert len(observed) == 2


def test_b38_fragments_in_any_order_and_in_one_transaction_are_joined(database_url: str):
    with hospital(database_url) as it:

        async def scene() -> None:
            await asyncio.gather(*[it.receive(raw) for raw in reversed(parts())])

        run(scene)
        it.convert()
        assert it.states() == ["joined", "joined", "joined", "mapped"]


def test_b38_joined_message_that_cannot_be_accepted_is_held_and_keeps_nobody_back(database_url: str):
    with hospital(database_url) as it:
        it.give(message(header(msh_10="p1"), PID, "DSC|one|F"), message(header(msh_10="p2", msh_14="one"), "NTE|1"))
        assert [(row["state"], row["cause_code"], row["lane"]) for row in it.messages()] == [
            ("joined", "", ""), ("joined", "", ""), ("held", "H2F-2104", "")
        ]  # fmt: skip


def test_b38_fragments_are_held_when_the_rest_does_not_come_and_joined_when_it_comes_late(database_url: str):
    with hospital(database_url) as it:
        first, second, third = parts()
        it.give(first, second, result(msh_10="other"))
        with it.database.write() as connection:
            connection.exec_driver_sql("UPDATE message SET received_at = 9223372036854775807 WHERE control_id = 'p2'")
        assert hold_once(it.database, ["FAHZU", "YWCH"]) == ["FAHZU"]
        it.convert()
        assert it.states() == ["held", "fragment", "mapped"]
        held = it.messages()[0]
        assert (held["cause_code"], held["lane"]) == ("H2F-3020", "")
        assert hold_once(it.database, ["FAHZU"]) == []
        it.give(third)
        it.convert()
        assert it.states() == ["joined", "joined", "mapped", "joined", "mapped"]


def test_b38_fragment_is_refused_where_whole_messages_were_agreed(database_url: str):
    with hospital(database_url, continuation=False) as it:
        ack = segments(it.give(message(header(**ORIGINAL), PID, "DSC|one|F"))[0].ack)
        assert [ack["MSA"][1], ack["ERR"][2], ack["ERR"][3].split("^")[0]] == ["AR", "MSH^1^14", "207"]
        assert it.states() == ["rejected"]


def test_b38_fragments_of_another_site_are_not_mixed_in(database_url: str):
    with hospital(database_url) as it:
        first, second, third = parts()
        it.give(first, second.replace(b"|FAHZU|", b"|LSCH|", 1), third)
        it.convert()
        assert it.states() == ["fragment"] * 3


def test_b38_many_fragments_of_one_message_are_joined(database_url: str):
    size = 40
    first = message(header(msh_10="f0"), PID, OBR, "DSC|c0|F")
    middle = [
        message(header(msh_10=f"f{number}", msh_14=f"c{number - 1}"), OBX.replace("OBX|1", f"OBX|{number}"),
                f"DSC|c{number}|F")
        for number in range(1, size)
    ]  # fmt: skip
    last = message(header(msh_10="last", msh_14=f"c{size - 1}"), OBX.replace("OBX|1", f"OBX|{size}"))
    with hospital(database_url) as it:
        it.give(first, *middle, last)
        it.convert()
        assert it.states() == ["joined"] * (size + 1) + ["mapped"]
        assert bytes(it.messages()[-1]["raw"]).count(b"OBX|") == size


def test_b38_document_in_fragments_is_joined_and_kept_beside_its_row(database_url: str):
    text = b64encode(bytes(range(256)) * 3000).decode()
    document = f"OBX|2|ED|PDF^report^LN||x^application^octet-stream^Base64^{text}||||||F"
    first = message(header(msh_10="p1"), PID, OBR, OBX, document[:300_000], "ADD", "DSC|one|F")
    second = message(header(msh_10="p2", msh_14="one"), f"ADD|{document[300_000:]}")
    with hospital(database_url) as it:
        assert it.codes(first, second) == ["CA", "CA"]
        made = it.messages()[-1]
        whole = message(header(msh_10="p1"), PID, OBR, OBX, document)
        kept = it.rows("SELECT data FROM message_part ORDER BY number")
        assert (b"".join(bytes(row["data"]) for row in kept), made["part_bytes"]) == (whole, len(whole))
        assert len(made["raw"]) < 2000
        it.convert()
        assert it.states() == ["joined", "joined", "mapped"]


def test_b38_fragments_of_a_message_above_the_limit_are_held(database_url: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("adapter.store.fragments.LONGEST", 600)
    with hospital(database_url) as it:
        assert it.codes(*parts()) == ["CA"] * 3
        assert [(row["state"], row["cause_code"]) for row in it.messages()] == [("held", "H2F-2106")] * 3
