"""The listeners of one installation: where hospitals connect, which sites each listener is for, and who may come.

They are written in a YAML file of the installation (ADAPTER_LISTENERS, docs/listeners.md), since addresses and
certificates are no part of what a hospital sends. Paths in it are relative to the file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, cast

from adapter.errors import MappingError
from adapter.settings import Address
from adapter.yaml_lines import Lines, load

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Channel:
    """What the intake must know of a listener: its name, and the sites it is for; none named means every site."""

    name: str
    sites: frozenset[str] = frozenset()

    def takes(self, site: str) -> bool:
        """Whether messages of this site may come here."""
        return not self.sites or site in self.sites


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS of a listener: its own certificate, and who may connect.

    `clients` is the file of certificate authorities; without it no client certificate is asked for. `subjects` are
    the names (common name or alternative name) or SHA-256 fingerprints of the certificates that are let in; none
    named means every certificate of these authorities. `revoked` is their list of what they have taken back.
    """

    certificate: Path
    key: Path
    clients: Path | None = None
    subjects: frozenset[str] = frozenset()
    revoked: Path | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """One listener: `transport` is `mllp` or `http`.

    `allow` are the networks that may connect; none named means all. `rate` is messages a second from one client over
    HTTP, 0 without a limit. `token` is the file that holds the bearer token of HTTP clients.
    """

    channel: Channel
    transport: str
    address: Address
    tls: Tls | None = None
    allow: tuple[Network, ...] = ()
    max_connections: int | None = None
    connections_per_address: int | None = None
    strict_framing: bool = False
    single_connection: bool = False
    rate: float = 0.0
    token: Path | None = None

    def admits(self, address: str) -> bool:
        """Whether a peer of this IP address may connect (A24)."""
        return not self.allow or any(ip_address(address) in network for network in self.allow)


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder into which files with messages are put; what was read goes to `done` in it, with its answers."""

    channel: Channel
    path: Path


@dataclass(frozen=True, slots=True)
class ReceiverTls:
    """TLS towards a receiver: its authorities (None: those of the system), and our own certificate where it asks."""

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who takes the application acknowledgements of a site, over MLLP."""

    address: Address
    tls: ReceiverTls | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """All listeners and watched folders; `replies` are those who take application acknowledgements, by site."""

    listeners: tuple[Listener, ...] = ()
    folders: tuple[Folder, ...] = ()
    replies: Mapping[str, Receiver] = field(default_factory=dict[str, Receiver])


_LIMITS = ("max_connections", "connections_per_address", "rate")
_HABITS = ("strict_framing", "single_connection")
_LISTENER = frozenset({"name", "mllp", "http", "sites", "tls", "allow", "token", *_LIMITS, *_HABITS})
_TLS = frozenset({"certificate", "key", "clients", "subjects", "revoked"})
_FOLDER = frozenset({"name", "path", "sites"})
_RECEIVER = frozenset({"mllp", "tls"})
_RECEIVER_TLS = frozenset({"ca", "certificate", "key"})
_ROOT = frozenset({"listeners", "folders", "replies"})


def load_plan(file: Path, *, sites: Sequence[str]) -> Plan:
    """Read and check the file of listeners.

    Args:
        file: YAML with `listeners`, `folders`, `replies`.
        sites: the codes of the sites that mappings/sites/ describes.

    Raises:
        MappingError: the first thing that is wrong, with file and line.
    """
    said = load(file)
    _known(said, _ROOT, file)
    listeners = tuple(_listener(one, file, sites) for one in _list(said, "listeners", file))
    folders = tuple(
        Folder(_channel(one, file, sites, _FOLDER), _path(one, "path", file)) for one in _list(said, "folders", file)
    )
    names = [one.channel.name for one in (*listeners, *folders)]
    for one in _list(said, "listeners", file) + _list(said, "folders", file):
        if names.count(one["name"]) > 1:
            raise MappingError(f"name: {one['name']} stands twice", file=file, line=one.at["name"])
    replies: Any = said.get("replies") or Lines()
    if not isinstance(replies, Lines):
        raise MappingError("replies: says for each site HOST:PORT", file=file, line=said.at["replies"])
    receivers = {_site(code, replies, file, sites): _receiver(replies, code, file) for code in replies}
    return Plan(listeners, folders, receivers)


def _receiver(replies: Lines, code: str, file: Path) -> Receiver:
    said = replies[code]
    if not isinstance(said, Lines):
        return Receiver(_address(replies, code, file))
    _known(said, _RECEIVER, file)
    if "mllp" not in said:
        raise MappingError("mllp: is missing", file=file, line=said.line)
    tls = said.get("tls")
    if "tls" in said and not isinstance(tls, Lines):
        raise MappingError("tls: holds ca, certificate, key", file=file, line=said.at["tls"])
    return Receiver(_address(said, "mllp", file), _receiver_tls(tls, file) if isinstance(tls, Lines) else None)


