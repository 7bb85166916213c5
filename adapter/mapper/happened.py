"""What identity events make of a message: the events themselves, and what they state of both identities.

The retired one says that it is no longer in use and which one took its place, the survivor knows the old number
(FHIR R4, Patient.link; HL7 v2.5.1 §3.6.2). References of other resources are the store's to change.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from adapter.errors import NoIdentity
from adapter.mapper.events import CHANGE, LINK, MERGE, MOVE, UNLINK, IdentityEvent
from adapter.mapper.mapped import Mapped
from adapter.mapper.plan import Happening, Plan

Stated = tuple[dict[str, Any], tuple[str, ...]]
"""Elements of a resource, and elements that are cleared."""

RETIRED: Mapping[str, dict[str, Any]] = {
    "Patient": {"active": False},
    "Encounter": {"status": "entered-in-error"},
    "Account": {"status": "entered-in-error"},
}
"""How a resource says that it was retired (required bindings patient.active, encounter-status, account-status)."""


def happened(plan: Plan, built: Sequence[Mapped | None]) -> tuple[tuple[IdentityEvent, ...], list[Mapped | None]]:
    """The identity events of a message, and its resources with what the events state of them.

    Args:
        plan: of the message.
        built: the resources by the numbers of the plan's entries; None where one was not made.

    Raises:
        NoIdentity: an identity that an event is about has no identifier.
    """
    events: list[IdentityEvent] = []
    made = list(built)
    for one in plan.identities:
        event = _event(one, plan, built)
        if event.kind == CHANGE and event.source_id == event.target_id:
            continue  # another number of the same record changed
        events.append(event)
        source, target = _STATES[event.kind](event)
        made[one.old], made[one.new] = _with(made[one.old], source), _with(made[one.new], target)
    return tuple(events), made


def unsaid(said: Mapped, events: Sequence[IdentityEvent]) -> Mapped | None:
    """What a message says of a resource, without what its merges state, which were undone; None: nothing is left."""
    resource: dict[str, Any] = said.resource
    for event in events:
        if resource["resourceType"] != event.resource_type or event.kind not in {MERGE, CHANGE}:
            continue
        if resource["id"] == event.source_id:
            return None
        if resource["id"] == event.target_id:
            stated: dict[str, Any] = _STATES[event.kind](event)[1][0]
            left = {name: [one for one in resource[name] if one not in gone] for name, gone in stated.items()}
            resource = {name: left.get(name, value) for name, value in resource.items() if left.get(name) != []}
    return said if resource is said.resource else said._replace(resource=resource)


def _event(one: Happening, plan: Plan, built: Sequence[Mapped | None]) -> IdentityEvent:
    old, new, what = built[one.old], built[one.new], built[one.what] if one.what is not None else None
    if new is None or (old is None and (one.kind != MOVE or what is None)):
        missing = one.new if new is None else one.old
        raise NoIdentity(f"{_path(plan, missing)} names no number")
    if one.what is not None and what is None:
        raise NoIdentity(f"{_path(plan, one.what)} names no number")
    return IdentityEvent(
        kind=one.kind,
        resource_type=new.resource["resourceType"],
        # A visit that moves need not say from whom.
        source_id=old.resource["id"] if old else "",
        target_id=new.resource["id"],
        source=_identifier(old),
        target=_identifier(new),
        order=(old or new).order,
        path=_path(plan, one.old if one.what is None else one.what),
        target_path=_path(plan, one.new),
        moved=f"{what.resource['resourceType']}/{what.resource['id']}" if what else "",
    )


def _path(plan: Plan, number: int) -> str:
    entry = plan.entries[number]
    return f"{plan.labels[entry.index]}-{entry.compiled.map.identity.paths[0][0].field}"


def _identifier(made: Mapped | None) -> Mapping[str, Any]:
    found: list[dict[str, Any]] = made.resource.get("identifier", []) if made else []
    return found[0] if found else {}


def _with(made: Mapped | None, stated: Stated) -> Mapped | None:
    """A resource with more said of it; arrays grow, and what was a default is stated."""
    elements, cleared = stated
    if made is None or not any(stated):
        return made
    resource = dict(made.resource)
    for name, value in elements.items():
        resource[name] = [*resource.get(name, []), *value] if isinstance(value, list) else value
    defaults = tuple(name for name in made.defaults if name not in elements)
    return made._replace(resource=resource, fill=False, defaults=defaults, cleared=(*made.cleared, *cleared))


def _replaced(event: IdentityEvent) -> tuple[Stated, Stated]:
    known = [{**event.source, "use": "old"}] if event.source else []
    source, target = dict(RETIRED[event.resource_type]), {"identifier": known} if known else {}
    if event.resource_type == "Patient":
        source |= {"link": [_link(event.target_id, event.target, "replaced-by")]}
        target |= {"link": [_link(event.source_id, event.source, "replaces")]}
    return (source, ()), (target, ())


def _linked(event: IdentityEvent) -> tuple[Stated, Stated]:
    source = [_link(event.target_id, event.target, "seealso")]
    target = [_link(event.source_id, event.source, "seealso")]
    return ({"link": source}, ()), ({"link": target}, ())


def _unlinked(event: IdentityEvent) -> tuple[Stated, Stated]:
    # An item of a union is known by what it refers to (mappings/merge.yaml).
    return ({}, (f"link.Patient/{event.target_id}",)), ({}, (f"link.Patient/{event.source_id}",))


def _moved(_: IdentityEvent) -> tuple[Stated, Stated]:
    return ({}, ()), ({}, ())


def _link(number: str, identifier: Mapping[str, Any], kind: str) -> dict[str, Any]:
    other: dict[str, Any] = {"reference": f"Patient/{number}"}
    return {"other": {**other, "identifier": dict(identifier)} if identifier else other, "type": kind}


_STATES: Mapping[str, Callable[[IdentityEvent], tuple[Stated, Stated]]] = {
    MERGE: _replaced,
    CHANGE: _replaced,
    LINK: _linked,
    UNLINK: _unlinked,
    MOVE: _moved,
}
