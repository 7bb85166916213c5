"""The service: all that runs in one event loop, from the first listener to the last answer."""

import asyncio
import signal
import threading
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI

from adapter import doors, log
from adapter.access.audit import Trail
from adapter.access.guard import Guard
from adapter.api import binary
from adapter.api.routes import Auditing, create_app
from adapter.control import Control
from adapter.documents import finder
from adapter.http_connection import Bounds
from adapter.http_listeners import HttpListeners, post_hl7
from adapter.http_server import Server
from adapter.intake import (
    EVERY_SITE,
    HTTP,
    HttpLine,
    Intake,
    Inventory,
    Lines,
    Reload,
    WatchedFolder,
    accept_held,
    accept_order,
    hold_late_fragments,
    receive_made,
    warm,
    watching,
)
from adapter.intake.inventory import entries
from adapter.listeners import Listener, Plan, load_plan
from adapter.operate.confirming import Confirmer
from adapter.operate.imports import Given, Importer
from adapter.operate.provenance import Provenances
from adapter.replay.present import Present
from adapter.replay.run import Replayer
from adapter.replies.delivery import Deliveries
from adapter.settings import Settings
from adapter.stock import Stock
from adapter.store.database import Connection, Database
from adapter.store.incidents import Incidents
from adapter.store.tokens import Token
from adapter.tally import Work

CERTIFICATE_SECONDS = 3600.0
"""So often it is looked when certificates end."""


