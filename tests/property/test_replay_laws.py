"""Replay's laws: the store follows from the log and the present mappings alone, however it came to be."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from adapter.store.database import Database, open_database
from adapter.store.fingerprint import fingerprint
from tests import databases
from tests.replay_stand import Dialect, changed, dry_run, receive, replay, work, would

PATIENTS = st.sampled_from(["p1", "p2", "p3"])
CODES = st.sampled_from(["WBC", "HGB", "PLT"])
MESSAGES = st.lists(
    st.tuples(PATIENTS, CODES, st.sampled_from("123"), st.sampled_from(["male", "female"]), st.integers(1, 9)),
    max_size=9,
    unique=True,
)
DIALECTS = st.builds(
    Dialect,
    code=st.sampled_from([str, str.lower]),
    gender=st.booleans(),
    patient=st.booleans(),
    without=st.frozensets(CODES, max_size=2),
    subject=st.booleans(),
)
# Every step of shrinking makes two stores: what is found first is small enough.
SLOW = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.explicit, Phase.generate])


@contextmanager
def database() -> Generator[Database]:
    with tempfile.TemporaryDirectory() as folder:
        opened = open_database(databases.sqlite(Path(folder)))
        try:
            yield opened
        finally:
            opened.close()


def texts(messages: list[tuple[Any, ...]]) -> list[str]:
    return [" ".join(map(str, one)) for one in messages]


def converted(messages: list[str], dialect: Dialect) -> str:
    with database() as fresh:
        receive(fresh, *messages)
        work(fresh, dialect)
        return fingerprint(fresh)


@SLOW
@given(MESSAGES, st.data())
def test_store_is_the_same_under_any_order_of_messages_of_different_patients(
    messages: list[tuple[Any, ...]], data: st.DataObject
):
    lanes = [[one for one in texts(messages) if one.startswith(patient)] for patient in ("p1", "p2", "p3")]
    turns = data.draw(st.permutations([number for number, lane in enumerate(lanes) for _ in lane]))
    waiting = [iter(lane) for lane in lanes]
    interleaved = [next(waiting[number]) for number in turns]
    assert converted(interleaved, Dialect()) == converted(list(chain.from_iterable(lanes)), Dialect())


@SLOW
@given(MESSAGES, DIALECTS, DIALECTS, st.integers(1, 4))
def test_replay_gives_the_store_that_the_present_mappings_would_have_made(
    messages: list[tuple[Any, ...]], old: Dialect, new: Dialect, at_once: int
):
    assume(not old.subject or (new.subject and new.patient))  # who was a member of the study stays one
    with database() as stored, pytest.MonkeyPatch.context() as patch:
        patch.setattr("adapter.replay.run.AT_ONCE", at_once)
        patch.setattr("adapter.replay.trial.AT_ONCE", at_once)
        receive(stored, *texts(messages))
        work(stored, old)
        expected = dry_run(stored, new)
        told = replay(stored, new)
        assert fingerprint(stored) == converted(texts(messages), new)
        assert changed(told) == would(expected)
        assert (told["tally"].get("differ", 0), told["done"]) == (expected["differ"], expected["messages"])
        assert changed(replay(stored, new)) == {}
