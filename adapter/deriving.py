"""Derives the trial's facts of a subject when what they rest on has changed, and writes those that differ.

What is derived is a proposal of its own, an Observation that no message made: it never touches what hospitals sent. It
is derived when nothing of the subject changed for some seconds, so that a stay's messages are not followed one by one.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from adapter.converting import Bug, bounded
from adapter.data import PROGRAM, program_version
from adapter.log import event
from adapter.mapper.engine import Mapped
from adapter.mapper.ids import resource_id
from adapter.operate.provenance import OPERATION, participant
from adapter.operate.trial_records import known_of
from adapter.store import contributions, due, subjects
from adapter.store.database import Connection, Database
from adapter.store.names import name_of
from adapter.store.reach import OF_THE_TRIAL
from adapter.trial.confirmations import confirmations
from adapter.trial.derived import derive
from adapter.trial.elements import Resource, identifier, own, reference
from adapter.trial.gathering import Dossier, donor_number, gather
from adapter.trial.people import persons
from adapter.trial.proposals import IDENTIFIERS, proposal, withdrawn
from adapter.trial.record import Subject
from adapter.trial.rules import TrialRules
from adapter.worker import Rules

QUIET = timedelta(seconds=5)


class Deriver:
    """Derives of one subject at a time; several may share a database."""

    def __init__(self, database: Database, writing: Rules, trial: TrialRules, clock: Callable[[], datetime]) -> None:
        """Keep the store, how it is written, the rules of the trial, and the time in UTC."""
        self._database, self._writing, self._trial, self._clock = database, writing, trial, clock

    def run_once(self) -> int:
        """Derive of the number that waits longest; what cannot be derived at all waits no more until it changes.

        Returns:
            How many waited: 1, or 0 where none is ready.

        Raises:
            StorageUnavailable: the database failed; the number waits on.
        """
        now = self._clock()
        with self._database.read() as connection:
            found = due.following(connection, due.DERIVATION, now - QUIET)
        if found is None:
            return 0
        done = bounded(partial(self._derive, found, now))
        if isinstance(done, Bug):
            event("derivation_failed", level=logging.ERROR, failure=done.exception)
            with self._database.write() as connection:
                due.taken(connection, due.DERIVATION, *found)
        return 1

    def _derive(self, found: tuple[str, int], now: datetime) -> None:
        subject = found[0].removeprefix(self._trial.terms.donor_prefix)
        with self._database.read() as connection:
            made = list(self._derived(connection, subject))
        with self._database.write() as connection:
            if due.taken(connection, due.DERIVATION, *found) and made:
                self._write(connection, made, subject, now)

    def _derived(self, connection: Connection, number: str) -> Iterator[Resource]:
        """The facts of a subject as they are now, and those that are stored and cannot be derived any more."""
        known = _known(connection, number)
        subject = self._subject(connection, known)
        terms, said = self._trial.terms, confirmations(known)
        facts = derive(subject, self._trial) if subject else ()
        now = [proposal(fact, subject, terms, resource_id, said=said) for fact in facts] if subject else []
        yield from now
        present = {own(one) for one in now}
        stored = (one for one in known if one["resourceType"] == "Observation" and identifier(one, IDENTIFIERS))
        yield from (withdrawn(one) for one in stored if own(one) not in present)

    def _subject(self, connection: Connection, known: Sequence[Resource]) -> Subject | None:
        terms = self._trial.terms
        registration = next((one for one in known if one["resourceType"] == "ResearchSubject"), None)
        person = next(iter(persons((one for one in known if one["resourceType"] == "Patient"), terms)), None)
        if registration is None or person is None:
            return None
        of_donor = _known(connection, donor_number(known, terms))
        donor = next(iter(persons((one for one in of_donor if one["resourceType"] == "Patient"), terms)), None)
        giver = Dossier(donor, of_donor) if donor else None
        return gather(registration, Dossier(person, known), terms, donor=giver)

    def _write(self, connection: Connection, made: Sequence[Resource], number: str, now: datetime) -> None:
        writer = self._writing.writer(connection, now)
        # A fact is what the rules say now, whatever it was: a final one may be preliminary again.
        before = contributions.targets(connection, [name_of(one) for one in made])
        for one in made:
            writer.anew(name_of(one), before.get(name_of(one)))
            writer.put(_stated(one, now), site=OF_THE_TRIAL, message_id=0)
        writer.flush()
        changed = ["/".join(change.name) + f"/_history/{change.version}" for change in writer.changes()]
        if changed:
            patient = reference(made[0]["subject"])
            account = self._writing.writer(connection, now)
            account.put(_stated(_account(number, patient, sorted(changed), now), now), site=OF_THE_TRIAL, message_id=0)
            account.flush()


def _known(connection: Connection, number: str) -> list[Resource]:
    return known_of(connection, subjects.patients_of(connection, number), "Patient", "ResearchSubject")


def _stated(resource: Resource, now: datetime) -> Mapped:
    patient = reference(resource.get("subject")).partition("/")[2] or None
    return Mapped(resource, now.isoformat(), fill=False, defaults=(), cleared=(), map="derived", patient_id=patient)


def _account(number: str, patient: str, targets: list[str], now: datetime) -> dict[str, Any]:
    """The Provenance of what was derived: which versions, from whose record, by which program (FHIR R4, Provenance)."""
    recorded = now.isoformat(timespec="milliseconds")
    return {
        "resourceType": "Provenance",
        "id": resource_id("Provenance", IDENTIFIERS, f"{number}/{recorded}"),
        "target": [{"reference": target} for target in targets],
        "recorded": recorded,
        "activity": {"coding": [{"system": OPERATION, "code": "DERIVE"}], "text": "derived by the trial's rules"},
        "agent": [{"type": participant("assembler"), "who": {"display": f"{PROGRAM} {program_version()}"}}],
        "entity": [{"role": "derivation", "what": {"reference": patient}}],
    }