class Service:
    """One service on one database."""

    def __init__(  # noqa: PLR0913  (the parts of a service, all named by the caller)
        self,
        settings: Settings,
        stock: Stock,
        database: Database,
        *,
        present: Present,
        incidents: Incidents,
        works: Sequence[Work],
        clock: Callable[[], datetime],
    ) -> None:
        """Put its parts together; `works` are what its workers count."""
        self._settings, self._stock, self._database = settings, stock, database
        self._incidents, self._clock = incidents, clock
        self._guard = Guard(database, stock.access, clock, _standing(settings))
        self._intake = Intake(catalog=stock.catalog, database=database, clock=clock, incidents=incidents)
        self._inventory = Inventory(settings.data, incidents, clock)
        self._lines = Lines(self._intake, stock.catalog, settings, self._inventory)
        self._control = Control(
            settings,
            database,
            stock.catalog,
            clock,
            works,
            certificates=self._days_left,
            accept=self._accept,
            replays=Replayer(database, present, clock),
            imports=Importer(database, stock.sheets, self._give, clock),
            asking=stock.asking,
            confirms=Confirmer(database, self._give, clock),
        )
        self._intake.tally = self._control.tally

    async def serve(self) -> None:
        """Serve until a signal or a storage that fails for good; then answer what is under way, and return.

        Raises:
            ConfigurationError: an address cannot be used, or a file of a listener cannot be read.
        """
        self._loop = asyncio.get_running_loop()
        stop = self._stop()
        async with AsyncExitStack() as ended:
            self._incidents.start()
            ended.callback(self._incidents.close)
            trail = Trail(self._settings.data / "audit", self._incidents)
            ended.callback(trail.close)
            ended.push_async_callback(self._intake.close)
            api = self._api(trail)
            serving = await api.open()
            ended.push_async_callback(api.stop)
            log.event("listening", http=api.address)
            await self._open(ended, stop)
            ended.enter_context(self._control.watching(api.local, self._incidents))
            await asyncio.wait({serving, asyncio.create_task(stop.wait())}, return_when=asyncio.FIRST_COMPLETED)

    def _stop(self) -> asyncio.Event:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        doors.heed_descriptors(loop, self._incidents)
        self._database.on_break(lambda: loop.call_soon_threadsafe(stop.set))
        return stop

    def _api(self, trail: Trail) -> Server:
        """FHIR, the operator's side, and without a file of listeners `/hl7` too."""
        settings, line = self._settings, HttpLine(self._intake)
        app = create_app(
            guard=self._guard,
            profiles=self._stock.profiles,
            post_hl7=post_hl7(line, settings) if settings.listeners is None else None,
            auditing=Auditing(trail, self._incidents, self._clock),
            made={"Provenance": Provenances(self._stock.catalog)},
            base=settings.canonical_base,
            pages=self._stock.guide().page,
        )
        self._complete(app)
        bounds = Bounds(head_seconds=settings.stall_seconds, refused=line.refused)
        return Server(app, settings.http, bounds=bounds, proxied=True)

    def _complete(self, app: FastAPI) -> None:
        binary.install(app, finder(self._database, self._stock.catalog))
        self._control.serve_on(app, self._lines.connections)

    async def _open(self, ended: AsyncExitStack, stop: asyncio.Event) -> None:
        """Listen to the hospitals, and begin what goes on beside it."""
        plan = self._plan()
        web = HttpListeners(self._intake, self._settings)
        ended.push_async_callback(web.stop)
        await web.open(plan)
        await self._lines.open(plan)
        ended.push_async_callback(self._stop_lines)
        folders = [
            WatchedFolder(folder, self._intake, self._clock, self._settings.max_message_bytes, stop)
            for folder in plan.folders
        ]
        await ended.enter_async_context(watching(folders))
        reload = Reload(self._plan, (self._lines, web), self._inventory, self._incidents)
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)
        threading.Thread(target=warm, args=(self._stock.catalog,), name="warm", daemon=True).start()
        for beside in self._beside(plan):
            ended.callback(asyncio.create_task(beside).cancel)

    def _plan(self) -> Plan:
        """The listeners of the installation; by default one for every site."""
        if self._settings.listeners is None:
            return Plan((Listener(EVERY_SITE, "mllp", self._settings.mllp),))
        return load_plan(self._settings.listeners, sites=[site.code for site in self._stock.catalog.sites])

    def _beside(self, plan: Plan) -> tuple[Coroutine[Any, Any, None], ...]:
        """What goes on beside the listeners until the service stops."""
        sites = [site.code for site in self._stock.catalog.sites]
        return (
            doors.mind(self._lines.listeners, self._database, self._incidents),
            Deliveries(self._database, plan.replies, self._incidents).run(),
            hold_late_fragments(self._database, self._incidents, sites),
            self._look_after_certificates(),
        )

    def _accept(self, connection: Connection, message_id: int) -> bool:
        """How a person accepts what was refused as a whole."""
        plan = self._lines.plan
        channels = {one.channel.name: one.channel for one in (*plan.listeners, *plan.folders)} | {HTTP.name: HTTP}
        whole = accept_held(connection, message_id, door=self._intake, channels=channels, now=self._clock())
        return whole or accept_order(connection, message_id, catalog=self._stock.catalog)

    def _give(self, raws: Sequence[bytes], site: str, actor: str) -> list[Given]:
        """Give messages that are made here to the intake, from a thread that is not the loop's."""
        receiving = receive_made(self._intake, raws, site=site, actor=actor)
        answers = asyncio.run_coroutine_threadsafe(receiving, self._loop).result()
        return [Given(answer.state, answer.message_id) for answer in answers]

    def _days_left(self) -> dict[str, float]:
        """Of the certificate of each listener that ends first."""
        found: dict[str, float] = {}
        for one in entries(self._lines.plan, self._settings.data):
            days = one.days_left(self._clock())
            if days is not None:
                found[one.channel] = min(days, found.get(one.channel, days))
        return found

    async def _look_after_certificates(self) -> None:
        while True:
            await asyncio.to_thread(self._inventory.look, self._lines.plan)
            await asyncio.sleep(CERTIFICATE_SECONDS)

    async def _stop_lines(self) -> None:
        stopped = await asyncio.gather(*(line.stop() for line in self._lines.listeners))
        log.event("stopped", drained=sum(one.drained for one in stopped), cut=sum(one.cut for one in stopped))


def _standing(settings: Settings) -> dict[str, Token]:
    """The operator's token, which Prometheus bears."""
    secret = settings.operator_token
    token = Token("operator", "operator", None, "", datetime.max.replace(tzinfo=UTC))
    return {secret.get_secret_value(): token} if secret else {}
