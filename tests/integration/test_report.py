"""`adapter report` against the real program: every number of the independent analysis, on the reference and others.

The reference cohort is asked for by the central site, which is shown nobody's identity; the others by a data manager.
"""

import asyncio
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapter.demo.program import Program, running
from tests.integration.cohort import SHARED, needs_cohort
from tests.integration.cohort_world import World

REFERENCE = SHARED / "cohort"
TOOLS = REFERENCE / "tools"

pytestmark = [needs_cohort, pytest.mark.timeout(900)]

Numbers = dict[tuple[str, str], dict[str, Any]]


def adapter(*arguments: str | Path) -> None:
    command = [sys.executable, "-m", "adapter", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def tool(name: str, *arguments: str | Path) -> None:
    command = [sys.executable, "-B", str(TOOLS / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def numbers(file: Path) -> Numbers:
    return {(one["where"], one["label"]): one for one in json.loads(file.read_text())["results"]}


def settled(program: Program, *, due: bool) -> None:
    """Wait until every message is converted; with `due` also until facts are derived and the view is written."""
    with httpx.Client(base_url=program.base, headers=program.headers("operator")) as client:
        while True:
            status = client.get("/status").json()
            if not any(row["state"] == "received" for row in status["messages"]) and not (
                due and any(status["due"].values())
            ):
                return
            time.sleep(0.2)


async def reported(
    data: Path, out: Path, controls: Path, streams: list[Path], *, role: str = "data-manager"
) -> Numbers:
    """What the report says of a store to a role, after these streams were sent to it and the controls imported."""
    async with running(data) as program:

        def play() -> None:
            for stream in streams:
                adapter("send", stream, "--mllp", f"127.0.0.1:{program.mllp[1]}")
            adapter("import", controls, "--data", data)
            settled(program, due=role == "central")
            token = program.headers(role)["Authorization"].removeprefix("Bearer ")
            adapter("report", "--base", f"{program.base}/fhir", "--token", token, "--out", out)

        await asyncio.to_thread(play)
    return numbers(out / "results.json")


def computed(of: Numbers) -> dict[tuple[str, str], str]:
    return {place: one["computed"] for place, one in of.items()}


@pytest.fixture(scope="module")
def reference(played_cohort: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[Numbers, Path]:
    folder = tmp_path_factory.mktemp("report")
    shutil.copytree(played_cohort.folder, folder / "data")
    controls = REFERENCE / "controls.csv"
    made = asyncio.run(reported(folder / "data", folder / "out", controls, [], role="central"))
    return made, folder / "out"


def test_every_number_of_the_reference_cohort_is_that_of_the_independent_analysis(
    reference: tuple[Numbers, Path],
) -> None:
    made, truth = reference[0], numbers(REFERENCE / "results.json")
    assert len(truth) == 530
    assert {place: made[place]["computed"] for place in truth} == computed(truth)


def test_each_number_stands_beside_the_published_one_with_what_it_rests_on(reference: tuple[Numbers, Path]) -> None:
    made, truth = reference[0], numbers(REFERENCE / "results.json")
    for place, one in truth.items():
        assert (made[place]["published"], made[place]["status"]) == (one["published"], one["status"])
        assert made[place]["resources"], place
    assert {one["status"] for one in made.values()} == {"OK", "ROUND", "DIFF", "n/a"}
    kinds = {ref.partition("/")[0] for one in made.values() for ref in one["resources"]}
    assert kinds >= {"Observation", "Procedure", "AdverseEvent", "MedicationAdministration", "ResearchSubject"}


def test_tables_and_figures_are_files_of_their_kinds(reference: tuple[Numbers, Path]) -> None:
    out = reference[1]
    for table in range(1, 5):
        assert (out / f"table-{table}.csv").read_text().startswith("what,computed,published,comparison,note,resources")
        assert f"Table {table}" in (out / f"table-{table}.html").read_text()
        assert (out / f"table-{table}.md").read_text().count("\n|") > 10
    for figure in range(2, 7):
        assert b"<svg" in (out / f"figure-{figure}.svg").read_bytes()[:1000]
        assert (out / f"figure-{figure}.png").read_bytes().startswith(b"\x89PNG")


NOBODY_DIED = "no subject died"
OTHERS = {
    "seven patients in three hospitals": ("7", "4", "3", "3", "10"),
    "one patient, and so an empty arm": ("11", "1", "0", "1", "5"),
    NOBODY_DIED: ("41", "2", "1", "2", "4"),
}
"""Seed, patients with AML, with MDS, hospitals, controls."""


@pytest.mark.parametrize("case", OTHERS)
def test_every_number_of_another_cohort_is_that_of_the_independent_analysis(case: str, tmp_path: Path) -> None:
    seed, aml, mds, sites, controls = OTHERS[case]
    cohort, sent = tmp_path / "cohort", tmp_path / "messages"
    patients = ("--patients-aml", aml, "--patients-mds", mds, "--sites", sites, "--controls", controls)
    tool("make_cohort.py", "--out", cohort, "--seed", seed, *patients)
    assert case != NOBODY_DIED or ",dead," not in (cohort / "outcomes.csv").read_text()
    tool("analyse.py", cohort, "--quiet")
    tool("make_messages.py", "--cohort", cohort, "--out", sent)
    streams = sorted(sent.glob("*.mllp"))
    made = asyncio.run(reported(tmp_path / "data", tmp_path / "out", cohort / "controls.csv", streams))
    truth = computed(numbers(cohort / "results.json"))
    assert len(truth) > 500
    assert {place: text for place, text in computed(made).items() if place in truth} == truth


def test_a_server_that_is_not_there_is_named_with_who_mends_it(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "adapter", "report", "--base", "http://127.0.0.1:9/fhir", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "does not answer" in done.stderr
    assert "H2F-6001, to be mended by: administrator of the FHIR server" in done.stderr
