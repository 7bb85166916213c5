"""Profiles, examples and what the adapter makes of the golden cases agree with each other."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapter.fhir import json
from tests.integration.conformance_stand import (
    SHARED,
    claiming,
    codings,
    contexts,
    foreign,
    misplaced,
    profiles_of,
    shapes,
    sourced,
    verified,
)
from tests.integration.validator_stand import unexplained

CASES = sorted((Path(__file__).parents[1] / "cases").glob("*/*/expected.json"))
EXAMPLES = SHARED / "domain" / "examples"
TOLD = frozenset({"_defaults", "_cleared", "_fill", "_cancels", "_undone"})
needs_examples = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the domain model (../shared/domain) is not here")


# Examples that lack what the table knows a profile's resources by; all that messages give has it.
WITHOUT_A_MARK = {
    "BiologicallyDerivedProduct/01-003-d1-product": "a number of the system that the interfaces give to donations",
    "CarePlan/01-003-c1": "the phase as a category",
    "EpisodeOfCare/02-001-c1": "the phase as a type",
}


def made() -> Iterator[tuple[Path, dict[str, Any]]]:
    for file in CASES:
        for resource in json.loads(file.read_bytes())["resources"]:
            # A case tells with these how the resource is merged.
            yield file, {name: value for name, value in resource.items() if name not in TOLD}


def examples() -> list[dict[str, Any]]:
    return [json.loads(file.read_bytes()) for file in sorted(EXAMPLES.glob("*.json"))]


def test_every_extension_stands_where_its_definition_allows_it() -> None:
    known = contexts()
    wrong = Counter(text for _, resource in made() for text in misplaced(resource, known))
    assert wrong == Counter()


@needs_examples
def test_every_code_is_of_the_study_or_verified_or_sourced_or_as_sent() -> None:
    allowed, unverified, wrong = verified() | sourced(), verified("unverified"), set[tuple[str, str]]()
    for file, resource in made():
        found = {one for one in codings(resource) if foreign(one[0])}
        text = file.with_name("message.hl7").read_bytes()
        wrong |= {one for one in found - allowed | found & unverified if one[1].encode() not in text}
    assert wrong == set()


@needs_examples
def test_the_examples_conform_to_the_profiles_that_they_claim(validator: Path, tmp_path: Path) -> None:
    resources = examples()
    assert len(resources) == 61
    assert unexplained(validator, map(json.dumps, resources), tmp_path) == Counter()


@needs_examples
def test_the_table_of_profiles_knows_what_the_examples_claim() -> None:
    unknown: set[str] = set()
    for example in examples():
        own = {url for url in example.get("meta", {}).get("profile", ()) if "/tli-" in url}
        if not own <= set(profiles_of(example)):
            unknown.add(f"{example['resourceType']}/{example['id']}")
    assert unknown == set(WITHOUT_A_MARK)


def test_what_is_made_of_the_cases_is_valid_with_its_extensions(validator: Path, tmp_path: Path) -> None:
    some = list(shapes(resource for _, resource in made()))
    assert len(some) > 100
    # One message tells a part: whether a profile is kept is asked of what has been merged (test_cohort.py).
    assert unexplained(validator, map(json.dumps, some), tmp_path) == Counter()


def test_the_validator_sees_when_a_profile_is_not_kept(validator: Path, tmp_path: Path) -> None:
    wrong = {
        "resourceType": "Observation",
        "id": "one",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8310-5"}]},
        "valueString": "warm",
    }
    found = unexplained(validator, [json.dumps(claiming(wrong))], tmp_path)
    assert any("extension" in text for text in found)
    assert any("value" in text for text in found)
