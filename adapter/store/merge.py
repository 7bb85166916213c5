"""Merging what messages say about one resource (mappings/merge.yaml). Pure.

Every statement has a key: (strength, order, message). Strength 1 and more: the message states it, the more the surer
its status is (`rank:`); 0: the message only implies it; -1: nobody stated it, it is a default. Order: the event's own
time. The greatest key wins, so the result does not depend on the order in which messages arrive; the message's number
decides between equal times, and lets a message that is converted again overwrite what it said itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

from adapter.fhir.json import canonical
from adapter.store import timeline
from adapter.store.merge_rules import MergeRule, MergeRules, load_merge_rules

__all__ = ["Mapped", "MergeRule", "MergeRules", "Merged", "load_merge_rules", "merge"]

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
    def map(self) -> str:
        """The segment map, or what else states it."""
        ...

    @property
    def patient_id(self) -> str | None:
        """Whose resource it is."""
        ...


@dataclass(frozen=True, slots=True)
class Merged:
    """A resource without `resourceType` and `id`, and the keys of its statements."""

    content: dict[str, Any]
    as_of: Any


def statement(mapped: Mapped, *, message_id: int) -> Statement:
    """The key of what this message says."""
    return [0 if mapped.fill else 1, instant_key(mapped.order), message_id]


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
    key, state = statement(mapped, message_id=message_id), Merged(dict(stored.content), dict(stored.as_of))
    said: dict[str, dict[str, Any]] = {}
    for name, value in content(mapped.resource).items():
        said.setdefault(_slot(rule, name), {})[name] = value
    for slot, elements in said.items():
        default = any(name in mapped.defaults for name in elements)
        _state(rule, slot, state, elements, [-1, *key[1:]] if default else key)
    for name in mapped.cleared:
        if not _is_said(rule, name, said):
            _clear(rule, name, state, key)
    for slot in mapped.undone:
        _pass(slot, state, timeline.UNDO, [], key)
    return state


def renamed(rule: MergeRule, state: Merged, content: dict[str, Any], names: Mapping[str, str]) -> Merged:
    """The same statements, where what they refer to has another name now.

    Args:
        rule: of the resource's type, not `whole`.
        state: what is stored.
        content: what it says with the new names.
        names: by the old name the new one; of two that are one now, the greater key stays.
    """
    made = Merged(dict(content), dict(state.as_of))
    for slot in [slot for slot in rule.union if slot in content]:
        before, keys = state.as_of.get(slot, {}), dict[str, Statement]()
        items: dict[str, Any] = {}
        for old, item in zip(_items(rule, slot, state.content[slot]), content[slot], strict=True):
            key, name = before.get(old, _NEVER), _identity(item, rule.union[slot])
            if name not in items or key > keys.get(name, _NEVER):
                items[name], keys[name] = item, key
        for old, key in before.items():
            name = names.get(old, old)
            keys[name] = max(key, keys.get(name, _NEVER)) if name not in items else keys[name]
        _keep(rule, slot, made, items, keys)
    return made


def _state(rule: MergeRule, slot: str, state: Merged, elements: dict[str, Any], key: Statement) -> None:
    if slot in rule.timeline:
        _pass(slot, state, timeline.AT, elements[slot], key)
        return
    if slot in rule.union or slot in rule.parts:
        _merge_items(rule, slot, state, elements[slot], key)
        return
    if slot in rule.rank and key[0] == 1:
        key = [rule.strength(slot, elements.get(slot)), *key[1:]]
    if key >= state.as_of.get(slot, _NEVER):
        _replace(rule, slot, state, elements, key)


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
        if all(own >= keys.get(one, _NEVER) for one in (name, _stem(name), _FLOOR)):
            items[name], keys[name] = item, own
    _keep(rule, slot, state, items, keys)


def _is_said(rule: MergeRule, name: str, said: Mapping[str, Any]) -> bool:
    """Whether the message that clears an element states it too; the parts of one that is not merged by parts are it."""
    slot = _slot(rule, name.partition(".")[0])
    return (slot if slot not in rule.union and slot not in rule.parts else _slot(rule, name)) in said


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
    gone = [one for one in items if part in {one, _stem(one), _FLOOR} and keys.get(one, _NEVER)[:3] <= key]
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


def _stem(name: str) -> str:
    """The first member of an identity: the URL of an extension, by which it is cleared."""
    return name.partition("|")[0]


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
def instant_key(order: str) -> str:
    """An event's time in the one form in which texts compare as times do."""
    moment = datetime.fromisoformat(order)
    # An order that has no offset still has its place; all have one form, so that texts compare as times do.
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).isoformat(timespec="milliseconds")
