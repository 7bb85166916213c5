"""An intake with agreements of one hospital, on a database of the test's choice, with a clock that the test moves."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from adapter.intake import Answer
from adapter.mapper.catalog import Catalog
from adapter.mapper.sites import Sites
from adapter.store.database import open_database
from tests.integration.catalogue_stand import convert_all
from tests.integration.intake_stand import ORIGIN, Stand, intake_on, run, segments
from tests.mappings import catalog

NOON = datetime(2018, 1, 1, 0, 0, 30, tzinfo=UTC)
"""Half a minute after MSH-7 of the synthetic messages."""


@dataclass
class Clock:
    """What `Intake` believes the time is."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


@dataclass
class Hospital(Stand):
    """One hospital's messages, and what became of them."""

    known: Catalog
    clock: Clock = field(default_factory=Clock)

    def give(self, *raws: bytes) -> list[Answer]:
        """One message after the other."""
        answers: list[Answer] = []

        async def scene() -> None:
            answers.extend([await self.intake.receive(raw, origin=ORIGIN) for raw in raws])

        run(scene)
        return answers

    def codes(self, *raws: bytes) -> list[str]:
        """MSA-1 of each answer; empty where there is none."""
        return [segments(one.ack)["MSA"][1] if one.ack else "" for one in self.give(*raws)]

    def convert(self) -> None:
        """Let a worker do all that waits."""
        convert_all(self.database, self.known)

    def states(self) -> list[str]:
        """Of every message, in the order of storing."""
        return [row["state"] for row in self.messages()]

    def incidents(self) -> dict[str, dict[str, Any]]:
        """The open incidents by their kind."""
        self.intake.incidents.flush()
        return {row["kind"]: row for row in self.rows("SELECT * FROM incident WHERE ended_at IS NULL ORDER BY id")}


def agreed(site: str = "FAHZU", **agreements: Any) -> Catalog:
    """The mappings of the project; one site has agreed on something else."""
    known = catalog()
    old = known.sites[site]
    new = replace(old, intake=replace(old.intake, **agreements))
    return replace(known, sites=Sites({**known.sites.by_code, site: new}))


@contextmanager
def hospital(url: str, **agreements: Any) -> Generator[Hospital]:
    """An intake on this database."""
    database = open_database(url)
    known, clock = agreed(**agreements), Clock()
    try:
        yield Hospital(database, intake_on(database, known, clock), known, clock)
    finally:
        database.close()
