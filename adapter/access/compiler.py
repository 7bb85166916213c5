"""The one compiler: from who asks to what is reached. Every path to resources begins here."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from adapter.access.principal import Principal
from adapter.access.roles import Role
from adapter.access.scopes import Scope
from adapter.fhir.search_params import SearchIndex
from adapter.store.reach import Reach

_MOST = 1000


@dataclass(frozen=True, slots=True)
class Compiler:
    """Roles, and the search parameters of each view by its name."""

    roles: Mapping[str, Role]
    indexes: Mapping[str, SearchIndex]
    _known: dict[Principal, Reach] = field(default_factory=dict[Principal, Reach])

    def reach(self, principal: Principal) -> Reach:
        """What a principal reaches: what its role has, as far as it was granted."""
        found = self._known.get(principal)
        if found is None:
            if len(self._known) >= _MOST:
                self._known.clear()
            found = self._known[principal] = self._compile(principal)
        return found

    def role(self, principal: Principal) -> Role:
        """The role of a principal."""
        return self.roles[principal.role]

    def _compile(self, principal: Principal) -> Reach:
        role = self.roles[principal.role]
        index = self.indexes[role.view.name]
        rights: dict[str, frozenset[str]] = {}
        filters: dict[str, tuple[tuple[tuple[str, str], ...], ...]] = {}
        for kind, most in role.types.items():
            scopes = [one for one in principal.scopes if one.covers(kind)] if kind in index.parameters else []
            rights[kind] = most & _rights(scopes)
            reading = [one for one in scopes if one.rights & {"r", "s"}]
            # One that reads without a search reads everything.
            if reading and all(one.search for one in reading):
                filters[kind] = tuple(one.search for one in reading)
        return Reach(role.view, index, principal.sites, rights, filters)


def _rights(scopes: list[Scope]) -> frozenset[str]:
    return frozenset[str]().union(*(one.rights for one in scopes))
