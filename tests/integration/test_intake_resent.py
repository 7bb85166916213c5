"""A refused message that comes again after its cause was mended is judged anew, in the same row."""

import asyncio
import shutil
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from adapter.data import data_folder
from adapter.hl7v2 import grammar
from adapter.intake import warm
from adapter.mapper.catalog import Catalog, load_catalog
from adapter.store import lanes
from adapter.wire.mllp import Oversize
from tests.integration.intake_stand import (
    JINHUA,
    JINHUA_PID,
    OBR,
    OBX,
    ORIGIN,
    Stand,
    intake_on,
    message,
    receive,
    result,
    run,
    segments,
    stand,
)
from tests.mappings import catalog

EVENT = result(msh_9="ADT^A99^ADT_A01").replace(OBR.encode(), b"EVN||20180101").replace(OBX.encode(), b"PV1|1|I")
STRANGER = result(msh_4="NEWHOSP")


def changed(tmp_path: Path, file: str, old: str, new: str) -> Catalog:
    """The mappings of the project with one place written anew."""
    folder = tmp_path / "mappings"
    shutil.copytree(data_folder("mappings"), folder)
    path = folder / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    return load_catalog(folder)


def mended(it: Stand, mappings: Catalog) -> Stand:
    """The same inbox after the service was started with other mappings."""
    return Stand(it.database, intake_on(it.database, mappings, it.intake._clock))


def codes(it: Stand, raws: Sequence[bytes]) -> list[str]:
    """MSA-1 of each answer, one message after the other."""
    found: list[str] = []

    async def scene() -> None:
        found.extend([segments((await it.receive(raw)).ack)["MSA"][1] for raw in raws])

    run(scene)
    return found


def attempts(it: Stand) -> list[int]:
    return [row["message_id"] for row in it.rows("SELECT message_id FROM message_attempt ORDER BY id")]


def causes(row: dict[str, Any]) -> list[str]:
    return [row[name] for name in ("state", "ack_code", "cause_code", "cause", "mender")]


def test_refused_event_is_accepted_when_it_comes_again_after_it_was_added(database_url: str, tmp_path: Path):
    more = changed(tmp_path, "events.yaml", "kept:\n", "kept:\n  ADT^A99: added\n")
    with stand(database_url) as it:
        assert codes(it, [EVENT, EVENT]) == ["CR", "CR"]
        (refused,) = it.messages()
        again = mended(it, more)
        assert codes(again, [EVENT, EVENT]) == ["CA", "CA"]
        (row,) = it.messages()
        assert (row["id"], bytes(row["raw"])) == (refused["id"], EVENT)
        assert causes(row) == ["received", "CA", "", "", ""]
        assert segments(bytes(row["ack"]))["MSA"] == ["MSA", "CA", "LIS18010100001"]
        assert attempts(it) == [row["id"]] * 3
        (claimed,) = lanes.claim(it.database, limit=9, worker="w", lease_seconds=9)
        assert claimed.id == row["id"]


def test_d1_message_of_an_unknown_sender_is_accepted_when_its_site_was_added(database_url: str, tmp_path: Path):
    """D1: the row belongs to the site then, and other messages of the site are not touched by it."""
    more = changed(tmp_path, "sites/fahzu/site.yaml", "MSH-4: [FAHZU]", "MSH-4: [FAHZU, NEWHOSP]")
    with stand(database_url) as it:
        other = result(msh_4="NEWHOSP", msh_10="2")
        assert codes(it, [STRANGER, result(msh_10="3")]) == ["CR", "CA"]
        again = mended(it, more)
        assert codes(again, [other, STRANGER, STRANGER]) == ["CA", "CA", "CA"]
        rows = it.messages()
        assert [(row["site"], row["control_id"], row["state"]) for row in rows] == [
            ("FAHZU", "LIS18010100001", "received"), ("FAHZU", "3", "received"), ("FAHZU", "2", "received"),
        ]  # fmt: skip
        assert attempts(it) == [rows[0]["id"]] * 2


def test_b18_many_copies_at_once_of_a_refused_message_give_one_row_and_one_answer(database_url: str, tmp_path: Path):
    more = changed(tmp_path, "events.yaml", "kept:\n", "kept:\n  ADT^A99: added\n")
    with stand(database_url) as it:
        codes(it, [EVENT])
        again = mended(it, more)

        async def scene() -> None:
            answers = await asyncio.gather(*[again.receive(EVENT) for _ in range(20)])
            assert len({one.ack for one in answers}) == 1
            assert [one.state for one in answers].count("received") == 1

        run(scene)
        assert [row["state"] for row in it.messages()] == ["received"]
        assert len(attempts(it)) == 20


def test_a26_message_that_was_too_large_is_whole_once_it_is_accepted(tmp_path: Path):
    """A26: of the first one only the head was kept."""
    raw = message(JINHUA, JINHUA_PID, OBR, OBX.replace("0.70", "7" * 900), encoding="gb18030")
    with stand(tmp_path) as it:

        async def scene() -> None:
            digest = sha256(raw).hexdigest()
            large = Oversize(raw[:300], len(raw), digest, ended=True)
            refused = await it.intake.receive_oversize(large, origin=ORIGIN)
            assert segments(refused.ack, "gb18030")["MSA"][1] == "AE"
            accepted = await it.receive(raw)
            assert segments(accepted.ack, "gb18030")["MSA"][1] == "AA"

        run(scene)
        (row,) = it.messages()
        assert (row["state"], bytes(row["raw"])) == ("received", raw)


def test_b14_message_that_is_still_refused_gets_the_stored_refusal(tmp_path: Path):
    answers, messages = receive(tmp_path, [EVENT] * 2)
    assert answers[0].ack == answers[1].ack
    assert [row["state"] for row in messages] == ["rejected"]


def test_converted_message_is_never_judged_anew(tmp_path: Path):
    with stand(tmp_path) as it:
        assert codes(it, [result()]) == ["CA"]
        with it.database.write() as connection:
            connection.exec_driver_sql("UPDATE message SET state = 'mapped'")
        assert codes(it, [result()]) == ["CA"]
        assert [row["state"] for row in it.messages()] == ["mapped"]


@pytest.mark.parametrize("version", ["2.3.1", "2.5.1", "2.8.2"])
def test_warmed_grammar_knows_the_structures_that_are_accepted(version: str):
    for kept in (grammar._recogniser, grammar._shape_kept):
        kept.cache_clear()
    warm(catalog())
    known = grammar._recogniser.cache_info()
    grammar.shape("ORU_R01", version, ("MSH", "PID", "OBR"))
    assert grammar._recogniser.cache_info().misses == known.misses
