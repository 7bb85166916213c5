"""The Provenance of a message, made when it is read: what it made, by which mappings, and what each element came from.

Nothing of it is stored: the log has the message, the store knows its versions, and converting the bytes again tells
their paths (`docs/decisions/0018-provenance-is-made-when-read.md`).
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from adapter.convert import convert
from adapter.data import PROGRAM, program_version
from adapter.errors import AdapterError
from adapter.fhir import json
from adapter.hl7v2.parse import header
from adapter.hl7v2.slim import stored
from adapter.mapper.catalog import Catalog
from adapter.mapper.ids import NAMING
from adapter.mapper.ledger import Lineage
from adapter.mapper.sites import Site
from adapter.mapper.times import fhir_datetime
from adapter.store import contributions
from adapter.store.database import Connection
from adapter.store.names import Name
from adapter.store.origins import Origin, Wish, numbers, of_sites, origins
from adapter.store.reach import Reach
from adapter.store.states import SOURCE

PREFIX = "msg-"
"""Ids of these are this and the message's number; ids of what is stored are UUIDs."""

ELEMENT_SOURCE = "https://fhir.tli-trial.example.org/StructureDefinition/tli-element-source"
MAPPINGS = "https://fhir.tli-trial.example.org/mappings"
PARTICIPANT = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
OPERATION = "http://terminology.hl7.org/CodeSystem/v3-DataOperation"

_LONGEST_NUMBER = 18


@dataclass(frozen=True, slots=True)
class Provenances:
    """Makes them with the mappings of one installation."""

    catalog: Catalog

    def read(self, connection: Connection, reach: Reach, resource_id: str) -> bytes | None:
        """The Provenance of this id; None where no message has it or that made nothing, or it is another hospital's."""
        number = _number(resource_id)
        found = self.make(connection, of_sites(connection, {number}, reach.sites)) if number else []
        return found[0][1] if found else None

    def find(
        self, connection: Connection, reach: Reach, targets: Sequence[Sequence[Wish]], ids: AbstractSet[str] | None
    ) -> list[int]:
        """The messages whose Provenance names one of each of these targets and has one of these ids, in order.

        Args:
            connection: of a reading transaction.
            reach: what the caller reaches.
            targets: for each parameter of a search its alternatives.
            ids: None: any.
        """
        found = [set[int]().union(*(numbers(connection, wish) for wish in wishes)) for wishes in targets]
        if ids is not None:
            named = {number for one in ids if (number := _number(one))}
            found.append({one.claimed.id for one in origins(connection, named)})
        return of_sites(connection, set[int].intersection(*found), reach.sites) if found else []

    def make(self, connection: Connection, asked: Iterable[int]) -> list[tuple[str, bytes]]:
        """The Provenances of these messages: id and JSON, in order."""
        made = [self._of(one) for one in origins(connection, asked)]
        return [(one["id"], json.dumps(one)) for one in made]

    def _of(self, origin: Origin) -> dict[str, Any]:
        claimed, site = origin.claimed, self.catalog.sites.by_code.get(origin.claimed.site, self.catalog.standard)
        recorded = origin.finished_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        occurred = _occurred(claimed.raw, site)
        activity = _activity(origin)
        return {
            "resourceType": "Provenance",
            "id": f"{PREFIX}{claimed.id}",
            "meta": {"lastUpdated": recorded, "source": f"{SOURCE}/{claimed.site}#{claimed.id}"},
            "target": self._targets(origin, site),
            **({"occurredDateTime": occurred} if occurred else {}),
            "recorded": recorded,
            **({"policy": [f"{MAPPINGS}/{origin.mapping}"]} if origin.mapping else {}),
            **({"activity": {"coding": [activity]}} if activity else {}),
            "agent": [_software(), _author(site)],
            "entity": [_source(origin)],
        }

    def _targets(self, origin: Origin, site: Site) -> list[dict[str, Any]]:
        lines = self._lines(origin, site)
        found: list[dict[str, Any]] = []
        for name in origin.names:
            address, versions = "/".join(name), origin.versions.get(name, ())
            targets = [{"reference": f"{address}/_history/{one}"} for one in versions] or [{"reference": address}]
            # What an older version was made of, the mappings of now cannot tell.
            found += [*targets[:-1], _explained(targets[-1], lines.get(name, ()))]
        return found

    def _lines(self, origin: Origin, site: Site) -> Mapping[Name, Sequence[Lineage]]:
        """Where the elements came from, of the resources of which these mappings say what is stored."""
        claimed = origin.claimed
        raw = stored(claimed.raw) if claimed.large else claimed.raw
        try:
            made = convert(raw, catalog=self.catalog, site=site)
        except AdapterError:
            # These mappings do not convert it any more: who, when and from what stays true.
            return {}
        said = contributions.by_name(made.resources)
        same = origin.mapping == self.catalog.version
        found: dict[Name, list[Lineage]] = {}
        for line in made.ledger.lineage():
            kind, _, number = line.resource.partition("/")
            found.setdefault((kind, number), []).append(line)
        return {
            name: lines
            for name, lines in found.items()
            if same or contributions.digest(said.get(name, ())) == origin.said.get(name)
        }


