"""A merge reversed by the journal: what came under the retired number goes back to it, what it said is unsaid."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from adapter.fhir.json import loads
from adapter.store.database import marks, rows, run, run_many
from adapter.store.identities import APPLIED, REVERSED, WENT, Entry, note, redirects
from adapter.store.known import linked
from adapter.store.names import Name
from adapter.store.repoint import refers, repointed
from adapter.store.repointing import MERGES, Happened
from adapter.store.revise import Revised, Writing, named, of_patients, renamed, revised, untied

_WENT = "SELECT detail FROM identity_journal WHERE resource_type = ? AND action IN (?,?) AND source_id IN"
_RETIRED = {"Patient": "active", "Encounter": "status", "Account": "status"}
"""The element by which each type says that it was retired."""

_BEFORE = """SELECT h.body FROM resource_history AS h WHERE h.key = ? AND h.version <
    (SELECT min(v) FROM (SELECT min(version) AS v FROM resource_history WHERE key = ? AND message_id = ?
        UNION ALL SELECT version FROM resource WHERE key = ? AND message_id = ?) AS versions)
    ORDER BY h.version DESC LIMIT 1"""
_NOBODY = [-1, "", 0]
"""The key of what was there before and nobody states now: any statement replaces it."""


def reverse(writing: Writing, events: Sequence[Happened]) -> None:
    """Undo what a message has merged; doing it again changes nothing.

    Raises:
        StorageUnavailable: another process changed a resource meanwhile; nothing may be committed.
    """
    for event in events:
        if event.kind in MERGES:
            _reverse(writing, event)


def _reverse(writing: Writing, event: Happened) -> None:
    connection, kind = writing.connection, event.resource_type
    source = (kind, event.source_id)
    known = [one for one in redirects(connection, [event.source_id]) if one.name == source and not one.until]
    if not known or known[0].message_id != writing.message_id:
        return
    survivor = known[0].target_id
    run(connection, "DELETE FROM redirect WHERE source_id = ? AND resource_type = ? AND NOT moves", [*reversed(source)])
    followers = _followers(connection, source)
    for number in followers:
        sql = "UPDATE redirect SET target_id = ? WHERE source_id = ? AND resource_type = ? AND NOT moves"
        run(connection, sql, [event.source_id, number, kind])
    back = {f"{kind}/{survivor}": f"{kind}/{event.source_id}"}
    stated = {event.source_id, event.target_id}

    def after(before: Revised) -> Revised:
        if before.name[0] == kind and before.name[1] in {*stated, survivor}:
            return _unsaid(writing, before, event)
        now = renamed(writing, before, repointed(before.resource, back), back)
        moves = kind == "Patient" and before.patient_id == survivor and before.name[0] != "Patient"
        return replace(now, patient_id=event.source_id) if moves else now

    went = _went(connection, kind, [event.source_id, *followers])
    keys = named(connection, [*went, *((kind, one) for one in {*stated, survivor})])
    changed = revised(writing, keys, after)
    note(connection, [Entry(writing.message_id, REVERSED, event.kind, source, survivor, tuple(changed))])
    if kind == "Patient":
        _leave(writing, event.source_id, {event.target_id, survivor})


def _followers(connection: Connection, source: Name) -> list[str]:
    """What had been merged into it, over any number of merges."""
    found, frontier = list[str](), [source[1]]
    while frontier:
        sql = f"SELECT source_id FROM redirect WHERE resource_type = ? AND NOT moves AND via_id IN ({marks(frontier)})"
        frontier = [one for (one,) in rows(connection, sql, [source[0], *frontier]) if one not in found]
        found += frontier
    return found


def _went(connection: Connection, kind: str, sources: Sequence[str]) -> set[Name]:
    """What was re-pointed when these were merged, or came under their numbers later."""
    found = rows(connection, f"{_WENT} ({marks(sources)})", [kind, APPLIED, WENT, *sources])
    names = (name.partition("/") for (detail,) in found for name in loads(detail))
    return {(of, number) for of, _, number in names}


def _unsaid(writing: Writing, before: Revised, event: Happened) -> Revised:
    """Without what the merge stated: links, the old number, that it is retired."""
    resource, as_of = dict(before.resource), dict(before.as_of)
    others = {f"{event.resource_type}/{one}" for one in (event.source_id, event.target_id)}

    def merged(item: Mapping[str, Any]) -> bool:
        other = item.get("other", {}).get("reference", "")
        return item.get("use") == "old" or (other in others and item.get("type") in {"replaces", "replaced-by"})

    for slot in ("link", "identifier"):
        keys = dict(as_of.get(slot, {}))
        own = {name for name, key in keys.items() if key[2] == writing.message_id}
        gone = [item for item in resource.get(slot, ()) if merged(item) and _named(slot, item) in own]
        for item in gone:
            del keys[_named(slot, item)]
        if gone:
            as_of[slot] = keys
            resource[slot] = [item for item in resource[slot] if item not in gone]
            if not resource[slot]:
                del resource[slot]
    if before.name[1] == event.source_id:
        _unretire(writing, before, resource, as_of)
    return replace(before, resource=resource, as_of=as_of)


def _named(slot: str, item: Mapping[str, Any]) -> str:
    """An item's name among the keys of its union (mappings/merge.yaml)."""
    if slot == "link":
        return item["other"].get("reference", "")
    return f"{item.get('system', '')}|{item.get('value', '')}"


def _unretire(writing: Writing, before: Revised, resource: dict[str, Any], as_of: dict[str, Any]) -> None:
    element = _RETIRED[before.name[0]]
    if as_of.get(element, _NOBODY)[2] != writing.message_id:
        return
    number = writing.message_id
    found = rows(writing.connection, _BEFORE, [before.key, before.key, number, before.key, number])
    was: dict[str, Any] = loads(bytes(found[0][0])) if found else {}
    resource.pop(element, None)
    as_of.pop(element, None)
    if element in was:
        resource[element], as_of[element] = was[element], list(_NOBODY)


def _leave(writing: Writing, source: str, others: Iterable[str]) -> None:
    """Who was in the study only by the merge is in it no more."""
    connection = writing.connection
    for other in others:
        pairs = [(source, other), (other, source)]
        if not any(_links(connection, *pair) for pair in pairs):
            run_many(connection, "DELETE FROM patient_link WHERE patient_id = ? AND other_id = ?", pairs)
    gone = {one for patient in (source, *others) for one in _numberless(connection, patient)}
    run_many(connection, "DELETE FROM study_member WHERE patient_id = ?", [(one,) for one in sorted(gone)])
    revised(writing, of_patients(connection, gone), lambda before: untied(writing, before))


def _links(connection: Connection, patient: str, other: str) -> bool:
    found = rows(connection, "SELECT body FROM resource WHERE resource_type = 'Patient' AND id = ?", [patient])
    return bool(found) and refers(loads(bytes(found[0][0])).get("link", []), f"Patient/{other}")


def _numberless(connection: Connection, patient: str) -> set[str]:
    """Everyone linked to a Patient, where none of them has a number of the study; else nobody."""
    known = linked(connection, patient)
    sql = f"SELECT 1 FROM study_member WHERE own AND patient_id IN ({marks([*known])})"
    return set() if rows(connection, sql, [*known]) else known
