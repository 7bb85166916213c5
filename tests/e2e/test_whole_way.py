"""The demonstration's trial through the real program on each database: the same answers to the same questions."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapter.demo.feeds import FEEDS, send_all
from adapter.demo.program import running
from adapter.demo.questions import Questions

INFUSIONS = {"ATLI-02": 1, "ATLI-04": 2, "ATLI-07": 4, "ATLI-18": 3, "ATLI-20": 3, "ATLI-21": 2, "ATLI-25": 3}

pytestmark = pytest.mark.timeout(600)


async def played(folder: Path) -> tuple[dict[str, Counter[str]], dict[str, Any], dict[str, int], list[float]]:
    async with running(folder) as program:
        headers = program.headers("data-manager")
        answers = await send_all(program, lambda _feed: None)
        async with httpx.AsyncClient(base_url=program.base, headers=headers) as client:
            while True:
                status = (await client.get("/status")).json()
                if not any(row["state"] == "received" for row in status["messages"]):
                    break
                await asyncio.sleep(0.3)

        def ask() -> tuple[dict[str, int], list[float]]:
            with httpx.Client(base_url=f"{program.base}/fhir/", headers=headers, timeout=60) as client:
                questions = Questions(client)
                subjects = questions.subjects()
                given = {subject.number: len(questions.infusions(subject)) for subject in subjects}
                curve = questions.neutrophils(next(one for one in subjects if one.number == "ATLI-07"))
                return given, [point.value for point in curve]

        return answers, status, *(await asyncio.to_thread(ask))


def test_a_small_whole_trial(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADAPTER_DATABASE_URL", database_url)
    monkeypatch.setenv("ADAPTER_WORKER_PROCESSES", "2")
    answers, status, infusions, curve = asyncio.run(played(tmp_path / "data"))
    assert {feed.hospital: len(feed.messages()) for feed in FEEDS} == {
        site: codes["AA"] + codes["CA"] for site, codes in answers.items()
    }
    assert {row["state"] for row in status["messages"]} == {"mapped"}
    assert infusions == INFUSIONS
    assert min(curve) < 0.5 < max(curve)
