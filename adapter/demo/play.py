"""The demonstration from start to end: start, send, wait, ask, show."""

import asyncio
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from adapter.demo.chart import chart
from adapter.demo.feeds import FEEDS, Feed, send_all
from adapter.demo.program import Program, running
from adapter.demo.questions import Questions, Subject

POLL_SECONDS = 0.2
UNMAPPED_SHOWN = 8


async def play(data: Path, console: Console, *, keep_serving: bool) -> bool:
    """Play the demonstration.

    Args:
        data: an empty folder for the program's data.
        console: where to show it.
        keep_serving: go on serving until Ctrl-C.

    Returns:
        Whether every message was accepted and reached a final state.
    """
    async with running(data) as program:
        console.print(
            f"[bold]adapter serve[/] runs: MLLP {program.mllp[0]}:{program.mllp[1]}, FHIR {program.base}/fhir"
        )
        answers, seconds = await _send(program, console)
        status = await _wait_until_empty(program, console)
        accepted = _show_received(console, answers, status, seconds)
        await asyncio.to_thread(_ask, program, console)
        _show_unmapped(console, status)
        if keep_serving:
            # A handler of the loop wakes it; Python's own may be set off just before the loop falls asleep.
            interrupted = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGINT, interrupted.set)
            console.print(f"\nThe program goes on: open {program.base}/fhir/metadata. Ctrl-C ends it.")
            await interrupted.wait()
        return accepted


async def _send(program: Program, console: Console) -> tuple[dict[str, Counter[str]], float]:
    columns = (TextColumn("{task.description:58}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    begun = time.perf_counter()
    with Progress(*columns, console=console, disable=not console.is_terminal) as bars:
        tasks = {feed.file: bars.add_task(f"{feed.hospital:6}{feed.way}", total=len(feed.messages())) for feed in FEEDS}

        def advance(feed: Feed) -> None:
            bars.advance(tasks[feed.file])

        answers = await send_all(program, advance)
    return answers, time.perf_counter() - begun


async def _wait_until_empty(program: Program, console: Console) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=program.base, headers=program.headers("operator")) as client:
        with console.status("waiting until the inbox is empty"):
            while True:
                status: dict[str, Any] = (await client.get("/status")).json()
                if not any(row["state"] == "received" for row in status["messages"]):
                    return status
                await asyncio.sleep(POLL_SECONDS)


def _show_received(console: Console, answers: dict[str, Counter[str]], status: dict[str, Any], seconds: float) -> bool:
    states = sorted({row["state"] for row in status["messages"]})
    table = Table("hospital", "sent", "answers", *states, title="Received and converted")
    for hospital, codes in answers.items():
        counts: Counter[str] = Counter()
        for row in status["messages"]:
            if row["site"] == hospital:
                counts[row["state"]] += row["count"]
        said = ", ".join(f"{code} {count}" for code, count in codes.items())
        table.add_row(hospital, str(codes.total()), said, *(str(counts[state]) for state in states))
    console.print(table)
    sent = sum(codes.total() for codes in answers.values())
    console.print(f"{sent} messages acknowledged in {seconds:.1f} s over four lines at once.")
    kept = sorted({row["type"] for row in status["messages"] if row["state"] == "unmapped"})
    if kept:
        console.print(f"unmapped = kept byte for byte until a map exists: {', '.join(kept)}")
    resources = ", ".join(f"{kind} {count}" for kind, count in status["resources"].items())
    console.print(f"FHIR resources: {resources}\n")
    fine = all(set(codes) <= {"AA", "CA"} for codes in answers.values())
    return fine and not {"held", "rejected"} & set(states)


def _ask(program: Program, console: Console) -> None:
    headers = program.headers("data-manager")
    with httpx.Client(base_url=f"{program.base}/fhir/", headers=headers, timeout=60) as client:
        questions = Questions(client)
        subjects = questions.subjects()
        infusions = {subject.number: questions.infusions(subject) for subject in subjects}
        _show_subjects(console, subjects, infusions)
        chosen = max(subjects, key=lambda subject: len(infusions[subject.number]), default=None)
        if chosen:
            points = questions.neutrophils(chosen)
            unit = points[0].unit if points else ""
            console.print(f"\nNeutrophils of {chosen.number} ({unit}; dotted 0.5; ▲ infusion)", style="bold")
            for line in chart(points, width=min(console.width, 110), marks=infusions[chosen.number]):
                console.print(line, highlight=False)


def _show_subjects(console: Console, subjects: list[Subject], infusions: dict[str, list[str]]) -> None:
    arms = sorted({subject.arm for subject in subjects})
    table = Table("enrolled at", *arms, title="Subjects per site and arm (asked over FHIR)")
    for site in sorted({subject.site for subject in subjects}):
        counts = Counter(subject.arm for subject in subjects if subject.site == site)
        table.add_row(site, *(str(counts[arm]) for arm in arms))
    console.print(table)
    table = Table("subject", "arm", "status", "infusions", "on", title="Infusions per subject (asked over FHIR)")
    for subject in subjects:
        given = infusions[subject.number]
        days = ", ".join(start[:10] for start in given)
        table.add_row(subject.number, subject.arm, subject.status, str(len(given)), days)
    console.print(table)


def _show_unmapped(console: Console, status: dict[str, Any]) -> None:
    rows = status["unmapped"][:UNMAPPED_SHOWN]
    if not rows:
        console.print("Every populated field of these messages is mapped, or left out with a written reason.")
        return
    table = Table("hospital", "message", "field", "times", title="Populated fields that no rule reads, most first")
    for row in rows:
        table.add_row(row["site"], row["structure"], row["path"], str(row["count"]))
    console.print(table)
