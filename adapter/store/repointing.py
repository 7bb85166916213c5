"""Merges, changes of numbers and moves carried out on what is stored; `unmerging.py` reverses a merge.

Each is one transaction with the message's own resources. Doing it again changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from adapter.store.database import run
from adapter.store.identities import AGAIN, APPLIED, Entry, note, redirects
from adapter.store.merge import instant_key
from adapter.store.names import Name
from adapter.store.repoint import moved, refers, repointed
from adapter.store.revise import Revised, Writing, of_patients, referring, renamed, revised, tied, untied

MERGES = frozenset({"merge", "change"})
MOVE = "move"

_REMEMBER = """INSERT INTO redirect (source_id, resource_type, moves, target_id, via_id, until, message_id)
    VALUES (?,?,?,?,?,?,?) ON CONFLICT (source_id, resource_type, moves) DO UPDATE SET target_id = excluded.target_id,
    via_id = excluded.via_id, until = excluded.until, message_id = excluded.message_id"""
_FOLLOW = "UPDATE redirect SET target_id = ? WHERE target_id = ?"


@dataclass(frozen=True, slots=True)
class Happened:
    """What one message says of two identities (`mapper/events.py`, without what only people read)."""

    kind: str
    resource_type: str
    source_id: str
    target_id: str
    order: str
    moved: str = ""


def carry_out(writing: Writing, events: Sequence[Happened]) -> None:
    """Do what a message says, after its own resources have been written.

    Raises:
        StorageUnavailable: another process changed a resource meanwhile; nothing may be committed.
    """
    for event in events:
        if event.kind in MERGES:
            _merge(writing, event)
        elif event.kind == MOVE:
            _move(writing, event)


def _merge(writing: Writing, event: Happened) -> None:
    connection, kind = writing.connection, event.resource_type
    source = (kind, event.source_id)
    known = {one.name: one for one in redirects(connection, [event.source_id, event.target_id]) if not one.until}
    if done := known.get(source):
        if done.message_id != writing.message_id:
            note(connection, [Entry(writing.message_id, AGAIN, event.kind, source, event.target_id)])
        return
    target = known[kind, event.target_id].target_id if (kind, event.target_id) in known else event.target_id
    run(connection, _REMEMBER, [event.source_id, kind, False, target, event.target_id, "", writing.message_id])
    run(connection, _FOLLOW, [target, event.source_id])
    changed = _repoint(writing, source, target)
    note(connection, [Entry(writing.message_id, APPLIED, event.kind, source, target, tuple(changed))])


def _repoint(writing: Writing, source: Name, target: str) -> list[str]:
    kind, number = source
    gone = {f"{kind}/{number}": f"{kind}/{target}"}

    def after(before: Revised) -> Revised:
        now = renamed(writing, before, repointed(before.resource, gone), gone)
        own = (before.resource["resourceType"], before.resource["id"])
        of_source = source[0] == "Patient" and before.patient_id == number and own != source
        return tied(writing, replace(now, patient_id=target if of_source else before.patient_id))

    return revised(writing, referring(writing.connection, [source, (kind, target)]), after)


def _move(writing: Writing, event: Happened) -> None:
    connection, until = writing.connection, instant_key(event.order)
    kind, _, number = event.moved.partition("/") if event.moved else ("Patient", "", event.source_id)
    if (kind, number) == ("Patient", event.target_id):
        return  # A43 of one record: its number stays, and all that is of it
    known = redirects(connection, [number, event.target_id])
    target = next((one.target_id for one in known if one.name == ("Patient", event.target_id) and not one.until), None)
    target = target or event.target_id
    before = next((one for one in known if one.name == (kind, number) and one.until), None)
    if before is None or before.until <= until:
        run(connection, _REMEMBER, [number, kind, True, target, event.target_id, until, writing.message_id])
        changed = _moved(writing, (kind, number), event.source_id, target)
        if changed:
            note(connection, [Entry(writing.message_id, APPLIED, MOVE, (kind, number), target, tuple(changed))])


def _moved(writing: Writing, what: Name, source: str, target: str) -> list[str]:
    reference = "/".join(what)

    def after(before: Revised) -> Revised:
        own = (before.resource["resourceType"], before.resource["id"])
        patient = before.patient_id
        takes = what[0] == "Patient" or own == what or refers(before.resource, reference)
        if own[0] == "Patient" or patient is None or patient == target or not takes:
            return before
        now = replace(before, resource=moved(before.resource, patient, target), patient_id=target)
        return tied(writing, untied(writing, now))

    keys = of_patients(writing.connection, [source] if source else [])
    return revised(writing, keys | referring(writing.connection, [what]), after)
