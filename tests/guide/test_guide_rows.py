"""Does every row of HL7's v2-to-FHIR guide have its place here, or a written reason why not?

One small message for each row (the method of CDC's ReportStream): the field of the row and what identity needs. It
must convert, the field must be read, and the lineage must lead from it to the guide's element. A field that a segment
map leaves out with a reason (`ignored:`) is no gap; every other deviation stands in deviations.csv, with its reason.
`pytest tests/guide --update-cases` writes that file and docs/guide-coverage.md anew; what is new there is `open`.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guide import probe
from tests.guide.guide import GUIDE, PROJECT, Row, rows

DEVIATIONS = Path(__file__).with_name("deviations.csv")
COVERAGE = PROJECT / "docs" / "guide-coverage.md"
WHOLE = "*"
Key = tuple[str, str, str]
"""Map, field and attribute as the guide writes them."""

pytestmark = pytest.mark.skipif(not GUIDE.is_dir(), reason="HL7's v2-to-FHIR guide (../shared/corpus) is not here")
ROWS = rows() if GUIDE.is_dir() else []


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest) -> dict[Row, str]:
    found = {row: probe.outcome(row) for row in ROWS}
    if request.config.getoption("--update-cases"):
        _rewrite(found)
    return found


def deviations() -> dict[Key, str]:
    with DEVIATIONS.open(encoding="utf-8", newline="") as lines:
        return {(one["map"], one["field"], one["attribute"]): one["reason"] for one in csv.DictReader(lines)}


@pytest.mark.parametrize("name", sorted({row.map for row in ROWS}))
def test_every_row_is_mapped_or_deviates_for_a_reason(name: str, outcomes: dict[Row, str]) -> None:
    said = deviations()
    gaps = [
        f"{' '.join(key)}: {outcome}" for key, outcome in _gaps(outcomes).items() if key[0] == name and key not in said
    ]
    assert gaps == []


def test_a_deviation_that_is_none_any_more_is_taken_away(outcomes: dict[Row, str]) -> None:
    assert [key for key in deviations() if key not in _gaps(outcomes)] == []


def test_the_table_in_the_documents_is_true(outcomes: dict[Row, str], request: pytest.FixtureRequest) -> None:
    written = "\n".join([*_table(outcomes), ""])
    if request.config.getoption("--update-cases"):
        COVERAGE.write_text(written, encoding="utf-8")
    assert COVERAGE.read_text(encoding="utf-8") == written


def _gaps(outcomes: dict[Row, str]) -> dict[Key, str]:
    """What needs a reason: a row that is not mapped; a segment map of the guide, where none of its rows is."""
    whole = {row.map for row in outcomes} - {row.map for row, outcome in outcomes.items() if not _is_gap(outcome)}
    return {
        (row.map, WHOLE, WHOLE) if row.map in whole else (row.map, row.field, row.attribute): outcome
        for row, outcome in outcomes.items()
        if _is_gap(outcome)
    }


def _rewrite(outcomes: dict[Row, str]) -> None:
    """Write deviations.csv anew: reasons stay, a new deviation is `open` until somebody gives its reason."""
    said = deviations()
    with DEVIATIONS.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        writer.writerow(("map", "field", "attribute", "reason"))
        for key, outcome in _gaps(outcomes).items():
            writer.writerow((*key, said.get(key) or f"open: {outcome}"))


def _is_gap(outcome: str) -> bool:
    return outcome != probe.MAPPED and not outcome.startswith("ignored: ")


def _table(outcomes: dict[Row, str]) -> Iterator[str]:
    counted: dict[str, Counter[str]] = {}
    for row, outcome in outcomes.items():
        kind = "ignored" if outcome.startswith("ignored: ") else outcome if outcome == probe.MAPPED else "deviates"
        counted.setdefault(row.map, Counter())[kind] += 1
    whole = Counter[str]()
    yield "# How much of HL7's v2-to-FHIR guide is mapped"
    yield ""
    yield "Rows of the guide's segment maps that name a FHIR element for a field; `tests/guide` tries each with a small"
    yield "message. *Ignored*: the segment map says why. *Deviates*: mapped elsewhere or not at all, with the reason in"
    yield "`tests/guide/deviations.csv`."
    yield ""
    yield "| Segment map | Rows | Mapped | Ignored | Deviates |"
    yield "|---|---|---|---|---|"
    for name, kinds in sorted(counted.items()):
        yield _line(name, kinds)
        whole += kinds
    yield _line("all", whole)


def _line(name: str, kinds: Counter[str]) -> str:
    return f"| {name} | {kinds.total()} | {kinds[probe.MAPPED]} | {kinds['ignored']} | {kinds['deviates']} |"
