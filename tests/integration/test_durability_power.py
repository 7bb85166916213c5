"""The power fails, and what was acknowledged is there."""

import random
from pathlib import Path

import pytest

from adapter.store import inbox
from adapter.store.database import open_database
from tests.durability import power
from tests.durability.disk import FATES, Platter
from tests.durability.feed import numbered
from tests.integration.intake_stand import receive, segments


@pytest.fixture
def records(tmp_path: Path) -> list[power.Record]:
    return power.record(tmp_path, synchronous="FULL", checkpoint=100, messages=120)


def test_f5_power_cuts_lose_nothing_that_was_acknowledged(records: list[power.Record], tmp_path: Path):
    made = list(power.cuts(records, random.Random(5), 300, tmp_path))
    assert {one.fate for one in made} == set(FATES)
    assert sum(one.acknowledged for one in made) > 1000
    assert [one for one in made if one.lost or one.damage] == []


def test_f5_simulator_finds_what_is_lost_when_commits_do_not_wait_for_the_disk(tmp_path: Path):
    records = power.record(tmp_path, synchronous="NORMAL", checkpoint=100, messages=120)
    made = list(power.cuts(records, random.Random(5), 60, tmp_path))
    assert sum(one.lost for one in made if one.fate == "nothing") > 0
    assert [one for one in made if one.fate == "everything" and one.lost] == []  # as after kill -9


def test_f5_after_a_power_cut_the_next_start_goes_on_and_what_is_sent_again_is_stored_once(
    records: list[power.Record], tmp_path: Path
):
    chance, platter = random.Random(5), Platter()
    for one in records[: len(records) * 2 // 3]:
        platter.follow(one)
    left = tmp_path / "left"
    left.mkdir()
    platter.cut("sectors", chance, left)
    answers, rows = receive(left, [numbered(number, patients=8) for number in range(120)])
    assert {segments(answer.ack)["MSA"][1] for answer in answers} == {"CA"}
    assert 0 < sum(answer.state == "duplicate" for answer in answers) < 120
    assert len({row["control_id"] for row in rows}) == len(rows) == 120
    database = open_database(f"sqlite:///{left}/adapter.db")
    with database.read() as connection:
        assert {one.state for one in inbox.counts(connection)} <= {"mapped", "received"}
    database.close()
