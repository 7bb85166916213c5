"""Batches at the intake (catalogue B39 to B43), each behind a real listener and on both databases where it matters."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from adapter.intake import EVERY_SITE, Answer, Intake, Origin, accept_held, batches, listen
from adapter.listeners import Channel
from adapter.settings import Address
from adapter.wire.mllp import encode
from tests.integration.batch_stand import agreed, batch, lines, numbered
from tests.integration.intake_stand import Stand, intake_on, result, run, stand

OWN = {EVERY_SITE.name: EVERY_SITE}


def given(where: Path | str, *raws: bytes, channel: Channel = EVERY_SITE) -> tuple[list[Answer], list[dict[str, Any]]]:
    """Give payloads one after the other over one channel; return the answers and the inbox."""
    with stand(where) as it:
        answers: list[Answer] = []

        async def scene() -> None:
            origin = Origin(channel, "http", "192.0.2.7:50000")
            answers.extend([await it.intake.receive(raw, origin=origin) for raw in raws])
            await it.intake.close()

        run(scene)
        return answers, it.messages()


def over_mllp(intake: Intake, sent: bytes) -> list[bytes]:
    """Send bytes to a real listener of this intake and half-close; return the payloads that come back."""
    answered: list[bytes] = []

    async def scene() -> None:
        listener = await listen(intake, Address("127.0.0.1", 0))
        reader, writer = await asyncio.open_connection(*listener.address)
        writer.write(sent)
        writer.write_eof()
        answered.extend(frame.removeprefix(b"\x0b") for frame in (await reader.read()).split(b"\x1c\r")[:-1])
        writer.close()
        await listener.stop(grace=1)
        await intake.close()

    run(scene)
    return answered


def states(rows: list[dict[str, Any]]) -> list[tuple[str, str, int | None]]:
    return [(row["control_id"], row["state"], row["batch_id"]) for row in rows]


def test_b39_a_batch_is_stored_whole_and_answered_with_a_batch(database_url: str):
    raw = batch(*numbered(3))
    (answer,), rows = given(database_url, raw)
    assert states(rows) == [("BATCH1", "batch", None), *[(f"M{number}", "received", 1) for number in range(3)]]
    assert rows[0]["raw"] == raw
    assert [row["raw"] for row in rows[1:]] == numbered(3)
    assert (rows[0]["message_type"], rows[0]["site"], rows[0]["lane"]) == ("BHS", "FAHZU", "")
    head, *acks, trailer = lines(answer.ack, "BHS", "MSA", "BTS")
    assert head.split("|")[2:6] == ["HUB", "CENTRAL", "LIS", "FAHZU"]
    assert head.split("|")[11] == "BATCH1"
    assert acks == ["MSA|CA|M0", "MSA|CA|M1", "MSA|CA|M2"]
    assert trailer == "BTS|3"


def test_b39_a_file_of_batches_is_answered_with_a_file_of_batches(tmp_path: Path):
    inside = batch(*numbered(2)) + batch(*numbered(1, first=2), control_id="BATCH2")
    (answer,), rows = given(tmp_path, b"FHS|^~\\&|LIS|FAHZU|HUB|CENTRAL|||||FILE1\r" + inside + b"FTS|2\r")
    told = lines(answer.ack, "FHS", "BHS", "MSA", "BTS", "FTS")
    assert [line[:3] for line in told] == ["FHS", "BHS", "MSA", "MSA", "BTS", "BHS", "MSA", "BTS", "FTS"]
    assert [line.split("|")[11] for line in told if line[1:3] == "HS"] == ["FILE1", "BATCH1", "BATCH2"]
    assert told[-1] == "FTS|2"
    assert len({line.split("|")[10] for line in told if line[1:3] == "HS"}) == 3
    assert states(rows)[0] == ("FILE1", "batch", None)
    assert {row["batch_id"] for row in rows[1:]} == {1}


def test_b39_delimiters_of_the_batch_are_its_own(tmp_path: Path):
    raw = batch(*numbered(1)).replace(b"BHS|^~\\&", b"BHS$%*@!").replace(b"BTS|1", b"BTS$1")
    raw = raw.replace(b"$%*@!|LIS|FAHZU|HUB|CENTRAL|20180101080000+0800||||BATCH1", b"$%*@!$LIS$FAHZU$HUB$$$$$$BATCH1")
    (answer,), rows = given(tmp_path, raw)
    assert states(rows) == [("BATCH1", "batch", None), ("M0", "received", 1)]
    head, ack, trailer = lines(answer.ack, "BHS", "MSA", "BTS")
    assert head.startswith("BHS$%*@!$HUB$$LIS$FAHZU$")
    assert (ack, trailer) == ("MSA|CA|M0", "BTS$1")


def test_b39_over_mllp_a_site_may_want_an_answer_for_each_message(tmp_path: Path):
    with stand(tmp_path) as it:
        mappings = agreed(tmp_path, "FAHZU", "{batch_answer: each}")
        intake = intake_on(it.database, mappings, it.intake._clock)
        answered = over_mllp(intake, encode(batch(*numbered(3))) + encode(result(msh_10="AFTER")))
        assert [lines(one, "MSA", "BHS") for one in answered] == [
            *[[f"MSA|CA|M{number}"] for number in range(3)],
            ["MSA|CA|AFTER"],
        ]


def test_b39_what_follows_a_batch_on_its_connection_is_stored_after_it(tmp_path: Path):
    with stand(tmp_path) as it:
        sent = encode(result(msh_10="BEFORE")) + encode(batch(*numbered(100))) + encode(batch(*numbered(3, first=100)))
        answered = over_mllp(it.intake, sent + encode(result(msh_10="AFTER")))
        order = [row["control_id"] for row in it.messages() if row["state"] == "received"]
        assert order == ["BEFORE", *[f"M{number}" for number in range(103)], "AFTER"]
        assert [len(lines(one, "MSA")) for one in answered] == [1, 100, 3, 1]


def test_b39_nothing_of_a_batch_is_stored_when_one_row_cannot_be(database_url: str):
    """One transaction; the sender gets no answer, and sends it again."""
    with stand(database_url) as it:

        async def scene() -> None:
            with it.database.write() as connection:
                connection.exec_driver_sql("CREATE UNIQUE INDEX once ON message (event) WHERE message_type = 'ORU'")
            failed = await it.receive(batch(*numbered(3)))
            assert (failed.ack, failed.close) == (None, True)
            assert it.messages() == []
            with it.database.write() as connection:
                connection.exec_driver_sql("DROP INDEX once")
            assert len(lines((await it.receive(batch(*numbered(3)))).ack, "MSA")) == 3
            await it.intake.close()

        run(scene)
        assert len(it.messages()) == 4


def test_b39_a_batch_that_comes_again_gets_its_answer_again(database_url: str):
    raw = batch(*numbered(2))
    (first, again), rows = given(database_url, raw, raw)
    assert (again.ack, again.state, again.message_id) == (first.ack, "duplicate", 1)
    assert len(rows) == 3


def test_b39_a_message_sent_again_alone_is_known_and_so_is_one_that_came_before_its_batch(tmp_path: Path):
    early, *rest = numbered(3)
    (alone, whole, again), rows = given(tmp_path, early, batch(early, *rest), rest[0])
    assert [row["control_id"] for row in rows] == ["M0", "BATCH1", "M1", "M2"]
    assert [row["batch_id"] for row in rows] == [None, None, 2, 2]
    assert (again.state, again.message_id) == ("duplicate", 3)
    told = lines(whole.ack, "MSH")
    assert [lines(alone.ack, "MSH")[0], lines(again.ack, "MSH")[0]] == told[:2]


def test_b39_messages_that_want_no_answer_leave_the_answering_batch_empty(tmp_path: Path):
    (answer,), rows = given(tmp_path, batch(*numbered(2, msh_15="NE")))
    assert lines(answer.ack, "BHS", "MSA", "BTS")[1:] == ["BTS|0"]
    assert len(rows) == 3


def test_b39_a_batch_without_messages_is_answered_without_any(tmp_path: Path):
    (answer,), rows = given(tmp_path, batch())
    assert states(rows) == [("BATCH1", "batch", None)]
    assert lines(answer.ack, "BTS", "MSA") == ["BTS|0"]


def test_b39_an_answering_batch_is_not_answered(tmp_path: Path):
    (first,), _ = given(tmp_path / "one", batch(*numbered(2)))
    assert first.ack is not None
    (answer,), rows = given(tmp_path / "two", first.ack)
    assert (answer.ack, answer.close, rows) == (None, False, [])


def test_b39_messages_of_a_site_that_may_not_send_here_are_refused_one_by_one(tmp_path: Path):
    raw = batch(numbered(1)[0], result(msh_10="M1", msh_3="LIS", msh_4="YWCH"))
    (answer,), rows = given(tmp_path, raw, channel=Channel("fahzu", frozenset({"FAHZU"})))
    assert [line.split("|")[1] for line in lines(answer.ack, "MSA")] == ["CA", "CR"]
    # The whole text holds messages of two hospitals, so that it is nobody's.
    assert [(row["site"], row["state"]) for row in rows][::2] == [("unknown", "batch"), (rows[2]["site"], "rejected")]
    assert rows[2]["cause_code"] in {"H2F-2013", "H2F-2009"}


def test_b39_a_batch_above_the_limit_is_refused_with_a_clear_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(batches, "LARGEST", 4)
    monkeypatch.setattr(batches, "LARGEST_BYTES", 4000)
    long = batch(result().replace(b"0.70", b"7" * 4000), control_id="LONG")
    (answer, smaller, longer), rows = given(tmp_path, batch(*numbered(5)), batch(*numbered(4)), long)
    (ack,) = lines(answer.ack, "MSA")
    assert ack == "MSA|CE|BATCH1|5 messages in a batch, 4 are taken at once"
    assert (rows[0]["state"], rows[0]["cause_code"]) == ("rejected", "H2F-2106")
    assert len(lines(smaller.ack, "MSA")) == 4
    assert lines(longer.ack, "MSA") == ["MSA|CE|LONG|a batch has at most 4000 bytes"]


def test_b40_a_wrong_count_refuses_the_whole_batch_which_a_person_may_accept(database_url: str):
    raw = batch(*numbered(9), said=10)
    with stand(database_url) as it:

        async def scene() -> None:
            refused = await it.receive(raw)
            assert lines(refused.ack, "MSA") == ["MSA|CE|BATCH1|10 messages were announced, 9 found"]
            (error,) = lines(refused.ack, "ERR")
            assert error.split("|")[2:4] == ["BTS^1^1", "207^Application internal error^HL70357"]
            (row,) = it.messages()
            assert (row["state"], row["lane"], row["cause_code"]) == ("held", "", "H2F-2131")
            assert row["raw"] == raw
            assert (await it.receive(raw)).ack == refused.ack
            assert released(it, 1) == [True, False]
            assert states(it.messages()) == [("BATCH1", "batch", None), *[(f"M{n}", "received", 1) for n in range(9)]]
            again = await it.receive(raw)
            assert (again.state, len(lines(again.ack, "MSA"))) == ("duplicate", 9)
            assert (await it.receive(numbered(1)[0])).state == "duplicate"
            await it.intake.close()

        run(scene)


def released(it: Stand, message_id: int) -> list[bool]:
    """Accept twice, as an impatient person does."""
    done: list[bool] = []
    for _ in range(2):
        with it.database.write() as connection:
            now = it.intake._clock()
            done.append(accept_held(connection, message_id, door=it.intake, channels=OWN, now=now))
    return done


def test_b40_a_sender_of_the_newest_version_hears_the_newest_condition(tmp_path: Path):
    (answer,), _ = given(tmp_path, batch(*numbered(2, msh_12="2.9"), said=3))
    assert "|BTS^1^1|199^Other HL7 error^HL70357|" in lines(answer.ack, "ERR")[0]


@pytest.mark.parametrize("said", ["0", "3", "two", "-2", "9" * 5000])
def test_b40_a_count_that_is_not_the_number_of_messages_is_wrong(tmp_path: Path, said: str):
    (answer,), rows = given(tmp_path, batch(*numbered(2), said=said))
    assert [row["state"] for row in rows] == ["held"]
    assert len(lines(answer.ack, "MSA")) == 1


@pytest.mark.parametrize("said", ["", "2", "02", " 2 "])
def test_b40_a_count_that_is_right_or_not_said_is_taken(tmp_path: Path, said: str):
    _, rows = given(tmp_path, batch(*numbered(2), said=said))
    assert [row["state"] for row in rows] == ["batch", "received", "received"]


def test_b40_a_file_with_another_number_of_batches_is_held(tmp_path: Path):
    (answer,), rows = given(tmp_path, b"FHS|^~\\&|LIS|FAHZU\r" + batch(*numbered(2)) + b"FTS|2\r")
    assert [row["state"] for row in rows] == ["held"]
    assert "|FTS^1^1|207^" in lines(answer.ack, "ERR")[0]


def test_b40_accepting_stores_nothing_twice_when_the_right_batch_came_meanwhile(tmp_path: Path):
    with stand(tmp_path) as it:

        async def scene() -> None:
            await it.receive(batch(*numbered(2), said=3))
            await it.receive(batch(*numbered(3)))
            assert released(it, 1) == [True, False]
            await it.intake.close()

        run(scene)
        assert [row["control_id"] for row in it.messages() if row["state"] == "received"] == ["M0", "M1", "M2"]


def test_b40_accepting_takes_no_message_of_a_site_that_may_not_send_there(tmp_path: Path):
    with stand(tmp_path) as it:

        async def scene() -> None:
            await it.receive(batch(numbered(1)[0], result(msh_10="M1", msh_4="JHAH", msh_3="LIS"), said=3))
            with it.database.write() as connection:
                own = {"mllp": Channel("mllp", frozenset({"FAHZU"}))}
                accept_held(connection, 1, door=it.intake, channels=own, now=it.intake._clock())
            await it.intake.close()

        run(scene)
        assert [row["state"] for row in it.messages()] == ["batch", "received", "rejected"]


@pytest.mark.parametrize(
    ("cut", "place"),
    [
        (batch(*numbered(3), end=False), "BTS^1"),
        (b"FHS|^~\\&|LIS|FAHZU\r" + batch(*numbered(1)), "FTS^1"),
        (b"FHS|^~\\&|LIS|FAHZU\r" + batch(*numbered(1), end=False) + b"FTS|1\r", "BTS^1"),
        (batch(*numbered(1), end=False) + batch(*numbered(1, first=1)), "BTS^1"),
        (batch(*numbered(1)) + numbered(1, first=1)[0], "MSH^1"),
        (batch(b"PID|1||stray\r", *numbered(1), said=1), "BHS^1"),
    ],
    ids=["cut off", "file cut off", "batch in a file cut off", "next batch begins", "message after it", "stray text"],
)
def test_b41_a_batch_that_is_not_whole_is_held(tmp_path: Path, cut: bytes, place: str):
    (answer,), rows = given(tmp_path, cut)
    assert [(row["state"], row["lane"], row["cause_code"], row["raw"]) for row in rows] == [
        ("held", "", "H2F-2132", cut)
    ]
    (error,) = lines(answer.ack, "ERR")
    assert error.split("|")[2:4] == [place, "100^Segment sequence error^HL70357"]


def test_b41_a_batch_cut_off_is_accepted_with_what_came(tmp_path: Path):
    with stand(tmp_path) as it:

        async def scene() -> None:
            await it.receive(batch(*numbered(2), end=False) + numbered(1, first=2)[0][:40])
            assert released(it, 1) == [True, False]
            await it.intake.close()

        run(scene)
        assert [row["state"] for row in it.messages()] == ["batch", "received", "received", "rejected"]


def test_b42_one_bad_message_does_not_keep_the_others(database_url: str):
    good, bad = numbered(2), result(msh_10="BAD", msh_11="T")
    (answer, again), rows = given(database_url, *[batch(good[0], bad, good[1])] * 2)
    assert [line.split("|")[1:3] for line in lines(answer.ack, "MSA")] == [["CA", "M0"], ["CR", "BAD"], ["CA", "M1"]]
    assert [row["state"] for row in rows] == ["batch", "received", "rejected", "received"]
    assert {row["batch_id"] for row in rows[1:]} == {1}
    assert again.ack == answer.ack


def test_b42_a_message_refused_before_is_taken_when_the_batch_comes_again_and_nothing_speaks_against_it(
    tmp_path: Path,
):
    raw = batch(numbered(1)[0], result(msh_10="NEW", msh_11="T"))
    with stand(tmp_path) as it:

        async def scene() -> None:
            await it.receive(raw)
            mappings = agreed(tmp_path, "FAHZU", "{}", processing="[P, T]")
            mended = intake_on(it.database, mappings, it.intake._clock)
            answer = await mended.receive(raw, origin=Origin(EVERY_SITE, "http", ""))
            assert [line.split("|")[1] for line in lines(answer.ack, "MSA")] == ["CA", "CA"]
            await it.intake.close()
            await mended.close()

        run(scene)
        assert [row["state"] for row in it.messages()] == ["batch", "received", "received"]


def test_b43_a_second_header_in_a_frame_is_held_and_accepted_by_splitting(tmp_path: Path):
    one, two = numbered(2)
    with stand(tmp_path) as it:

        async def scene() -> None:
            refused = await it.receive(one + two)
            assert [line.split("|")[1:3] for line in lines(refused.ack, "MSA")] == [["CE", "M0"]]
            assert lines(refused.ack, "ERR")[0].split("|")[2:4] == ["MSH^2", "100^Segment sequence error^HL70357"]
            (row,) = it.messages()
            assert (row["state"], row["lane"], row["cause_code"], row["raw"]) == ("held", "", "H2F-2133", one + two)
            assert released(it, 1) == [True, False]
            again = await it.receive(one + two)
            assert lines(again.ack, "MSA") == ["MSA|CA|M0", "MSA|CA|M1"]
            await it.intake.close()

        run(scene)
        assert states(it.messages())[1:] == [("M0", "received", 1), ("M1", "received", 1)]


def test_b43_nothing_but_a_held_batch_is_accepted(tmp_path: Path):
    with stand(tmp_path) as it:

        async def scene() -> None:
            await it.receive(result())
            await it.receive(result(msh_10="BAD", msh_11="T"))
            assert released(it, 1) + released(it, 2) + released(it, 77) == [False] * 6
            await it.intake.close()

        run(scene)
        assert [row["state"] for row in it.messages()] == ["received", "rejected"]
