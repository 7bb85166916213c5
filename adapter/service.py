"""The service: all that runs in one event loop, from the first listener to the last answer."""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import FastAPI

from adapter import doors, log
from adapter.access.audit import Trail
from adapter.api import binary
from adapter.api.routes import Auditing, create_app
from adapter.control import Control
from adapter.documents import finder
from adapter.errors import ConfigurationError
from adapter.http_connection import Bounds
from adapter.http_server import Server, open_listener, post_hl7
from adapter.intake import EVERY_SITE, HttpLine, Intake, hold_late_fragments, listen, warm
from adapter.listeners import Listener, Plan, load_plan
from adapter.replies.delivery import Deliveries
from adapter.settings import Settings
from adapter.stock import Stock
from adapter.store.database import Database
from adapter.store.incidents import Incidents
from adapter.tally import Work
from adapter.wire.listener import Limits
from adapter.wire.listener import Listener as Line


@dataclass(frozen=True, slots=True)
class Service:
    """What one service works with; `works` are what its workers count."""

    settings: Settings
    stock: Stock
    database: Database
    incidents: Incidents
    works: Sequence[Work]
    clock: Callable[[], datetime]

    async def serve(self) -> None:
        """Serve until a signal or a storage that fails for good; then answer what is under way, and return.

        Raises:
            ConfigurationError: an address cannot be used, or a file of a listener cannot be read.
        """
        stop = self._stop()
        async with AsyncExitStack() as ended:
            self.incidents.start()
            ended.callback(self.incidents.close)
            trail = Trail(self.settings.data / "audit", self.incidents)
            ended.callback(trail.close)
            intake = self._intake()
            ended.push_async_callback(intake.close)
            control = Control(self.settings, self.database, self.stock.catalog, self.clock, self.works)
            intake.tally = control.tally
            plan = self._plan()
            lines: list[Line] = []
            line = HttpLine(intake)
            app = self._api(line, Auditing(trail, self.incidents, self.clock))
            control.serve_on(app, lambda: _connections(plan, lines))
            bounds = Bounds(head_seconds=self.settings.stall_seconds, refused=line.refused)
            api = Server(app, self.settings.http, bounds=bounds)
            serving = await api.open()
            ended.push_async_callback(api.stop)
            log.event("listening", http=api.address)
            for wanted in plan.listeners:
                if wanted.transport == "http":
                    ended.push_async_callback((await open_listener(intake, wanted, self.settings)).stop)
                else:
                    lines.append(await self._listen(intake, wanted))
            ended.push_async_callback(_stop_lines, lines)
            threading.Thread(target=warm, args=(self.stock.catalog,), name="warm", daemon=True).start()
            for beside in self._beside(plan, lines):
                ended.callback(asyncio.create_task(beside).cancel)
            ended.enter_context(control.watching(api.local, self.incidents))
            await asyncio.wait({serving, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)

    def _beside(self, plan: Plan, lines: Sequence[Line]) -> tuple[Coroutine[Any, Any, None], ...]:
        """What goes on beside the listeners until the service stops."""
        sites = [site.code for site in self.stock.catalog.sites]
        return (
            doors.mind(lines, self.database, self.incidents),
            Deliveries(self.database, plan.replies, self.incidents).run(),
            hold_late_fragments(self.database, self.incidents, sites),
        )

    def _stop(self) -> asyncio.Event:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        self.database.on_break(lambda: loop.call_soon_threadsafe(stop.set))
        return stop

    def _intake(self) -> Intake:
        return Intake(catalog=self.stock.catalog, database=self.database, clock=self.clock, incidents=self.incidents)

    def _plan(self) -> Plan:
        """The listeners of the installation; by default one for every site."""
        if self.settings.listeners is None:
            return Plan((Listener(EVERY_SITE, "mllp", self.settings.mllp),))
        return load_plan(self.settings.listeners, sites=[site.code for site in self.stock.catalog.sites])

    def _api(self, line: HttpLine, auditing: Auditing) -> FastAPI:
        """FHIR; without a file of listeners, `/hl7` too."""
        token = self.settings.read_token
        app = create_app(
            database=self.database,
            index=self.stock.search_index,
            profiles=self.stock.profiles,
            post_hl7=post_hl7(line, self.settings) if self.settings.listeners is None else None,
            token=token.get_secret_value() if token else None,
            auditing=auditing,
        )
        binary.install(app, finder(self.database, self.stock.catalog))
        return app

    async def _listen(self, intake: Intake, wanted: Listener) -> Line:
        limits = Limits(
            stall_seconds=self.settings.stall_seconds,
            max_length=self.settings.max_message_bytes,
            max_connections=wanted.max_connections or self.settings.max_connections,
        )
        try:
            line = await listen(intake, wanted.address, channel=wanted.channel, limits=limits)
        except OSError as error:
            text = f"{wanted.channel.name} cannot listen on {wanted.address}: {error.strerror}"
            raise ConfigurationError(text) from error
        log.event("listening", channel=wanted.channel.name, address=f"{line.address[0]}:{line.address[1]}")
        return line


async def _stop_lines(lines: Sequence[Line]) -> None:
    stopped = await asyncio.gather(*(line.stop() for line in lines))
    log.event("stopped", drained=sum(one.drained for one in stopped), cut=sum(one.cut for one in stopped))


def _connections(plan: Plan, lines: Sequence[Line]) -> dict[str, int]:
    wanted = (one for one in plan.listeners if one.transport == "mllp")
    return {one.channel.name: len(line.connections) for one, line in zip(wanted, lines, strict=False)}
