"""Roles: profiles/roles.yaml."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter.errors import MappingError
from adapter.store.reach import EVERY_RIGHT, VIEWS, View
from adapter.yaml_lines import Lines, load

_KEYS = ("for", "view", "sites", "types", "doors")
_SITES = ("one", "all")
_DOORS = frozenset({"operate"})


@dataclass(frozen=True, slots=True)
class Role:
    """What a role may: `types` gives rights by served type, `sites` is one or all, `doors` lead beyond FHIR."""

    name: str
    purpose: str
    view: View
    sites: str
    types: Mapping[str, frozenset[str]]
    doors: frozenset[str]


def load_roles(profiles: Path, served: Iterable[str]) -> dict[str, Role]:
    """Read the roles.

    Args:
        profiles: the folder with roles.yaml.
        served: the resource types that are served.

    Raises:
        MappingError: an unknown key, view, type or right, with file and line.
    """
    file, served = profiles / "roles.yaml", tuple(served)
    said = load(file)
    return {name: _role(name, entry, served, file, said.at[name]) for name, entry in said.items()}


def _role(name: str, said: Any, served: tuple[str, ...], file: Path, line: int) -> Role:
    if not isinstance(said, Lines):
        raise MappingError(f"a role holds {', '.join(_KEYS)}", file=file, line=line)
    for key in said:
        _check(key in _KEYS, f"unknown key {key!r}; known are {', '.join(_KEYS)}", file, said.at[key])
    view, sites, doors = str(said.get("view")), str(said.get("sites")), frozenset(said.get("doors", ()))
    _check(view in VIEWS, f"view: is one of {', '.join(VIEWS)}", file, said.at.get("view", line))
    _check(sites in _SITES, f"sites: is one of {', '.join(_SITES)}", file, said.at.get("sites", line))
    _check(doors <= _DOORS, f"doors: are of {', '.join(sorted(_DOORS))}", file, said.at.get("doors", line))
    types = _types(said.get("types") or Lines(), served, file)
    return Role(name, str(said.get("for", "")), VIEWS[view], sites, types, doors)


def _types(said: Lines, served: tuple[str, ...], file: Path) -> dict[str, frozenset[str]]:
    rights: dict[str, frozenset[str]] = {}
    for name, letters in said.items():
        line = said.at.get(name, said.line)
        _check(name == "*" or name in served, f"{name} is no served type", file, line)
        _check(set(str(letters)) <= EVERY_RIGHT, "rights are letters of cruds", file, line)
        rights[name] = frozenset(str(letters))
    others = rights.pop("*", None)
    return rights if others is None else dict.fromkeys(served, others) | rights


def _check(holds: bool, text: str, file: Path, line: int) -> None:  # noqa: FBT001  (what is checked comes first)
    if not holds:
        raise MappingError(text, file=file, line=line)
