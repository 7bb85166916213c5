"""Derived facts that wait for a person, and their confirmation, which becomes a message like any other input."""

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Protocol

from adapter.fhir import json
from adapter.hl7v2.message import Delimiters, escape
from adapter.operate.imports import REFUSED, UNCHANGED, Give, Given
from adapter.request_errors import BadParameter
from adapter.store import subjects
from adapter.store.database import Connection, Database
from adapter.trial.confirmations import words
from adapter.trial.elements import Resource, codes, identifier, own
from adapter.trial.proposals import IDENTIFIERS

SITE = "CONFIRMATIONS"
"""The sender of confirmations (mappings/sites/confirmations/)."""

PRELIMINARY, FINAL = "preliminary", "final"
CONFIRMED = "confirmed"
MOST = 200
"""Facts that are confirmed at once."""

_WHO = re.compile(r"[^/\s](?:[^/]*[^/\s])?/[^/\s]+")
_USUAL = Delimiters("|", "^", "~", "\\", "&", None)
_CONFIRMATION = "CONFIRMATION^Confirmation of a derived fact^99TLIDERIVED"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which facts are listed; what is empty restricts nothing, but only those that wait are listed by default."""

    subject: str = ""
    fact: str = ""
    status: str = PRELIMINARY


@dataclass(frozen=True, slots=True)
class Order:
    """Which facts are confirmed, by number or id, by whom (`data-manager/WH`: role and initials), and why."""

    facts: Sequence[str]
    by: str
    reason: str


class Confirms(Protocol):
    """Confirms facts."""

    def confirm(self, order: Order) -> dict[str, Any]:
        """Confirm some facts.

        Returns:
            `facts`: of each number, value, outcome (confirmed, unchanged, refused) and message.

        Raises:
            BadParameter: nothing is confirmed: a fact is not known, or has no value; or nobody confirms, or for no
                reason.
            StorageUnavailable: not all is stored; doing it again changes nothing where it was.
        """
        ...


def listing(connection: Connection, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """The derived facts: number, id, status, value in words, day, notes; by number.

    Raises:
        BadParameter: there is no such status.
    """
    if wanted.status not in {"", PRELIMINARY, FINAL}:
        raise BadParameter(f"status is {PRELIMINARY} or {FINAL}")
    found = {identifier(one, IDENTIFIERS): one for one in _derived(connection, wanted.subject)}
    for number, one in sorted(found.items()):
        code = next((code for _, code in codes(one["code"])), "")
        if wanted.fact in {"", code} and wanted.status in {"", one["status"]} and words(one):
            yield {
                "number": number,
                "id": one["id"],
                "status": one["status"],
                "value": words(one),
                "day": one.get("effectiveDateTime"),
                "notes": [note["text"] for note in one.get("note", [])],
            }


@dataclass(frozen=True, slots=True)
class Confirmer:
    """Confirms facts in the process that has the database."""

    database: Database
    give: Give
    clock: Callable[[], datetime]

    def confirm(self, order: Order) -> dict[str, Any]:
        """As `Confirms.confirm`."""
        _check(order)
        with self.database.read() as connection:
            facts = list(_found(connection, order.facts))
        now = self.clock()
        raws = [_message(one, order, now) for one in facts if one["status"] != FINAL]
        given = iter(self.give(raws, SITE, order.by))
        return {"facts": [_told(one, None if one["status"] == FINAL else next(given)) for one in facts]}


def _check(order: Order) -> None:
    if not _WHO.fullmatch(order.by):
        raise BadParameter("whoever confirms says as what and who: by is ROLE/INITIALS, as in data-manager/WH")
    if not order.reason.strip():
        raise BadParameter("whoever confirms says why: reason")
    if not 0 < len(order.facts) <= MOST:
        raise BadParameter(f"between 1 and {MOST} facts are confirmed at once")


def _derived(connection: Connection, subject: str) -> list[Resource]:
    found = (json.computable(one) for one in subjects.derived(connection, subject))
    return [one for one in found if identifier(one, IDENTIFIERS)]


def _found(connection: Connection, names: Sequence[str]) -> Iterator[Resource]:
    """The facts of these numbers or ids, each once."""
    of_subjects, known = {_subject(name) for name in names}, dict[str, Resource]()
    for subject in {""} if "" in of_subjects else of_subjects:
        for one in _derived(connection, subject):
            known |= {identifier(one, IDENTIFIERS): one, own(one): one, one["id"]: one}
    if not known.keys() >= set(names):
        raise BadParameter("a fact of these is not known: `adapter confirm` lists their numbers")
    found = {own(known[name]): known[name] for name in names}
    if not all(words(one) for one in found.values()):
        raise BadParameter("a fact of these has no value any more: there is nothing to confirm")
    yield from found.values()


def _subject(name: str) -> str:
    """Of whom a fact is: its number begins with the subject's; an id does not say."""
    subject, slash, _ = name.removeprefix("Observation/").partition("/")
    return subject if slash else ""


def _message(fact: Resource, order: Order, now: datetime) -> bytes:
    """The message: HL7 v2.5.1 ORU^R01 of the subject, one OBX, whose value is the confirmed one in words."""
    number, value = identifier(fact, IDENTIFIERS), words(fact)
    # Of two confirmations within a second the second is the newer one.
    time = f"{now.strftime('%Y%m%d%H%M%S')}.{now.microsecond // 100:04d}{now.strftime('%z')}"
    name = urlsafe_b64encode(sha256(f"{number}|{value}|{time}".encode()).digest())[:18].decode()
    subject = escape(number.partition("/")[0], _USUAL)
    role, _, initials = order.by.partition("/")
    who = f"{escape(initials, _USUAL)}^{escape(role, _USUAL)}"
    fact_number = escape(number, _USUAL)
    lines = (
        rf"MSH|^~\&|CONFIRM|TRIALOFFICE|TRIALHUB|CENTRAL|{time}||ORU^R01^ORU_R01|CF{name}|P|2.5.1|||AL|NE|CHN|"
        "UNICODE UTF-8",
        f"PID|1||{subject}^^^TLI2017&2.16.840.1.113883.3.9999.1.99&ISO^ANON||{subject}^^^^^^S",
        f"OBR|1||{fact_number}|{_CONFIRMATION}|||{time}|||||||||||||||{time}|||F",
        f"OBX|1|ST|{_CONFIRMATION}||{escape(value, _USUAL)}||||||F|||{time}||{who}|||||{fact_number}",
        f"NTE|1||{escape(' '.join(order.reason.split()), _USUAL)}",
    )
    return "".join(f"{line}\r" for line in lines).encode()


def _told(fact: Resource, given: Given | None) -> dict[str, Any]:
    outcome = UNCHANGED if given is None else REFUSED if given.state in {"rejected", "ignored"} else CONFIRMED
    number = given.message_id if given else None
    return {"number": identifier(fact, IDENTIFIERS), "value": words(fact), "outcome": outcome, "message": number}
