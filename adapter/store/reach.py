"""What one caller reaches of the store: every statement that reads resources for somebody takes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapter.fhir.search_params import SearchIndex

Compiled = tuple[str, tuple[Any, ...]]
"""SQL and its values."""


@dataclass(frozen=True, slots=True)
class View:
    """One representation of the resources. Each has tables of its own, whose names begin with `prefix`."""

    name: str
    prefix: str

    def table(self, name: str) -> str:
        """The table of this view for one of the store: `resource`, `resource_history`, or one of the index."""
        return f"{self.prefix}{name}"


IDENTIFIED = View("identified", "")
PSEUDONYMISED = View("pseudonymised", "view_")
VIEWS = {view.name: view for view in (IDENTIFIED, PSEUDONYMISED)}

EVERY_RIGHT = frozenset("cruds")

OF_NOBODY = ""
"""The site of what is no hospital's: the study and its definitions. It is for every reader."""

OF_THE_TRIAL = "*"
"""The site of what was made from several hospitals' messages: for those who read all hospitals."""


@dataclass(frozen=True, eq=False, slots=True)
class Reach:
    """What a caller reaches; made by `access.compiler` alone.

    Attributes:
        view: the representation.
        index: the search parameters of that representation: what is hidden in it has none.
        sites: of which hospitals; None means all. `OF_NOBODY` is within each.
        rights: by resource type the letters of SMART v2: c create, r read, u update, d delete, s search.
        filters: by resource type the searches of granular scopes; one of them must hold.
    """

    view: View
    index: SearchIndex
    sites: frozenset[str] | None
    rights: Mapping[str, frozenset[str]]
    filters: Mapping[str, tuple[tuple[tuple[str, str], ...], ...]]

    def may(self, right: str, resource_type: str) -> bool:
        """Whether a right is given on a type."""
        return right in self.rights.get(resource_type, ())


def everything(index: SearchIndex) -> Reach:
    """The program's own reach: the identified view, of all hospitals."""
    rights = dict.fromkeys(index.parameters, EVERY_RIGHT)
    return Reach(IDENTIFIED, index, None, rights, {})
