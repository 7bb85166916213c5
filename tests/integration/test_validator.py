"""A validator of another house (Medplum's, with R4's bindings and invariants) over everything that we make."""

import json as plain_json
import shutil
import subprocess
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
from adapter.mapper.catalog import MAPPED, Catalog, load_catalog
from adapter.mapper.ids import resource_id
from adapter.operate.provenance import Provenances
from adapter.store.database import open_database
from adapter.trial.study import load_study, tie
from tests.integration.catalogue_stand import pass_through

TOOLS = Path(__file__).parents[2].parent / "shared" / "tools"
CASES = sorted((Path(__file__).parents[1] / "cases").glob("*/*/message.hl7"))
PROFILES = data_folder("profiles")
MINUTES = 60

_WITH_EXTENSION = "R4 lets a code carry extensions; the validator then takes it for a Coding without a code"
EXCEPTIONS: dict[str, str] = {
    "AllergyIntolerance.category[0]: none of '|' is in required": _WITH_EXTENSION,
    "AllergyIntolerance.criticality: none of '|' is in required": _WITH_EXTENSION,
}
"""Findings that are wrong, or told on purpose: a text that the finding contains, and why it is let pass."""


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load_catalog(data_folder("mappings"))


@pytest.fixture(scope="module")
def validator(request: pytest.FixtureRequest) -> Path:
    """The folder with the validator and what it needs; installed once, then kept in pytest's cache."""
    if not TOOLS.is_dir():
        pytest.skip("the independent validator (../shared/tools) is not here")
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed: the independent validator cannot run")
    assert request.config.cache is not None
    folder = Path(request.config.cache.mkdir("validator"))
    shutil.copytree(TOOLS, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    if not (folder / "node_modules").is_dir():
        command = ["npm", "install", "--engine-strict=false", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=4 * MINUTES, check=False)
        if done.returncode:
            shutil.rmtree(folder / "node_modules", ignore_errors=True)
            pytest.skip("npm could not install what the independent validator needs")
    return folder


def findings(validator: Path, file: Path) -> list[str]:
    """What the validator calls an error: `Type/id: text`."""
    command = ["node", "validate.mjs", "--modules", str(validator), "--def", str(PROFILES), "--json", str(file)]
    done = subprocess.run(command, cwd=validator, capture_output=True, text=True, timeout=4 * MINUTES, check=False)
    # Node ends with 1 where it cannot start, too: only the last line tells that everything was looked at.
    assert " resources (" in done.stdout.rstrip().rpartition("\n")[2], done.stderr
    lines = [plain_json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [f"{line['id']} {one['path']}: {one['message']}" for line in lines for one in line["issues"]]


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


def unexplained(validator: Path, resources: Iterable[bytes], folder: Path) -> Counter[str]:
    """The findings that no exception explains, counted; ids are left out of the text."""
    file = folder / "made.ndjson"
    file.write_bytes(b"\n".join(resources) + b"\n")
    found = findings(validator, file)
    return Counter(one.partition(" ")[2] for one in found if not any(text in one for text in EXCEPTIONS))


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
