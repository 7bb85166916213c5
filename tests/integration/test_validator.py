"""A validator of another house (Medplum's, with R4's bindings and invariants) over everything that we make."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from adapter.convert import convert
from adapter.data import data_folder
from adapter.demo.feeds import FEEDS
from adapter.errors import Held
from adapter.fhir import json
from adapter.hl7v2.parse import header
from adapter.mapper.catalog import MAPPED, Catalog
from adapter.mapper.ids import resource_id
from adapter.operate.provenance import Provenances
from adapter.store.database import open_database
from adapter.trial.study import load_study, tie
from tests import mappings
from tests.integration.catalogue_stand import pass_through
from tests.integration.validator_stand import PROFILES, findings, unexplained

CASES = sorted((Path(__file__).parents[1] / "cases").glob("*/*/message.hl7"))


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return mappings.catalog()


def served(catalog: Catalog, messages: Iterable[bytes]) -> dict[bytes, None]:
    """All distinct resources of these messages, tied to the study as the store does it; held messages make none."""
    study, found = load_study(data_folder("mappings")), dict[bytes, None]()
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
            found[json.dumps(tie(mapped.resource, "ATLI-01", study=study, identify=resource_id))] = None
    return found


def test_the_validator_finds_what_is_wrong(validator: Path, tmp_path: Path) -> None:
    wrong: list[dict[str, Any]] = [
        {"resourceType": "Patient", "id": "one", "gender": "\u7537"},
        {"resourceType": "MedicationAdministration", "id": "two", "status": "completed", "dosage": {"text": "x"}},
    ]
    assert len(unexplained(validator, [json.dumps(one) for one in wrong], tmp_path)) >= 2


def test_every_resource_of_the_cases_is_valid(validator: Path, catalog: Catalog, tmp_path: Path) -> None:
    made = served(catalog, (case.read_bytes() for case in CASES))
    assert len(made) > len(CASES)
    assert unexplained(validator, made, tmp_path) == Counter()


def test_every_resource_of_the_demo_trial_is_valid(validator: Path, catalog: Catalog, tmp_path: Path) -> None:
    made = served(catalog, (message for feed in FEEDS for message in feed.messages()))
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


def test_our_own_fhir_files_are_valid(validator: Path) -> None:
    assert findings(validator, PROFILES) == []
