"""What writing a message did, told to people: findings, flags on its row, alarms."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from adapter.converting import Done
from adapter.judged_errors import ResultConflict
from adapter.store import inbox, incidents
from adapter.store.database import Connection
from adapter.store.effects import CONFLICT, NO_ORIGINAL, NOTHING_TO_CANCEL, OTHER_PATIENT, STALE, WAITS_FOR_ADT, Effect
from adapter.store.lanes import Finished

TEXTS: Mapping[str, str] = {
    STALE: "older or less sure than what is stored: nothing that was known is changed",
    NO_ORIGINAL: "corrects or withdraws what has not come",
    NOTHING_TO_CANCEL: "cancels what is not there",
    WAITS_FOR_ADT: "comes before any message that registers the patient or the visit",
    CONFLICT: "another source says another value of the same result: the first one stays",
    OTHER_PATIENT: "replaces a result of another patient that has the same number",
}
FLAGS: Mapping[str, str] = {
    "wrong-patient": "wrong_patient",
    "deletion-asked": "deletion_asked",
    "link-pending": "link_pending",
}
"""Kinds of findings that are flags too."""

ALARMS: Mapping[str, str] = {"wrong_patient": "result_of_wrong_patient", "deletion_asked": "deletion_asked"}
"""Flags that begin an incident."""


def told(connection: Connection, done: Sequence[Done], effects: Iterable[Effect], *, now: datetime) -> list[Done]:
    """Flag messages for what they did, and begin the incidents that are due.

    Returns:
        The messages, with a finding for each effect.
    """
    by_message: dict[int, dict[str, str]] = {}
    for one in effects:
        by_message.setdefault(one.message_id, {})[one.kind] = one.segment
    made = [_with(one, by_message.get(one.claimed.id, {})) for one in done]
    made = [_conflicting(one) if CONFLICT in by_message.get(one.claimed.id, ()) else one for one in made]
    flags = {one.claimed.id: _flags(one, by_message) for one in made if one.findings}
    inbox.add_flags(connection, {number: said for number, said in flags.items() if said})
    for one in made:
        for flag in sorted(flags.get(one.claimed.id, ())):
            if kind := ALARMS.get(flag):
                detail = f"message {one.claimed.id} is the last"
                incidents.note_within(connection, kind, site=one.claimed.site, detail=detail, now=now)
    return made


def _with(one: Done, did: Mapping[str, str]) -> Done:
    found = [(segment, kind.replace("_", "-"), TEXTS[kind]) for kind, segment in did.items()]
    return replace(one, findings=[*one.findings, *found]) if found else one


def _conflicting(one: Done) -> Done:
    cause = ResultConflict("another source says another value; the rest of the message is stored", path="OBX-5")
    return replace(one, finished=Finished(one.claimed.id, "held", cause.code, cause.text, cause.mender))


def _flags(one: Done, effects: Mapping[int, Mapping[str, str]]) -> set[str]:
    return {FLAGS[kind] for _, kind, _ in one.findings if kind in FLAGS} | {*effects.get(one.claimed.id, ())}
