"""A message after converting, on its way into the store: judged before anything is written, identified afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from adapter.converting import Done
from adapter.judge.judge import judge
from adapter.judge.verdict import ENROLLED, Asked, Name, Rule, Verdict
from adapter.mapper.happened import unsaid
from adapter.store import awaited
from adapter.store.database import Connection
from adapter.store.lanes import Finished
from adapter.store.members import lock
from adapter.store.names import name_of
from adapter.store.repair import UNMERGED, answered
from adapter.store.repointing import Happened, carry_out
from adapter.store.revise import Writing
from adapter.store.unmerging import reverse

_AWAITED = frozenset({"Patient", "Encounter", "Account", "ServiceRequest", "MedicationRequest"})


def judged(connection: Connection, done: Sequence[Done], rules: Sequence[Rule]) -> tuple[list[Done], list[int]]:
    """Let the judge look at messages before they are written.

    Returns:
        The messages, some of them held now; and those that are not tried, since one of their lane is held.
    """
    done = [_undone(connection, one) if one.identities else one for one in done]
    asked = [one for one in done if one.resources and not one.undone]
    if not rules or not asked:
        return list(done), []
    _lock(connection, asked)
    verdicts = judge(connection, [_asked(one) for one in asked], rules)
    by_id: Mapping[int, Verdict] = {
        one.claimed.id: verdict
        for one, verdict in zip(asked, verdicts, strict=True)
        if verdict.hold or verdict.findings
    }
    if not by_id:
        return list(done), []
    went, untried, blocked = list[Done](), list[int](), set[str]()
    for one in done:
        if one.claimed.lane in blocked:
            untried.append(one.claimed.id)
            continue
        verdict = by_id.get(one.claimed.id)
        now = _with(one, verdict) if verdict else one
        went.append(now)
        if now is not one and now.finished.state == "held" and not now.awaits:
            blocked.add(one.claimed.lane)
    _wait(connection, went)
    return went, untried


def identified(writing: Writing, done: Sequence[Done]) -> None:
    """Carry out what messages say of identities, and let go what waited for what is stored now.

    Args:
        writing: with what; its message is the one that has identity events, which is written alone.
        done: what was written.
    """
    for one in done:
        events = [Happened(e.kind, e.resource_type, e.source_id, e.target_id, e.order, e.moved) for e in one.identities]
        if events:
            own = replace(writing, message_id=one.claimed.id)
            (reverse if one.undone else carry_out)(own, events)
    for what in awaited.kinds(writing.connection):
        if what == ENROLLED:
            awaited.enrolled(writing.connection)
        else:
            awaited.come(writing.connection, _stored(done))


def _undone(connection: Connection, one: Done) -> Done:
    """Where two persons have said so, a merge is reversed, and what it stated is not stated again."""
    if not answered(connection, one.claimed.id, UNMERGED):
        return one
    kept = [left for said in one.resources if (left := unsaid(said, one.identities))]
    return replace(one, resources=kept, undone=True)


def _lock(connection: Connection, asked: Sequence[Done]) -> None:
    """A merge and a message of the same patient must not be judged side by side."""
    events = [event for one in asked for event in one.identities]
    lock(connection, [f"{e.resource_type}/{number}" for e in events for number in (e.source_id, e.target_id)])


def _asked(one: Done) -> Asked:
    claimed = one.claimed
    return Asked(claimed.id, claimed.site, claimed.received_at, one.structure, one.resources, one.identities)


def _with(one: Done, verdict: Verdict) -> Done:
    if verdict.hold is None:
        found = [(said.path, said.kind, said.text) for said in verdict.findings]
        return replace(one, findings=[*one.findings, *found])
    cause = verdict.hold.cause
    finished = Finished(one.claimed.id, "held", cause.code, cause.text, cause.mender)
    return Done(one.claimed, finished, awaits=verdict.hold.awaits)


def _wait(connection: Connection, done: Sequence[Done]) -> None:
    awaited.note(connection, [(one.claimed.id, it.what, it.name) for one in done for it in one.awaits])


def _stored(done: Sequence[Done]) -> set[Name]:
    said = {name_of(mapped.resource) for one in done for mapped in one.resources}
    return {name for name in said if name[0] in _AWAITED}
