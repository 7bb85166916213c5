"""The operator's side of the service: its interface, its metrics, the watch, and the door for commands."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from adapter.api.metrics import Connections, Observed
from adapter.api.operator import LOCAL, Operator
from adapter.api.routes import add_operator
from adapter.mapper.catalog import Catalog
from adapter.monitor import Monitor
from adapter.operate import door
from adapter.operate.confirming import Confirms
from adapter.operate.explain import Explanation
from adapter.operate.imports import Imports
from adapter.operate.queries import Asking, Only, listing
from adapter.operate.replays import Replays
from adapter.settings import Settings
from adapter.store.database import Database
from adapter.store.incidents import Incidents
from adapter.store.repair import Accept
from adapter.tally import Tally, Work


@dataclass(frozen=True, slots=True)
class Control:
    """One for a service; `works` are what its workers count, `tally` what its intake does.

    `certificates` tells the days left by listener, `accept` takes what was refused as a whole, `replays` carries out
    replays, `imports` takes rows of tables, `asking` are the rules of the trial office's queries, `confirms` confirms
    derived facts.
    """

    settings: Settings
    database: Database
    catalog: Catalog
    clock: Callable[[], datetime]
    works: Sequence[Work]
    certificates: Callable[[], Mapping[str, float]] = dict[str, float]
    accept: Accept | None = None
    replays: Replays | None = None
    imports: Imports | None = None
    asking: Asking | None = None
    confirms: Confirms | None = None
    token: str = field(default_factory=door.new_token, repr=False)
    tally: Tally = field(init=False)

    def __post_init__(self) -> None:
        """Count with the types that are accepted as labels."""
        catalog = self.catalog
        types = frozenset({*catalog.messages, *catalog.kept, *catalog.ignored})
        object.__setattr__(self, "tally", Tally(types))

    def serve_on(self, app: FastAPI, connections: Connections) -> None:
        """Add `/operator` and `/metrics`; `connections` tells how many are open."""
        tokens = {LOCAL: self.token}
        if self.settings.operator_token:
            tokens["operator"] = self.settings.operator_token.get_secret_value()
        wal = Path(f"{self.database.file}-wal") if self.database.file else None
        observed = Observed(
            self.database,
            self.tally,
            self.works,
            self.settings.data,
            connections=connections,
            certificates=self.certificates,
            wal=wal,
            clock=self.clock,
        )
        operator = Operator(
            self.database,
            tokens,
            Explanation(self.catalog),
            self.accept,
            self.replays,
            self.imports,
            self._queries if self.asking else None,
            self.confirms,
        )
        add_operator(app, operator, observed)

    def _queries(self, only: Only) -> Iterator[dict[str, Any]]:
        if self.asking:
            today = self.clock().astimezone(self.asking.trial.terms.zone).date()
            yield from listing(self.database, self.asking, only, as_of=today)

    @contextmanager
    def watching(self, url: str, incidents: Incidents) -> Generator[None]:
        """Watch, and let commands in at `url`, inside."""
        watch = Monitor(self.database, incidents, self.catalog.sites, clock=self.clock, data=self.settings.data)
        with door.opened(self.settings.data, door.Door(url, self.token)), watch.watching():
            yield