def participant(code: str) -> dict[str, Any]:
    """A type of agent."""
    return {"coding": [{"system": PARTICIPANT, "code": code}]}


def _number(resource_id: str) -> int | None:
    digits = resource_id.removeprefix(PREFIX)
    fits = digits.isascii() and digits.isdigit() and len(digits) <= _LONGEST_NUMBER
    return int(digits) if fits and resource_id == f"{PREFIX}{int(digits)}" else None


def _occurred(raw: bytes, site: Site) -> str | None:
    """MSH-7: when the hospital said so."""
    try:
        return fhir_datetime(header(raw).text(7), site.timezone)
    except AdapterError:
        return None


def _activity(origin: Origin) -> dict[str, str] | None:
    """None where the message confirmed what was known already."""
    made = [one for versions in origin.versions.values() for one in versions]
    if not made:
        return None
    new = all(origin.versions.get(name, (0,))[0] == 1 for name in origin.names)
    code, display = ("CREATE", "create") if new else ("UPDATE", "revise")
    return {"system": OPERATION, "code": code, "display": display}


def _software() -> dict[str, Any]:
    who = {"system": f"{NAMING}/tli-software", "value": f"{PROGRAM}-{program_version()}"}
    return {"type": participant("assembler"), "who": {"identifier": who, "display": "HL7 v2 to FHIR adapter"}}


def _author(site: Site) -> dict[str, Any]:
    known = {"reference": site.organization} if site.organization else {}
    named = {"system": f"{NAMING}/tli-site-code", "value": site.code}
    return {"type": participant("author"), "who": {**known, "identifier": named, "display": site.name}}


def _source(origin: Origin) -> dict[str, Any]:
    number, site = origin.claimed.id, origin.claimed.site
    what: dict[str, Any] = {"display": f"{origin.kind}, message {number} of the log, sha256 {origin.sha256}"}
    if origin.control_id:
        what["identifier"] = {"system": f"{NAMING}/{site.lower()}-msh10", "value": origin.control_id}
    return {"role": "source", "what": what}


def _explained(target: dict[str, Any], lines: Sequence[Lineage]) -> dict[str, Any]:
    """A target with an extension for each element and path; bytes are counted from 0, the end is not one of them."""
    if not lines:
        return target
    said = [
        {
            "url": ELEMENT_SOURCE,
            "extension": [
                {"url": "element", "valueString": line.element},
                {"url": "path", "valueString": line.path},
                {"url": "rule", "valueString": line.rule},
                {"url": "start", "valueUnsignedInt": line.span[0]},
                {"url": "end", "valueUnsignedInt": line.span[1]},
            ],
        }
        for line in lines
    ]
    return {"extension": said, **target}
