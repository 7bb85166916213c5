"""Orders: the cancel of one that has not come (catalogue E36), and results whose parent has not come (E37)."""

from collections.abc import Iterable, Iterator

from adapter.judge.verdict import STORED, Asked, Awaited, Facts, Found, Hold, Name, Rule
from adapter.judged_errors import UnknownOrder
from adapter.mapper.mapped import Mapped
from adapter.store.names import name_of
from adapter.store.repair import AS_SENT

LINK_PENDING = "link-pending"
_ORDERS = frozenset({"ServiceRequest", "MedicationRequest"})
_ENDED = frozenset({"revoked", "cancelled", "stopped"})


def rules() -> tuple[Rule, Rule]:
    """The rules."""
    return Rule(_orders_needed, _cancels), Rule(_parents_needed, _parents)


def _orders_needed(asked: Asked) -> Iterable[Name]:
    return [name_of(one.resource) for one in _ending(asked)]


def _cancels(asked: Asked, facts: Facts) -> Iterator[Found | Hold]:
    for one in _ending(asked):
        if facts.content(name_of(one.resource)) is None:
            cause = UnknownOrder("the order that this ends has not come; it is waited for", path="ORC-1")
            yield Hold(cause, awaits=(Awaited(STORED, name_of(one.resource)),), answer=AS_SENT)
            return


def _ending(asked: Asked) -> list[Mapped]:
    """Orders that the message ends, and does not place itself."""
    said = [one for one in asked.resources if one.resource["resourceType"] in _ORDERS and not one.fill]
    placed = {name_of(one.resource) for one in said if one.resource.get("status") not in _ENDED}
    return [one for one in said if one.resource.get("status") in _ENDED and name_of(one.resource) not in placed]


def _parents_needed(asked: Asked) -> Iterable[Name]:
    return [parent for one in asked.resources for parent in _parents_of(one)]


def _parents(asked: Asked, facts: Facts) -> Iterator[Found | Hold]:
    own = {name_of(one.resource) for one in asked.resources}
    wanted = {parent for one in asked.resources for parent in _parents_of(one)}
    if any(facts.content(parent) is None for parent in wanted - own):
        yield Found("OBR-29", LINK_PENDING, "the result that this one belongs to has not come")


def _parents_of(one: Mapped) -> list[Name]:
    said = [link.get("reference", "") for link in one.resource.get("derivedFrom", ())]
    return [("Observation", text.removeprefix("Observation/")) for text in said if text.startswith("Observation/")]