def _receiver_tls(said: Lines, file: Path) -> ReceiverTls:
    _known(said, _RECEIVER_TLS, file)
    if ("certificate" in said) != ("key" in said):
        raise MappingError("certificate: and key: belong together", file=file, line=said.line)
    ca, certificate, key = (_path(said, name, file) if name in said else None for name in ("ca", "certificate", "key"))
    return ReceiverTls(ca, certificate, key)


def _listener(said: Lines, file: Path, sites: Sequence[str]) -> Listener:
    channel = _channel(said, file, sites, _LISTENER)
    transports = [name for name in ("mllp", "http") if name in said]
    if len(transports) != 1:
        raise MappingError("a listener has either mllp: or http:", file=file, line=said.line)
    return Listener(
        channel,
        transports[0],
        _address(said, transports[0], file),
        tls=_tls(said["tls"], file, said.at["tls"]) if "tls" in said else None,
        allow=tuple(_network(text, said, file) for text in _texts(said, "allow", file)),
        max_connections=_count(said, "max_connections", file),
        connections_per_address=_count(said, "connections_per_address", file),
        strict_framing=bool(said.get("strict_framing")),
        single_connection=bool(said.get("single_connection")),
        rate=float(_count(said, "rate", file) or 0),
        token=_path(said, "token", file) if "token" in said else None,
    )


def _channel(said: Lines, file: Path, sites: Sequence[str], known: frozenset[str]) -> Channel:
    _known(said, known, file)
    name = said.get("name")
    if not isinstance(name, str) or not name:
        raise MappingError("name: is missing", file=file, line=said.line)
    codes = _texts(said, "sites", file)
    for code in codes:
        if code not in sites:
            text = f"sites: there is no site {code}; known are {', '.join(sites)}"
            raise MappingError(text, file=file, line=said.at["sites"])
    return Channel(name, frozenset(codes))


def _tls(said: Any, file: Path, line: int) -> Tls:
    if not isinstance(said, Lines):
        raise MappingError("tls: holds certificate, key, clients, subjects, revoked", file=file, line=line)
    _known(said, _TLS, file)
    clients = _path(said, "clients", file) if "clients" in said else None
    for key in ("subjects", "revoked"):
        if said.get(key) and clients is None:
            raise MappingError(f"{key}: is of no use without clients:", file=file, line=said.at[key])
    subjects = frozenset(_texts(said, "subjects", file))
    revoked = _path(said, "revoked", file) if "revoked" in said else None
    return Tls(_path(said, "certificate", file), _path(said, "key", file), clients, subjects, revoked)


def _known(said: Lines, known: frozenset[str], file: Path) -> None:
    for key in said:
        if key not in known:
            text = f"unknown key {key!r}; known are {', '.join(sorted(known))}"
            raise MappingError(text, file=file, line=said.at[key])


def _list(said: Lines, key: str, file: Path) -> list[Lines]:
    found: Any = said.get(key) or []
    if not isinstance(found, list) or not all(isinstance(one, Lines) for one in cast("list[Any]", found)):
        raise MappingError(f"{key}: is a list, each with a name", file=file, line=said.at[key])
    return cast("list[Lines]", found)


def _texts(said: Lines, key: str, file: Path) -> list[str]:
    found: Any = said.get(key) or []
    if not isinstance(found, list):
        raise MappingError(f"{key}: is a list", file=file, line=said.at[key])
    return [str(one) for one in cast("list[Any]", found)]


def _site(code: str, said: Lines, file: Path, sites: Sequence[str]) -> str:
    if code not in sites:
        raise MappingError(f"there is no site {code}; known are {', '.join(sites)}", file=file, line=said.at[code])
    return code


def _address(said: Lines, key: str, file: Path) -> Address:
    try:
        return Address.parse(str(said[key]))
    except ValueError as error:
        raise MappingError(f"{key}: {error}", file=file, line=said.at[key]) from None


def _network(text: Any, said: Lines, file: Path) -> Network:
    try:
        return ip_network(str(text))
    except ValueError as error:
        raise MappingError(f"allow: {error}", file=file, line=said.at["allow"]) from None


def _count(said: Lines, key: str, file: Path) -> int | None:
    found = said.get(key)
    if found is not None and (not isinstance(found, int) or found < 1):
        raise MappingError(f"{key}: is a whole number above 0", file=file, line=said.at[key])
    return found


def _path(said: Lines, key: str, file: Path) -> Path:
    if not said.get(key):
        raise MappingError(f"{key}: is missing", file=file, line=said.line)
    return file.parent / str(said[key])
