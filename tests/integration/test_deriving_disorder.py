"""Derived facts do not depend on how the hospitals' messages came: in which order, how often, corrected when."""

import csv
import random
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapter.deriving import Deriver
from adapter.fhir import json
from adapter.stock import Stock
from adapter.store.database import Database, open_database, rows
from adapter.trial.proposals import IDENTIFIERS
from adapter.worker import Worker
from tests import databases
from tests.integration.catalogue_stand import received
from tests.integration.cohort import STREAMS, needs_cohort
from tests.mappings import catalog
from tests.store_stand import NOON

pytestmark = [needs_cohort, pytest.mark.timeout(600)]

SUBJECTS = ("ATLI-02", "ATLI-22")
"""One of the coordinating hospital, one whom Yiwu treats and the coordinating hospital registers: 430 messages."""

LATER = NOON + 100 * timedelta(days=365)


def sent() -> list[bytes]:
    """What the hospitals send of these subjects, in the order of sending."""
    with (STREAMS / "manifest.tsv").open(encoding="utf-8", newline="") as lines:
        wanted = [row for row in csv.DictReader(lines, delimiter="\t") if row["subject"].startswith(SUBJECTS)]
    files = {name: (STREAMS / name).read_bytes() for name in {row["file"] for row in wanted}}
    frames = (files[row["file"]][int(row["offset"]) :][: int(row["length"])] for row in wanted)
    return [frame.strip(b"\x0b\x1c\r") + b"\r" for frame in frames]


def corrections(raws: list[bytes]) -> list[bytes]:
    """Each third result again, years later, corrected: its first value is ten times as high."""
    results = [raw for raw in raws if b"|ORU^R01" in raw[:200] and b"|NM|" in raw]
    return [corrected(raw, number) for number, raw in enumerate(results[::3])]


def corrected(raw: bytes, number: int) -> bytes:
    segments = raw.split(b"\r")
    head = segments[0].split(b"|")
    head[6] = b"2030010108%02d" % (number % 60) + head[6][12:]
    head[9] = b"COR%06d" % number
    at = next(place for place, segment in enumerate(segments) if segment.startswith(b"OBX|") and b"|NM|" in segment)
    result = segments[at].split(b"|")
    result[5], result[11] = b"%g" % (float(result[5].lstrip(b"<>=")) * 10), b"C"
    return b"\r".join([b"|".join(head), *segments[1:at], b"|".join(result), *segments[at + 1 :]])


def facts(folder: Path, raws: list[bytes], stock: Stock) -> tuple[dict[str, Any], Counter[str]]:
    """The derived facts after these messages, by identifier and without versions; and the states of the messages."""
    database = open_database(databases.sqlite(folder))
    try:
        stock.present().define(database, NOON)
        received(database, catalog(), tuple(raws))
        work(database, stock)
        with database.read() as connection:
            states = Counter(state for (state,) in rows(connection, "SELECT state FROM message"))
            sql = "SELECT body FROM resource WHERE resource_type = 'Observation' AND message_id = 0 AND NOT deleted"
            found = [json.loads(bytes(body)) for (body,) in rows(connection, sql)]
    finally:
        database.close()
    return {number(one): {name: value for name, value in one.items() if name != "meta"} for one in found}, states


def work(database: Database, stock: Stock) -> None:
    worker = Worker(database, name="w", convert=stock.convert, rules=stock.rules, clock=lambda: NOON)
    while worker.run_once():
        pass
    deriver = Deriver(database, stock.rules, stock.asking.trial, lambda: LATER)
    while deriver.run_once():
        pass


def number(fact: dict[str, Any]) -> str:
    return next(one["value"] for one in fact["identifier"] if one["system"] == IDENTIFIERS)


@pytest.fixture(scope="module")
def stock() -> Stock:
    return Stock.load()


@pytest.fixture(scope="module")
def everything() -> list[bytes]:
    raws = sent()
    return [*raws, *corrections(raws)]


@pytest.fixture(scope="module")
def in_order(everything: list[bytes], stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    known, states = facts(tmp_path_factory.mktemp("in-order"), everything, stock)
    assert set(states) == {"mapped"}
    assert len(known) > 30
    return known


@pytest.mark.parametrize("seed", [1, 2])
def test_facts_are_the_same_in_whatever_order_and_however_often_the_messages_come(
    seed: int, everything: list[bytes], in_order: dict[str, Any], stock: Stock, tmp_path: Path
):
    chance = random.Random(seed)
    mixed = [*everything, *chance.sample(everything, k=40)]
    chance.shuffle(mixed)
    known, states = facts(tmp_path, mixed, stock)
    assert set(states) == {"mapped"}
    assert known.keys() == in_order.keys()
    assert [name for name in known if known[name] != in_order[name]] == []


def test_the_corrections_of_these_tests_change_facts(in_order: dict[str, Any], stock: Stock, tmp_path: Path):
    uncorrected, _ = facts(tmp_path, sent(), stock)
    assert [name for name in in_order if uncorrected.get(name) != in_order[name]]
