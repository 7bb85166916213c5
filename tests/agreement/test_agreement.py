"""What other converters make of the corpus, and who is right where we say nothing of it: docs/agreement.md.

Their expectations (`*.expected.json`) are no truth. `verdicts.csv` says who is right about an element, by pattern; the
first pattern that fits counts. The share of facts that we have too may only rise, and every fact has a verdict.
"""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from adapter.convert import convert
from adapter.errors import AdapterError
from adapter.mapper.catalog import Catalog
from tests import mappings
from tests.agreement.facts import ABSENT, ELSEWHERE, OTHERS_ONLY, SAME, Ours, facts
from tests.house.project import PROJECT

HERE = Path(__file__).parent
CORPUS = PROJECT.parent / "shared" / "corpus" / "messages"
RATCHET, DOCUMENT = HERE / "ratchet.json", PROJECT / "docs" / "agreement.md"
NOT_JUDGED = "not judged"

pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="../shared/corpus is not beside the project")


@dataclass(frozen=True)
class Verdict:
    """Who is right about an element that another project makes and we do not."""

    project: str
    element: str
    right: str
    reason: str


def verdicts() -> list[Verdict]:
    with (HERE / "verdicts.csv").open(encoding="utf-8", newline="") as lines:
        return [Verdict(**row) for row in csv.DictReader(lines)]


def judged(project: str, element: str, known: list[Verdict]) -> str:
    found = (one.right for one in known if fnmatchcase(project, one.project) and fnmatchcase(element, one.element))
    return next(found, NOT_JUDGED)


def with_number(raw: bytes) -> bytes:
    """The message with a patient's number where PID-3 is empty: theirs do not need one, ours refuse it (D8)."""
    lines = raw.replace(b"\r\n", b"\r").replace(b"\n", b"\r").split(b"\r")
    for at, line in enumerate(lines):
        fields = line.split(b"|")
        if fields[0] == b"PID" and (len(fields) < 4 or not fields[3].strip(b"^~&")):
            fields += [b""] * (4 - len(fields))
            lines[at] = b"|".join([*fields[:3], b"NUMBER-OF-THE-TEST", *fields[4:]])
    return b"\r".join(lines)


def compared(catalog: Catalog) -> Iterator[tuple[str, str, str]]:
    """Project, element and judgement of every fact of theirs."""
    for file in sorted(CORPUS.rglob("*.expected.json")):
        message = file.with_name(file.name.replace(".expected.json", ".hl7"))
        try:
            made = convert(with_number(message.read_bytes()), catalog=catalog, site=catalog.standard)
        except AdapterError:
            continue
        ours = Ours(mapped.resource for mapped in made.resources)
        for entry in json.loads(file.read_bytes()).get("entry", []):
            if entry["resource"]["resourceType"] not in OTHERS_ONLY:
                for fact in facts(entry["resource"]):
                    yield file.parent.name, fact.element, ours.judge(fact)


def written(found: Counter[tuple[str, str, str]], known: list[Verdict]) -> str:
    """docs/agreement.md."""
    projects = sorted({project for project, _, _ in found})
    lines = [
        "# Agreement with other converters",
        "",
        "Facts (a value at an element) that other projects expect of the messages of the public corpus, and what we",
        "make of the same messages. Theirs is no truth. Made by `pytest tests/agreement --update-ratchet`.",
        "",
        "| Project | Facts | Same element | Elsewhere | Absent: ours right | Neither | Theirs right | Open |",
        "|---|---|---|---|---|---|---|---|",
    ]
    absent: Counter[tuple[str, str, str]] = Counter()
    for project in projects:
        of = Counter[str]()
        for (name, element, judgement), number in found.items():
            if name == project:
                right = judged(project, element, known) if judgement == ABSENT else ""
                of[right or judgement] += number
                if right in {NOT_JUDGED, "open", "theirs", "neither"}:
                    absent[project, element, right] += number
        cells = [
            of.total(),
            of[SAME],
            of[ELSEWHERE],
            of["ours"],
            of["neither"],
            of["theirs"],
            of["open"] + of[NOT_JUDGED],
        ]
        lines.append(f"| {project} | {' | '.join(f'{cell:,}' for cell in cells)} |")
    lines += [
        "",
        "## Who is right where we have no such fact",
        "",
        "| Project | Element | Right | Why |",
        "|---|---|---|---|",
    ]
    lines += [f"| {one.project} | `{one.element}` | {one.right} | {one.reason} |" for one in known]
    lines += ["", "## Theirs, neither, or open", "", "| Facts | Project | Element | |", "|---|---|---|---|"]
    lines += [
        f"| {number} | {project} | `{element}` | {right} |"
        for (project, element, right), number in absent.most_common()
    ]
    return "\n".join(lines) + "\n"


def test_agreement_with_other_converters_does_not_fall(request: pytest.FixtureRequest) -> None:
    found = Counter(compared(mappings.catalog()))
    had: Counter[str] = Counter()
    for (project, _, judgement), number in found.items():
        had[project] += number if judgement != ABSENT else 0
    if request.config.getoption("--update-ratchet"):
        RATCHET.write_text(json.dumps(dict(sorted(had.items())), indent=2) + "\n", encoding="utf-8")
        DOCUMENT.write_text(written(found, verdicts()), encoding="utf-8")
    absent = {(project, element) for project, element, judgement in found if judgement == ABSENT}
    known = verdicts()
    assert {one for one in absent if judged(*one, known) == NOT_JUDGED} == set()
    kept = json.loads(RATCHET.read_text(encoding="utf-8"))
    assert {project: number for project, number in kept.items() if had[project] < number} == {}


def test_every_verdict_is_about_something() -> None:
    found = {(project, element) for project, element, _ in compared(mappings.catalog())}
    idle = [one for one in verdicts() if not any(judged(*it, [one]) != NOT_JUDGED for it in found)]
    assert idle == []
