"""Merging what messages say about one resource (mappings/merge.yaml). Pure.

Every statement has a key: (strength, order, message). Strength 1 and more: the message states it, the more the surer
its status is (`rank:`); 0: the message only implies it; -1: nobody stated it, it is a default. Order: the event's own time. The greatest key wins, so the result does not
depend on the order in which messages arrive; the message's number decides between equal times, and lets a message
that is converted again overwrite what it said itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from adapter.errors import MappingError
from adapter.fhir.json import canonical
from adapter.store import timeline
from adapter.yaml_lines import load

Statement = list[Any]
"""The key of a statement, as JSON holds it: [strength, order, message], for array items also their place."""

_NEVER: Statement = [-2]
_FLOOR = ""  # in the keys of a set or of parts: when it was last cleared as a whole


class Mapped(Protocol):
    """What converting gives for one resource."""

    @property
    def resource(self) -> dict[str, Any]:
        """The resource as the message states it."""
        ...

    @property
    def order(self) -> str:
        """The event's own time: an ISO instant."""
        ...

    @property
    def fill(self) -> bool:
        """True where the message is no authority for the resource."""
        ...

    @property
    def defaults(self) -> tuple[str, ...]:
        """Elements that nobody stated."""
        ...

    @property
    def cleared(self) -> tuple[str, ...]:
        """Elements that were sent as HL7 null; `period.end` for one part."""
        ...

    @property
    def undone(self) -> tuple[str, ...]:
        """Histories of which the event takes the last change back."""
        ...

    @property
    def cancels(self) -> bool:
        """True where the event takes back what an earlier one said."""
        ...

    @property
    def patient_id(self) -> str | None:
        """Whose resource it is."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class MergeRule:
    """How resources of one type are merged; the fields are the keys of merge.yaml."""

    whole: bool
    union: Mapping[str, tuple[str, ...]]
    parts: frozenset[str]
    choices: tuple[str, ...]
    timeline: frozenset[str] = frozenset()
    rank: Mapping[str, Mapping[str, int]] = field(default_factory=dict[str, Mapping[str, int]])
    follows: Mapping[str, int] = field(default_factory=dict[str, int])

    def strength(self, slot: str, value: Any) -> int:
        """How strong a statement of this element is: 1, or more where its value has a rank."""
        return 1 + self.rank[slot].get(value, 0) if slot in self.rank else 1


@dataclass(frozen=True, slots=True)
class Merged:
    """A resource without `resourceType` and `id`, and the keys of its statements."""

    content: dict[str, Any]
    as_of: Any


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    kind: Literal["whole", "elements"]
    union: dict[str, list[str]] = {}
    parts: list[str] = []
    choices: list[str] = []
    timeline: list[str] = []
    rank: dict[str, list[list[str]]] = {}
    follows: dict[str, str] = {}


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


def statement(mapped: Mapped, *, message_id: int) -> Statement:
    """The key of what this message says."""
    return [0 if mapped.fill else 1, _utc(mapped.order), message_id]


def whole_statement(rule: MergeRule, mapped: Mapped, *, message_id: int) -> Statement:
    """The key of what this message says of a resource that is replaced as a whole."""
    strength, *rest = statement(mapped, message_id=message_id)
    if strength and rule.rank:
        strength = max(rule.strength(slot, mapped.resource.get(slot)) for slot in rule.rank)
    return [strength, *rest]


def content(resource: dict[str, Any]) -> dict[str, Any]:
    """A resource without its type, its id and what the store itself writes into `meta`."""
    rest = {name: value for name, value in resource.items() if name not in {"resourceType", "id"}}
    if "meta" in rest:
        kept = {k: v for k, v in rest.pop("meta").items() if k not in {"versionId", "lastUpdated", "source"}}
        rest |= {"meta": kept} if kept else {}
    return rest


def merge(rule: MergeRule, stored: Merged, mapped: Mapped, *, message_id: int) -> Merged:
    """Merge what a message says, element by element, into what is stored.

    Args:
        rule: of the resource's type, not `whole`.
        stored: what is there; nothing, for a new resource.
        mapped: what the message says.
        message_id: which message.

    Returns:
        The new state; `stored` is not changed.
    """
    key = statement(mapped, message_id=message_id)
    merged, as_of = dict(stored.content), dict(stored.as_of)
    said: dict[str, dict[str, Any]] = {}
    for name, value in content(mapped.resource).items():
        said.setdefault(_slot(rule, name), {})[name] = value
    for slot, elements in said.items():
        own = [-1, *key[1:]] if any(name in mapped.defaults for name in elements) else key
        if slot in rule.rank and own[0] == 1:
            own = [rule.strength(slot, elements.get(slot)), *key[1:]]
        if slot in rule.timeline:
            what = timeline.UNDO if slot in mapped.undone else timeline.AT
            _pass(slot, Merged(merged, as_of), what, elements[slot], own)
        elif slot in rule.union or slot in rule.parts:
            _merge_items(rule, slot, Merged(merged, as_of), elements[slot], own)
        elif own >= as_of.get(slot, _NEVER):
            _replace(rule, slot, Merged(merged, as_of), elements, own)
    for name in mapped.cleared:
        if _slot(rule, name) not in said:
            _clear(rule, name, Merged(merged, as_of), key)
    for slot in mapped.undone:
        if slot not in said:
            _pass(slot, Merged(merged, as_of), timeline.UNDO, [], key)
    return Merged(merged, as_of)


def _replace(rule: MergeRule, slot: str, state: Merged, elements: dict[str, Any], key: Statement) -> None:
    for name in [name for name in state.content if _slot(rule, name) == slot]:
        del state.content[name]
    state.content.update(elements)
    state.as_of[slot] = key


def _pass(slot: str, state: Merged, what: str, items: list[Any], key: Statement) -> None:
    """Go on with a history."""
    state.as_of[slot] = timeline.add(state.as_of.get(slot), key, what, items)
    state.content.pop(slot, None)
    if history := timeline.shown(state.as_of[slot]):
        state.content[slot] = history


def _merge_items(rule: MergeRule, slot: str, state: Merged, value: Any, key: Statement) -> None:
    items, keys = _items(rule, slot, state.content.get(slot)), dict(state.as_of.get(slot, {}))
    for place, (name, item) in enumerate(_items(rule, slot, value).items()):
        own = [*key, place]
        if own >= keys.get(name, _NEVER) and own >= keys.get(_FLOOR, _NEVER):
            items[name], keys[name] = item, own
    _keep(rule, slot, state, items, keys)


def _clear(rule: MergeRule, name: str, state: Merged, key: Statement) -> None:
    slot, _, part = name.partition(".")
    slot = _slot(rule, slot)
    if slot in rule.timeline:
        _pass(slot, state, timeline.NONE, [], key)
        return
    if slot not in rule.union and slot not in rule.parts:
        if key >= state.as_of.get(slot, _NEVER):
            _replace(rule, slot, state, {}, key)
        return
    items, keys = _items(rule, slot, state.content.get(slot)), dict(state.as_of.get(slot, {}))
    keys[part] = max(key, keys.get(part, _NEVER))
    gone = [one for one in items if part in {one, _FLOOR} and keys.get(one, _NEVER)[:3] <= key]
    for one in gone:
        del items[one]
    _keep(rule, slot, state, items, keys)


def _keep(rule: MergeRule, slot: str, state: Merged, items: dict[str, Any], keys: dict[str, Statement]) -> None:
    """Write items back in an order that only their keys decide: the surest first, then as they were stated."""
    if slot in rule.union and any(key[0] >= 0 for name, key in keys.items() if name in items):
        items = {name: item for name, item in items.items() if keys.get(name, _NEVER)[0] != -1}
    floor = keys.get(_FLOOR, _NEVER)
    state.as_of[slot] = {name: key for name, key in keys.items() if name == _FLOOR or key >= floor}
    names = sorted(items, key=lambda name: (-keys.get(name, _NEVER)[0], keys.get(name, _NEVER)[1:], name))
    state.content.pop(slot, None)
    if items:
        in_order = {name: items[name] for name in names}
        state.content[slot] = list(in_order.values()) if slot in rule.union else in_order


def _items(rule: MergeRule, slot: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if slot in rule.union:
        return {_identity(item, rule.union[slot]): item for item in value}
    return dict(value)


def _identity(item: Any, members: Sequence[str]) -> str:
    found = [_member(item, path.split(".")) for path in members]
    return "|".join(found) if any(found) else canonical(item).decode()


def _member(item: dict[str, Any], path: Sequence[str]) -> str:
    found: Any = item
    for name in path:
        found = found.get(name, {})
    return str(found or "")


@lru_cache(maxsize=10_000)
def _slot(rule: MergeRule, name: str) -> str:
    """What an element shares its key with: `_birthDate` with `birthDate`, `deceasedBoolean` with `deceased`."""
    name = name.removeprefix("_")
    return next((stem for stem in rule.choices if name.startswith(stem) and name[len(stem) :][:1].isupper()), name)


@lru_cache(maxsize=1_000)
def _utc(order: str) -> str:
    moment = datetime.fromisoformat(order)
    # An order that has no offset still has its place; all have one form, so that texts compare as times do.
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")


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
    kinds = frozenset(entry.parts), tuple(entry.choices), frozenset(entry.timeline)
    return MergeRule(entry.kind == "whole", union, *kinds, rank, follows)
