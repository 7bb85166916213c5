"""Who asks."""

from dataclasses import dataclass

from adapter.access.scopes import Scope


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller that is known: the client, in one role, for some hospitals (None: for all), with what it was granted."""

    client: str
    role: str
    sites: frozenset[str] | None
    scopes: tuple[Scope, ...]
