"""What a statement did to a resource, where a person should know it. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from adapter.store.merge import Mapped, Merged, Statement
from adapter.store.merge_rules import MergeRule

STALE, NO_ORIGINAL, NOTHING_TO_CANCEL = "stale", "no_original", "nothing_to_cancel"
OTHER_PATIENT, WAITS_FOR_ADT, CONFLICT = "other_patient", "waits_for_adt", "conflict"
WITHDRAWN = "entered-in-error"
_LINKED = ("resourceType", "id", "identifier")


@dataclass(frozen=True, slots=True)
class Effect:
    """What one message did: `kind`, one of those above, and the segment that said it."""

    message_id: int
    kind: str
    segment: str


def newer(mapped: Mapped, own: Statement, before: Statement | None, *, other_patient: bool) -> bool:
    """Whether a statement replaces what is stored of a resource that is replaced as a whole.

    Args:
        mapped: the statement.
        own: its key.
        before: the key of what is stored; None where nothing is.
        other_patient: what is stored is of another patient: how sure it is says nothing here, and who withdraws a
            result of one patient does not withdraw that of another.
    """
    if before is None:
        return True
    if other_patient:
        return own[1:] >= before[1:] and mapped.resource.get("status") != WITHDRAWN
    return own >= before


def of_whole(
    rule: MergeRule, mapped: Mapped, own: Statement, before: Statement | None, *, other_patient: bool
) -> Iterator[str]:
    """The effects of a statement about a resource that is replaced as a whole; arguments as of `newer`."""
    if before and before[2] == own[2]:
        return
    if not newer(mapped, own, before, other_patient=other_patient):
        yield STALE
        return
    if other_patient:
        yield OTHER_PATIENT
    earlier = rule.follows.get(mapped.resource.get("status", ""), 0)
    if earlier and (before is None or before[0] < earlier):
        yield NO_ORIGINAL


def of_elements(mapped: Mapped, before: Merged, after: Merged, own: Statement) -> Iterator[str]:
    """The effects of a statement about a resource that is merged element by element."""
    status = before.as_of.get("status") if before.as_of else None
    if isinstance(status, list) and status[2:] == own[2:]:
        return
    if not before.content and not own[0] and _is_stub(mapped):
        yield WAITS_FOR_ADT
    elif mapped.cancels and _same(mapped, before.content, after.content):
        yield NOTHING_TO_CANCEL
    elif own[0] and _lost(mapped, after):
        yield STALE


def _is_stub(mapped: Mapped) -> bool:
    """Whether a message that is no authority for a person or a visit speaks of it; a mere link to one does not."""
    resource = mapped.resource
    return resource["resourceType"] in {"Patient", "Encounter"} and len(resource) > len(_LINKED)


def _same(mapped: Mapped, before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether what an event takes back was not there."""
    names = {"status", *mapped.undone, *(name.partition(".")[0] for name in mapped.cleared)}
    return not before or all(before.get(name) == after.get(name) for name in names)


def _lost(mapped: Mapped, after: Merged) -> bool:
    status = mapped.resource.get("status")
    return status is not None and "status" not in mapped.defaults and after.content.get("status") != status
