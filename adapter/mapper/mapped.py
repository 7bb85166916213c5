"""What a message says of one resource."""

from typing import Any, NamedTuple


class Mapped(NamedTuple):
    """One resource as one message states it.

    `order` is the event's own time (ISO, UTC); with `fill` the message is no authority for the resource and only
    adds what is not yet known; `defaults` are elements that nobody stated; `cleared` were sent as HL7 null. An event
    that `cancels` takes back what an earlier one said; of histories that are `undone` the last change.
    """

    resource: dict[str, Any]
    order: str
    fill: bool
    defaults: tuple[str, ...]
    cleared: tuple[str, ...]
    map: str
    patient_id: str | None
    undone: tuple[str, ...] = ()
    cancels: bool = False
