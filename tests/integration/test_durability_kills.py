"""`kill -9` at every step; longer runs: `python -m tests.durability.kills`."""

from pathlib import Path

import pytest

from adapter import failpoints
from tests.durability import kills

KILLS = 9


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)
def test_f1_f2_f3_f25_kills_between_the_steps_lose_nothing_and_double_nothing(
    database_url: str, tmp_path: Path, request: pytest.FixtureRequest
):
    quiet = f"sqlite:///{tmp_path}/quiet/adapter.db"
    outcome = kills.run(database_url, quiet, tmp_path, kills=KILLS, whole=False, seed=1)
    assert outcome.wrong == []
    assert outcome.kills.total() >= KILLS
    assert outcome.acknowledged > KILLS
    assert outcome.sent_again > 0


def test_failpoint_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="before_lunch"):
        failpoints.arm("before_lunch")
    assert failpoints.reach("before_commit") is None  # nothing is armed, nobody dies
