"""A validator of another house (Medplum's, with R4's bindings and invariants) over everything that we make.

Of the cohort and the corpus it sees those resources that can tell it something new (shapes.py): seconds in place of
minutes. The whole was run by hand: 63,524 resources of the cohort, 15,983 of the corpus, and no
finding that is not excused.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from adapter.convert import convert
from adapter.data import data_folder
from adapter.demo.feeds import FEEDS
from adapter.errors import AdapterError, Held
from adapter.fhir import json
from adapter.hl7v2.parse import header
from adapter.mapper.catalog import MAPPED, Catalog
from adapter.mapper.ids import resource_id
from adapter.operate.provenance import Provenances
from adapter.store.database import open_database
from adapter.trial.study import load_study, tie
from tests import mappings
from tests.agreement.test_agreement import CORPUS, with_number
from tests.integration.catalogue_stand import pass_through
from tests.integration.cohort import FILES, needs_cohort, stream
from tests.integration.shapes import telling
from tests.integration.validator_stand import MINUTES, PROFILES, findings, unexplained

CASES = sorted((Path(__file__).parents[1] / "cases").glob("*/*/message.hl7"))


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return mappings.catalog()


def served(catalog: Catalog, messages: Iterable[bytes]) -> Iterator[bytes]:
    """All resources of these messages, tied to the study as the store does it; held messages make none."""
    study = load_study(data_folder("mappings"))
    for raw in messages:
        head = header(raw)
        site = catalog.sites.find(head.sending_application, head.sending_facility) or catalog.standard
        if catalog.accepts(head.text(9), head.text(9, 2)) != MAPPED:
            continue
        try:
            made = convert(raw, catalog=catalog, site=site)
        except Held:
            continue
        for mapped in made.resources:
            yield json.dumps(tie(mapped.resource, "ATLI-01", lambda _: None, study=study, identify=resource_id))


def test_the_validator_finds_what_is_wrong(validator: Path, tmp_path: Path) -> None:
    wrong: list[dict[str, Any]] = [
        {"resourceType": "Patient", "id": "one", "gender": "\u7537"},
        {"resourceType": "MedicationAdministration", "id": "two", "status": "completed", "dosage": {"text": "x"}},
    ]
    assert len(unexplained(validator, [json.dumps(one) for one in wrong], tmp_path)) >= 2


def test_every_resource_of_the_cases_is_valid(validator: Path, catalog: Catalog, tmp_path: Path) -> None:
    made = {*served(catalog, (case.read_bytes() for case in CASES))}
    assert len(made) > len(CASES)
    assert unexplained(validator, made, tmp_path) == Counter()


def test_every_resource_of_the_demo_trial_is_valid(validator: Path, catalog: Catalog, tmp_path: Path) -> None:
    made = {*served(catalog, (message for feed in FEEDS for message in feed.messages()))}
    assert len(made) > 1_000
    assert unexplained(validator, made, tmp_path) == Counter()


def test_provenance_of_messages_is_valid(validator: Path, catalog: Catalog, tmp_path: Path) -> None:
    pass_through(tmp_path, *[message for feed in FEEDS for message in feed.messages()][:100:5])
    database = open_database(f"sqlite:///{tmp_path}/adapter.db")
    with database.read() as connection:
        made = [said for _, said in Provenances(catalog).make(connection, range(1, 101))]
    database.close()
    assert len(made) > 10
    assert unexplained(validator, made, tmp_path) == Counter()


@needs_cohort
@pytest.mark.timeout(10 * MINUTES)
def test_every_kind_of_resource_of_the_cohort_is_valid(validator: Path, catalog: Catalog, tmp_path: Path) -> None:
    made = dict.fromkeys(served(catalog, (message for site in FILES for message in stream(site))))
    kept = telling(made)
    assert len(made) > 50_000
    assert 500 < len(kept) < 5_000
    assert unexplained(validator, kept, tmp_path) == Counter()


@pytest.mark.skipif(not CORPUS.is_dir(), reason="../shared/corpus is not beside the project")
@pytest.mark.timeout(10 * MINUTES)
def test_every_kind_of_resource_of_the_corpus_is_valid(validator: Path, catalog: Catalog, tmp_path: Path) -> None:
    made: dict[bytes, None] = {}
    refused: Counter[str] = Counter()
    for file in CORPUS.rglob("*.hl7"):
        try:
            converted = convert(with_number(file.read_bytes()), catalog=catalog, site=catalog.standard)
        except AdapterError as error:
            refused[type(error).__name__] += 1
            continue
        made |= dict.fromkeys(json.dumps(mapped.resource) for mapped in converted.resources)
    assert len(made) > 15_000
    assert refused.total() < 30, refused
    assert unexplained(validator, telling(made), tmp_path) == Counter()


def test_our_own_fhir_files_are_valid(validator: Path) -> None:
    assert findings(validator, PROFILES) == []
