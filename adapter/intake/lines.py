"""The MLLP listeners of an installation: opened at the start, changed while they run (A35, F34).

A reload takes over certificates, `subjects`, `revoked`, `allow` and the limits. What would move a listener (its
address, its sites, its name, plain or TLS), and listeners that come or go, need a restart.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from ssl import SSLContext
from typing import Protocol

from adapter import log
from adapter.errors import ConfigurationError
from adapter.intake.inventory import Inventory
from adapter.intake.mllp import listen
from adapter.intake.receive import Intake
from adapter.listeners import Listener, Plan, Tls
from adapter.mapper.catalog import Catalog
from adapter.settings import Settings
from adapter.store.incidents import Incidents
from adapter.wire.listener import Door, Limits
from adapter.wire.listener import Listener as Line
from adapter.wire.spool import room
from adapter.wire.tls import server_context

SPOOL = "spool"
_LOGGED = 200  # characters that the log takes


@dataclass(frozen=True, slots=True)
class _Open:
    wanted: Listener
    line: Line


class Lines:
    """Opens, changes and knows the MLLP listeners."""

    def __init__(self, intake: Intake, catalog: Catalog, settings: Settings, inventory: Inventory) -> None:
        """Nothing is open yet; `plan` is the one that is in force."""
        self._intake, self._catalog, self._settings, self._inventory = intake, catalog, settings, inventory
        self.plan = Plan()
        self._open: list[_Open] = []

    @property
    def listeners(self) -> Sequence[Line]:
        """Those that are open."""
        return [one.line for one in self._open]

    def connections(self) -> dict[str, int]:
        """How many are open on each."""
        return {one.wanted.channel.name: len(one.line.connections) for one in self._open}

    async def open(self, plan: Plan) -> None:
        """Listen.

        Raises:
            ConfigurationError: an address cannot be used, or a certificate; the text says which.
        """
        spool = self._settings.data / SPOOL
        spool.mkdir(parents=True, exist_ok=True)
        for wanted in _mllp(plan):
            limits, door = self._limits(wanted), self._door(wanted)
            try:
                line = await listen(self._intake, wanted.address, channel=wanted.channel, limits=limits, door=door)
            except OSError as error:
                text = f"{wanted.channel.name} cannot listen on {wanted.address}: {error.strerror}"
                raise ConfigurationError(text) from error
            self._open.append(_Open(wanted, line))
            log.event("listening", channel=wanted.channel.name, address=f"{line.address[0]}:{line.address[1]}")
        self.plan = plan

    def prepare(self, plan: Plan) -> Callable[[], list[str]]:
        """Look whether what may change while listening can be used.

        Returns:
            What takes it over, and returns what needs a restart, in words.

        Raises:
            ConfigurationError: a certificate cannot be used.
        """
        wanted = {one.channel.name: one for one in _mllp(plan)}
        stays = come_and_gone([one.wanted.channel.name for one in self._open], wanted)
        changed: list[tuple[_Open, Limits, Door]] = []
        for one in self._open:
            name = one.wanted.channel.name
            new = wanted.get(name)
            if new is None:
                continue
            if _place(new) != _place(one.wanted):
                stays.append(f"address, sites or kind of listener {name}")
                continue
            changed.append((replace(one, wanted=new), self._limits(new), self._door(new)))

        def take_over() -> list[str]:
            for one, limits, door in changed:
                one.line.limits, one.line.door = limits, door
            self.plan = plan
            return stays

        return take_over

    def _limits(self, wanted: Listener) -> Limits:
        settings = self._settings
        return Limits(
            stall_seconds=settings.stall_seconds,
            max_length=settings.max_message_bytes,
            max_connections=wanted.max_connections or settings.max_connections,
            connections_per_address=wanted.connections_per_address,
            single_connection=wanted.single_connection,
            strict_framing=wanted.strict_framing,
            heartbeats=not self._refuses_blank(wanted),
            room=room(settings.data / SPOOL),
        )

    def _refuses_blank(self, wanted: Listener) -> bool:
        """A frame without content names no site: only where there is one for all, its wish is known (A14)."""
        policies = {self._catalog.sites[code].intake.empty_frames for code in wanted.channel.sites}
        return policies == {"refuse"}

    def _door(self, wanted: Listener) -> Door:
        if wanted.tls is None:
            return Door(admits=wanted.admits)
        trusts = partial(self._inventory.trusts, wanted.channel.name, wanted.tls)
        return Door(context(wanted.tls), wanted.admits, trusts)


class Changeable(Protocol):
    """Listeners that may take over parts of a new plan."""

    def prepare(self, plan: Plan) -> Callable[[], list[str]]:
        """What takes it over; ConfigurationError where it cannot be used."""
        ...


class Reload:
    """Reads the file of listeners again; what is wrong in it leaves everything as it was (F33, F34)."""

    def __init__(
        self, read: Callable[[], Plan], listening: Sequence[Changeable], inventory: Inventory, incidents: Incidents
    ) -> None:
        """`read` gives the new plan, or raises ConfigurationError; `listening` take it over, all of them or none."""
        self._read, self._listening, self._inventory, self._incidents = read, listening, inventory, incidents

    def __call__(self) -> None:
        """Take over what may change."""
        try:
            plan = self._read()
            prepared = [one.prepare(plan) for one in self._listening]
        except ConfigurationError as error:
            self._incidents.note("reload_refused", detail=error.text)
            log.event("reload_refused", level=logging.ERROR, reason=error.text[-_LOGGED:])
            return
        self._incidents.end("reload_refused")
        stays = [reason for take_over in prepared for reason in take_over()]
        self._inventory.look(plan)
        log.event("reloaded", needs_restart="; ".join(sorted(stays))[-_LOGGED:])


def come_and_gone(names: Iterable[str], wanted: Iterable[str]) -> list[str]:
    """What needs a restart because a listener of this kind is new or gone, in words."""
    known, new = set(names), set(wanted)
    return [f"listener {name} is new" for name in new - known] + [f"listener {name} is gone" for name in known - new]


def context(tls: Tls) -> SSLContext:
    """TLS as a listener wants it; also for HTTPS.

    Raises:
        ConfigurationError: a file cannot be used.
    """
    return server_context(tls.certificate, tls.key, clients=tls.clients, revoked=tls.revoked)


def _mllp(plan: Plan) -> list[Listener]:
    return [one for one in plan.listeners if one.transport == "mllp"]


def _place(one: Listener) -> tuple[object, ...]:
    return one.address, one.channel.sites, one.tls is None
