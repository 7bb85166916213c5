"""Every message of the public corpus: an answer with reason and place, resources that are valid R4, in bounded time."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapter.convert import convert
from adapter.data import data_folder
from adapter.errors import NoIdentity, NoMap, Refusal
from adapter.fhir import r4
from adapter.hl7v2.parse import header
from adapter.intake import Answer
from adapter.mapper.catalog import Catalog, load_catalog
from adapter.store.database import open_database
from tests.integration.intake_stand import SHARED, Stand, intake_on, run

CORPUS = SHARED / "corpus" / "messages"
SLOWEST = 20.0
SITE = "ANYONE"
NOW = datetime(2018, 1, 1, 9, 0, tzinfo=UTC)

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="../shared/corpus is not beside the project")


@dataclass(frozen=True)
class Judged:
    """One message of the corpus, its answer, its row in the inbox, and how long that took."""

    file: Path
    raw: bytes
    answer: Answer
    row: dict[str, Any] | None
    seconds: float


@dataclass(frozen=True)
class Corpus:
    """Everything after intake."""

    catalog: Catalog
    judged: list[Judged]

    def accepted(self) -> list[Judged]:
        """The messages that were accepted, each of equal ones once."""
        return [one for one in self.judged if one.answer.state == "received"]


def messages() -> list[Path]:
    return sorted(CORPUS.rglob("*.hl7"))


def facilities() -> set[str]:
    """Every MSH-4 of the corpus."""
    found: set[str] = set()
    for file in messages():
        try:
            found.add(header(file.read_bytes()).sending_facility)
        except Refusal:
            continue  # it names nobody
    return found


@pytest.fixture(scope="module")
def generous(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The mappings of the project with one more site: any sender of the corpus, any processing id, no dialect."""
    folder = tmp_path_factory.mktemp("generous") / "mappings"
    shutil.copytree(data_folder("mappings"), folder)
    site = folder / "sites" / "anyone"
    site.mkdir()
    taken = {name for one in load_catalog(folder).sites for name in one.match.get("MSH-4", ())}
    said: dict[str, Any] = {
        "code": SITE,
        "name": "Any sender of the corpus",
        "organization": "Organization/anyone",
        "match": {"MSH-4": sorted(facilities() - taken)},
        "timezone": "America/New_York",
        "processing": ["P", "T", "D"],
        "lane": "PID-3.1",
    }
    (site / "site.yaml").write_text(yaml.safe_dump(said, allow_unicode=True), encoding="utf-8")
    for table in ("codes", "units", "identifiers"):
        columns = (folder / "sites" / "fahzu" / f"{table}.csv").read_text(encoding="utf-8").splitlines()[0]
        (site / f"{table}.csv").write_text(columns + "\n", encoding="utf-8")
    return load_catalog(folder)


@pytest.fixture(scope="module")
def corpus(generous: Catalog, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('corpus')}/adapter.db")
    it = Stand(database, intake_on(database, generous, lambda: NOW))
    judged: list[Judged] = []

    async def scene() -> None:
        for file in messages():
            raw = file.read_bytes()
            begun = time.perf_counter()
            answer = await it.receive(raw)
            judged.append(Judged(file, raw, answer, None, time.perf_counter() - begun))
        await it.intake.close()

    run(scene)
    rows = {row["id"]: row for row in it.messages()}
    yield Corpus(
        generous,
        [Judged(one.file, one.raw, one.answer, rows.get(one.answer.message_id), one.seconds) for one in judged],
    )
    database.close()


def test_every_message_is_accepted_or_refused_with_a_reason_and_a_place(corpus: Corpus):
    assert len(corpus.judged) > 800
    for one in corpus.judged:
        if one.answer.state == "acknowledgement":
            assert one.answer.ack is None, one.file  # B32
            continue
        assert one.row, one.file
        assert bytes(one.row["raw"]) == one.raw, one.file
        if one.row["state"] in {
            "received",
            "fragment",
            "ignored",
        }:  # one fills MSH-14, and goes on with a message that is not there
            assert one.row["ack_code"] in {"AA", "CA"}, one.file
            continue
        assert (one.row["state"], one.row["ack_code"][1]) in {("rejected", "E"), ("rejected", "R")}, one.file
        segment, _, reason = one.row["cause"].partition(": ")
        assert segment[:3].isalnum(), one.file
        assert reason, one.file
        assert one.row["cause_code"].startswith("H2F-2"), one.file
        assert one.row["mender"], one.file


def test_every_answer_comes_in_time(corpus: Corpus):
    assert {str(one.file): one.seconds for one in corpus.judged if one.seconds > SLOWEST} == {}


def test_more_than_half_of_the_messages_are_accepted(corpus: Corpus):
    """So that the other tests here speak of something."""
    assert len(corpus.accepted()) > len(corpus.judged) / 2


def test_every_accepted_message_becomes_valid_resources_in_time(corpus: Corpus):
    """Whatever is not in the error tree fails this test."""
    mapped, slow, invalid = 0, dict[str, float](), dict[str, list[str]]()
    for one in corpus.accepted():
        begun = time.perf_counter()
        try:
            made = convert(one.raw, catalog=corpus.catalog, site=corpus.catalog.sites[(one.row or {})["site"]])
        except (NoMap, NoIdentity):
            continue  # kept, or held until somebody mends it
        seconds = time.perf_counter() - begun
        mapped += 1
        assert made.resources or made.issues, one.file  # an order without a patient gives no resource, and says so
        slow |= {str(one.file): seconds} if seconds > SLOWEST else {}
        found = [problem for mapped_ in made.resources for problem in r4.validate(mapped_.resource)]
        invalid |= {str(one.file): found} if found else {}
        made.ledger.unmapped()
        list(made.ledger.lineage())
    assert (slow, invalid) == ({}, {})
    assert mapped > 400
