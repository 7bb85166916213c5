"""Some messages of a replay: which resources they now say something else of, and those made anew from everything said.

A resource is made by the same writer, from the same statements, as a worker makes it; only that all are there at once.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from adapter.converting import Done
from adapter.replay.said import Conversions, Said
from adapter.store import contributions
from adapter.store.contributions import Target
from adapter.store.database import Connection, Database
from adapter.store.lanes import stored
from adapter.store.names import Name, name_of
from adapter.store.replays import Chosen
from adapter.store.resources import ResourceWriter
from adapter.store.states import Put
from adapter.worker import Rules

MOST_SPEAKERS = 1_000
"""Messages that are converted for one batch, unless one resource needs more."""


@dataclass(frozen=True, slots=True)
class Differing:
    """A message that says something else than it said, or is in another state; the one it was in, and how it ends."""

    before: str
    done: Done


@dataclass(frozen=True, slots=True)
class Batch:
    """What replaying some messages comes to.

    `failed` are those that now cannot be converted, with the code; `left` are resources that stay as they are because
    a message that speaks of them cannot be converted. `speakers` are all messages of which a resource is made,
    `touched` those of them that now say something else of it, selected or not.
    """

    count: int
    last: int
    differ: Sequence[Differing]
    failed: Mapping[int, str]
    left: frozenset[Name]
    targets: Mapping[Name, Target | None]
    statements: Sequence[Put]
    speakers: Mapping[Name, tuple[int, ...]]
    touched: frozenset[int]

    def put_into(self, writer: ResourceWriter) -> None:
        """Let the writer make the resources anew."""
        for name, target in self.targets.items():
            writer.anew(name, target)
        for one in self.statements:
            writer.put(one.mapped, site=one.site, message_id=one.message_id)


Assumed = Mapping[Name, tuple[int, ...]]
"""Of a dry run: who speaks of the resources that it would have made anew already."""


class Batches:
    """Makes batches, from reading alone."""

    def __init__(self, database: Database, conversions: Conversions) -> None:
        """Begin."""
        self._database, self._conversions = database, conversions

    def make(self, chosen: Sequence[Chosen], assumed: Assumed, touched: Container[int]) -> Batch:
        """What replaying the first of these messages comes to: as many as keep the batch within its bounds.

        Args:
            chosen: the messages, in order.
            assumed: what earlier batches of a dry run would have written.
            touched: messages that are known to differ from earlier batches of this replay.
        """
        claimed = {one.claimed.id: one.claimed for one in chosen}
        every = dict(self._conversions.each(claimed, lambda some: {number: claimed[number] for number in some}))
        with self._database.read() as connection:
            known = contributions.of_messages(connection, claimed)
            other = {number: _other(number, said, known.get(number, {}), assumed) for number, said in every.items()}
            targets = contributions.targets(connection, {name for some in other.values() for name in some})
            kept = _within_bounds(chosen, other, targets)
            said = {one.claimed.id: every[one.claimed.id] for one in kept}
            names = {name for number in said for name in other[number]}
            speakers = {name: _speakers(name, targets.get(name), said, assumed) for name in names}
            found = self._statements(connection, speakers, targets)
        left = found.left
        return Batch(
            len(kept),
            kept[-1].claimed.id,
            [
                Differing(one.state, done)
                for one in kept
                if (done := said[one.claimed.id].done) and _differs(one, said, other, touched)
            ],
            {number: one.failure for number, one in said.items() if one.failure},
            left,
            {name: targets.get(name) for name in names if name not in left},
            found.statements,
            {name: some for name, some in speakers.items() if name not in left},
            found.touched,
        )

    def _statements(
        self,
        connection: Connection,
        speakers: Mapping[Name, tuple[int, ...]],
        targets: Mapping[Name, Target],
    ) -> "_Found":
        """Everything that is said of these resources; those of which it cannot be known; who says something else."""
        asked: dict[int, list[Name]] = {}
        for name, some in speakers.items():
            for number in some:
                asked.setdefault(number, []).append(name)
        left: set[Name] = set()
        touched: set[int] = set()
        statements: list[Put] = []
        for number, said in self._conversions.each(sorted(asked), lambda some: stored(connection, some)):
            if said.failure:
                left.update(asked[number])
                continue
            for name in asked[number]:
                known = targets[name].said.get(number) if name in targets else None
                if known is not None and known != said.digests.get(name):
                    touched.add(number)
                statements += [Put(one, said.site, number) for one in said.statements.get(name, ())]
        kept = [one for one in statements if name_of(one.mapped.resource) not in left]
        return _Found(kept, frozenset(left), frozenset(touched))


@dataclass(frozen=True, slots=True)
class _Found:
    statements: Sequence[Put]
    left: frozenset[Name]
    touched: frozenset[int]


def write(connection: Connection, batch: Batch, rules: Rules, now: datetime) -> ResourceWriter:
    """Write the resources of a batch.

    Raises:
        StorageUnavailable: something was changed meanwhile; nothing may be committed.
    """
    writer = rules.writer(connection, now)
    batch.put_into(writer)
    writer.flush()
    return writer


def _other(number: int, said: Said, known: Mapping[Name, int], assumed: Assumed) -> set[Name]:
    """The resources of which a message says something else than it said."""
    if said.failure:
        return set()

    def is_other(name: Name) -> bool:
        if name in assumed:
            return (number in assumed[name]) != (name in said.digests)
        return known.get(name) != said.digests.get(name)

    return {name for name in known.keys() | said.digests.keys() if is_other(name)}


def _differs(chosen: Chosen, said: Mapping[int, Said], other: Mapping[int, set[Name]], touched: Container[int]) -> bool:
    number = chosen.claimed.id
    one = said[number]
    if one.done is None or one.failure:
        return False
    return bool(other[number]) or number in touched or one.done.finished.state != chosen.state


def _speakers(name: Name, target: Target | None, said: Mapping[int, Said], assumed: Assumed) -> tuple[int, ...]:
    """Everyone who says something of a resource, or did."""
    known: Iterable[int] = assumed.get(name, target.said if target else ())
    return tuple(sorted({*known, *(number for number, one in said.items() if name in one.digests)}))


def _within_bounds(
    chosen: Sequence[Chosen], other: Mapping[int, set[Name]], targets: Mapping[Name, Target]
) -> list[Chosen]:
    kept: list[Chosen] = []
    speakers: set[int] = set()
    for one in chosen:
        for name in other[one.claimed.id]:
            speakers.update(targets[name].said if name in targets else ())
        if kept and len(speakers) > MOST_SPEAKERS:
            break
        kept.append(one)
    return kept
