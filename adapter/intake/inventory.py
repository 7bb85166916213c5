"""The certificates of an installation, and how long they are still valid (A32): for `adapter doctor`, and as incidents.

The certificate that a peer showed last is kept as PEM in ADAPTER_DATA/peers, so that another process can look.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, unquote

from adapter.errors import ConfigurationError
from adapter.listeners import Plan, Receiver, Tls
from adapter.store.incidents import Incidents
from adapter.wire import certificates
from adapter.wire.certificates import Certificate

OWN, AUTHORITY, REVOKED, PEER = "own certificate", "authority of clients", "revocation list", "peer's certificate"
RECEIVER = "authority of the receiver"
EXPIRES = "certificate_expires"
_PEERS = "peers"


@dataclass(frozen=True, slots=True)
class Entry:
    """A certificate, what it is for, and where it is used. `certificate` is None where the file cannot be read."""

    channel: str
    role: str
    file: Path
    certificate: Certificate | None

    def days_left(self, now: datetime) -> int | None:
        """Whole days until it ends."""
        return self.certificate.days_left(now) if self.certificate else None


def entries(plan: Plan, data: Path) -> list[Entry]:
    """Every certificate that listeners and replies use, and the last one that each peer showed.

    Args:
        plan: the listeners, MLLP and HTTP, and the receivers of replies.
        data: the folder ADAPTER_DATA.
    """
    found: list[Entry] = []
    for listener in plan.listeners:
        if listener.tls:
            for role, file in _files(listener.tls):
                found += _read(listener.channel.name, role, file)
    for site, receiver in plan.replies.items():
        for role, file in _receiver_files(receiver):
            found += _read(f"replies of {site}", role, file)
    for file in sorted((data / _PEERS).glob("*.pem")):
        found += _read(unquote(file.stem), PEER, file)
    return found


class Inventory:
    """Watches the certificates of a service that runs."""

    def __init__(self, data: Path, incidents: Incidents, clock: Callable[[], datetime]) -> None:
        """Remember peers in `data`, and tell `incidents`."""
        self._folder, self._incidents, self._clock = data / _PEERS, incidents, clock
        self._data = data
        self._last: dict[str, bytes] = {}
        self._told: dict[tuple[str, str], int] = {}

    def trusts(self, channel: str, tls: Tls, der: bytes) -> bool:
        """Whether a valid certificate (DER) is one that this listener is for (A33); who is let in is remembered."""
        if tls.clients is None:
            return True
        known = certificates.parse(der)
        if known is None or (tls.subjects and not known.is_one_of(tls.subjects)):
            return False
        if self._last.get(channel) != der:
            self._last[channel] = der
            self._keep(channel, der)
        return True

    def look(self, plan: Plan) -> None:
        """Tell of each certificate that ends soon, once for each of the days 30, 7 and 1; and when it was replaced."""
        now = self._clock()
        worst: dict[tuple[str, str], tuple[int, Entry]] = {}
        found = entries(plan, self._data)
        for entry in found:
            subject = (entry.channel, entry.role)
            alarm = entry.certificate.alarm(now) if entry.certificate else None
            if alarm is not None and (subject not in worst or alarm < worst[subject][0]):
                worst[subject] = (alarm, entry)
        for subject, (alarm, entry) in worst.items():
            if self._told.get(subject) != alarm and entry.certificate:
                end = f"{entry.certificate.valid_until:%Y-%m-%d}"
                detail = f"{entry.role}: {entry.certificate}, valid until {end}"
                self._incidents.note(EXPIRES, channel=subject[0], peer=subject[1], detail=detail)
        for channel, role in {(entry.channel, entry.role) for entry in found} - worst.keys():
            self._incidents.end(EXPIRES, channel=channel, peer=role)
        self._told = {subject: alarm for subject, (alarm, _) in worst.items()}

    def _keep(self, channel: str, der: bytes) -> None:
        # It is for people to look at: a disk without room must not close the door.
        with suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            file = self._folder / f"{quote(channel, safe='')}.pem"
            new = file.with_suffix(".new")
            new.write_bytes(certificates.pem(der))
            new.replace(file)


def _files(tls: Tls) -> Iterator[tuple[str, Path]]:
    yield OWN, tls.certificate
    if tls.clients:
        yield AUTHORITY, tls.clients
    if tls.revoked:
        yield REVOKED, tls.revoked


def _receiver_files(receiver: Receiver) -> Iterator[tuple[str, Path]]:
    if receiver.tls and receiver.tls.certificate:
        yield OWN, receiver.tls.certificate
    if receiver.tls and receiver.tls.ca:
        yield RECEIVER, receiver.tls.ca


def _read(channel: str, role: str, file: Path) -> list[Entry]:
    try:
        found = (certificates.read_revoked(file),) if role == REVOKED else certificates.read(file)
    except ConfigurationError:
        return [Entry(channel, role, file, None)]
    return [Entry(channel, role, file, one) for one in found]
