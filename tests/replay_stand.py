"""What the replay's tests share: mappings in one line each, a worker that follows them, replays by others."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from adapter.convert import Converted
from adapter.errors import NoIdentity, NoMap
from adapter.mapper.engine import Mapped
from adapter.operate.replays import Order, selected
from adapter.replay.present import Present
from adapter.replay.run import Replayer
from adapter.replay.trial import DryRun
from adapter.store import inbox
from adapter.store.database import Database, rows
from adapter.store.lanes import Claimed
from adapter.worker import Rules, Worker
from tests.store_stand import NOON, RULES, STUDY_RULES, SmallIndex, mapped, new_message, observation, patient

OLD, NEW = "old mappings", "new mappings"


class Account:
    """A ledger without unread fields."""

    def unmapped(self) -> tuple[()]:
        return ()


@dataclass(frozen=True)
class Dialect:
    """How a message `p1 WBC 5.1 m` becomes resources: patient, code, value, gender."""

    code: Callable[[str], str] = str
    gender: bool = True
    patient: bool = True
    without: frozenset[str] = frozenset()
    broken: frozenset[str] = frozenset()
    subject: bool = False

    def __call__(self, claimed: Claimed) -> Converted:
        number, what, value, gender, day = claimed.raw.decode().split()
        if what in self.without:
            raise NoMap(f"no map for {what}")
        if what in self.broken:
            raise NoIdentity("the patient has no identifier")
        order = f"2018-03-{int(day):02d}T08:00:00+08:00"
        about = patient(number, subject=f"ATLI-{number}" if self.subject else "", **self._gender(gender))
        result = observation(f"o-{number}-{what}", of=number, code={"text": self.code(what)}, valueString=value)
        said = [mapped(about, order)] if self.patient else []
        return Converted((*said, mapped(result, order)), (), cast("Any", Account()), "ORU_R01", claimed.site)

    def _gender(self, gender: str) -> dict[str, str]:
        return {"gender": gender} if self.gender else {}


def rules(mapping: str) -> Rules:
    return Rules(SmallIndex(), RULES, STUDY_RULES, mapping)


def receive(database: Database, *texts: str) -> None:
    """Messages `p1 WBC 5.1 male 1`; the first word is the lane."""
    with database.write() as connection:
        inbox.insert(connection, [new_message(text, lane=f"FAHZU|{text.partition(' ')[0]}") for text in texts])


def work(database: Database, convert: Callable[[Claimed], Converted], mapping: str = OLD) -> None:
    """Convert everything that waits."""
    worker = Worker(database, name="w", convert=convert, rules=rules(mapping), clock=lambda: NOON)
    while worker.run_once():
        pass


def replayer(database: Database, convert: Callable[[Claimed], Converted], own: Sequence[Mapped] = ()) -> Replayer:
    return Replayer(database, Present(convert, rules(NEW), own), lambda: NOON)


def replay(database: Database, convert: Callable[[Claimed], Converted], **said: str) -> dict[str, Any]:
    """Replay to the end."""
    one = replayer(database, convert)
    told = one.begin(Order(selected(said), NEW, "tester", "a test"))
    while told["state"] == "open":
        told = one.go_on(told["replay"], NEW)
    return told


def dry_run(database: Database, convert: Callable[[Claimed], Converted], **said: str) -> dict[str, Any]:
    one = DryRun(database, Present(convert, rules(NEW)))
    return one.run(selected(said), NOON, progress=lambda *_: None)


def changed(told: Mapping[str, Any]) -> dict[str, int]:
    """How many resources a replay changed, by kind; without the account itself."""
    return {kind: number for kind, number in told["changed"].items() if kind != "patients"}


def would(told: Mapping[str, Any]) -> dict[str, int]:
    """The same of a dry run."""
    return {kind: number for kind, number in told["resources"].items() if number}


def versions(database: Database) -> dict[str, int]:
    """The newest version of every resource that follows from messages; 0 where it was removed."""
    sql = "SELECT resource_type, id, version, deleted FROM resource WHERE message_id > 0"
    with database.read() as connection:
        return {f"{kind}/{name}": 0 if gone else version for kind, name, version, gone in rows(connection, sql)}


def one(database: Database, sql: str, *values: Any) -> Any:
    """The first value of a statement."""
    with database.read() as connection:
        return rows(connection, sql, values)[0][0]
