"""How messages about one resource are merged: mappings/merge.yaml, read and checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from adapter.errors import MappingError
from adapter.yaml_lines import load


@dataclass(frozen=True, slots=True, eq=False)
class MergeRule:
    """How resources of one type are merged; the fields are the keys of merge.yaml.

    `rank` has the place of a value among its element's, `follows` the strength of the earlier statement it supposes;
    `sources` are applications from the least believed, None where it does not matter who says something.
    """

    whole: bool
    union: Mapping[str, tuple[str, ...]]
    parts: frozenset[str]
    choices: tuple[str, ...]
    timeline: frozenset[str] = frozenset()
    rank: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, Mapping[str, int]])
    follows: Mapping[str, int] = field(default_factory=dict[str, int])
    sources: tuple[str, ...] | None = None

    def strength(self, slot: str, value: Any) -> int:
        """How strong a statement of this element is: 1, or more where its value has a rank."""
        return 1 + self.rank[slot].get(value, 0) if slot in self.rank else 1


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    kind: Literal["whole", "elements"]
    union: dict[str, list[str]] = {}
    parts: list[str] = []
    choices: list[str] = []
    timeline: list[str] = []
    rank: dict[str, list[list[str]]] = {}
    follows: dict[str, str] = {}
    sources: list[str] | None = None


class MergeRules(dict[str, MergeRule]):
    """The rules by resource type; a type that is not named has the rule `*`."""

    def __missing__(self, resource_type: str) -> MergeRule:
        """The rule of every other type."""
        return self["*"]


def load_merge_rules(mappings: Path) -> MergeRules:
    """Read merge.yaml of the folder.

    Raises:
        MappingError: the file cannot be read, or does not say what it must; with its line.
    """
    file = mappings / "merge.yaml"
    content = load(file)
    if "*" not in content:
        raise MappingError("the rule `*`, for all other types, is missing", file=file, line=1)
    return MergeRules({kind: _rule(said, file, content.at[kind]) for kind, said in content.items()})


def _rule(said: object, file: Path, line: int) -> MergeRule:
    try:
        entry = _Entry.model_validate(said)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise MappingError(f"{where}: {first['msg']}", file=file, line=line) from None
    union = {name: tuple(members) for name, members in entry.union.items()}
    rank = {
        name: {code: place for place, codes in enumerate(said) for code in codes} for name, said in entry.rank.items()
    }
    known = {code: place for codes in rank.values() for code, place in codes.items()}
    if unknown := sorted({*entry.follows, *entry.follows.values()} - known.keys()):
        raise MappingError(f"follows: {unknown[0]} is in no rank:", file=file, line=line)
    follows = {code: 1 + known[earlier] for code, earlier in entry.follows.items()}
    sources = None if entry.sources is None else tuple(entry.sources)
    kinds = frozenset(entry.parts), tuple(entry.choices), frozenset(entry.timeline)
    return MergeRule(entry.kind == "whole", union, *kinds, rank, follows, sources)
