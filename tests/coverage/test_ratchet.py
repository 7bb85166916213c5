"""Coverage may only rise: the four hospitals' streams and the public corpus are measured against ratchet.json.

`share` is the part of the populated fields that is mapped, or ignored with a reason; `unmapped` counts distinct paths
that no rule reads. A message without a map counts with all its fields, so that a new map can only make it better.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from adapter.errors import Refusal
from adapter.hl7v2 import batch
from adapter.mapper.catalog import Catalog
from adapter.operate.coverage import Coverage, share
from adapter.operate.dialects import sender
from tests import mappings
from tests.integration.cohort import FILES, SHARED, STREAMS

RATCHET = Path(__file__).with_name("ratchet.json")
CORPUS = SHARED / "corpus" / "messages"
EVERY = 20
TYPE = re.compile(rb"(?:[^|]*\|){8}([^|\r]*)")

pytestmark = pytest.mark.skipif(
    not (STREAMS.is_dir() and CORPUS.is_dir()), reason="the reference messages (../shared) are not beside the project"
)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return mappings.catalog()


def sample(messages: list[bytes]) -> list[bytes]:
    """Every twentieth message of each type: the same at every run, and no kind is left out."""
    seen: dict[bytes, int] = {}
    chosen: list[bytes] = []
    for message in messages:
        found = TYPE.match(message)
        kind = found[1] if found else b""
        seen[kind] = seen.get(kind, -1) + 1
        chosen += [message] if seen[kind] % EVERY == 0 else []
    return chosen


def messages_of(name: str) -> list[bytes]:
    if name in FILES:
        return sample(list(batch.messages((STREAMS / FILES[name]).read_bytes())))
    return [file.read_bytes() for file in sorted((CORPUS / name).rglob("*.hl7"))]


def measured(catalog: Catalog, name: str) -> dict[str, Any]:
    coverage = Coverage(catalog)
    for message in messages_of(name):
        try:
            site = sender(catalog, message)
        except Refusal:
            continue
        coverage.add(message, site=site, example=name)
    unread = {path for tally in coverage.tallies.values() for path in tally.unread}
    return {"share": share(coverage.tallies.values()), "unmapped": len(unread)}


NAMES = [*FILES, *(folder.name for folder in sorted(CORPUS.glob("*")) if folder.is_dir())]


@pytest.mark.parametrize("name", NAMES)
def test_coverage_does_not_fall(catalog: Catalog, name: str, request: pytest.FixtureRequest) -> None:
    kept: dict[str, dict[str, Any]] = json.loads(RATCHET.read_text()) if RATCHET.exists() else {}
    found = measured(catalog, name)
    if request.config.getoption("--update-ratchet"):
        kept[name] = found
        RATCHET.write_text(json.dumps(kept, indent=2, sort_keys=True) + "\n")
        return
    expected = kept[name]
    assert found["share"] >= expected["share"], "a field that was mapped is not any more: see `adapter coverage`"
    assert found["unmapped"] <= expected["unmapped"], "more paths are read by no rule: see `adapter coverage`"
    if found != expected:
        better = f"{name} is better than {expected}: {found}; keep it with pytest tests/coverage --update-ratchet"
        request.config.get_terminal_writer().line(better)


def test_every_measured_source_is_in_the_ratchet() -> None:
    assert set(json.loads(RATCHET.read_text())) == set(NAMES)
