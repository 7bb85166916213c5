"""NK1: whom to turn to, as Patient.contact. v2-to-FHIR guide: NK1[Patient]."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, cast

from adapter.hl7v2.message import Field, Segment
from adapter.mapper.datatypes.converter import Bound, Converter, first
from adapter.mapper.datatypes.cwe import BY, Concepts, TableCodes
from adapter.mapper.datatypes.doubt import without_doubt
from adapter.mapper.datatypes.dtm import period
from adapter.mapper.datatypes.xad import CONVERTERS as ADDRESSES
from adapter.mapper.datatypes.xon import CONVERTERS as ORGANIZATIONS
from adapter.mapper.datatypes.xpn import CONVERTERS as NAMES
from adapter.mapper.datatypes.xtn import CONVERTERS as NUMBERS
from adapter.mapper.sites import Site

RELATIONSHIPS = f"{BY}0063-relationship"
ROLES = f"{BY}0131-contact-role"
NUMBER_FIELDS = (5, 6, 31, 40, 41)
FIELDS: tuple[int, ...] = (2, 3, 4, 5, 6, 7, 8, 9, 13, 15, 30, 31, 32, 40, 41)
CONVERTS = {one.name: one for one in (*ADDRESSES, *ORGANIZATIONS, *NAMES, *NUMBERS)}


def _bind_contact(site: Site, _paths: tuple[str, ...]) -> Bound:
    parts = _Parts(site)
    contact = lru_cache(maxsize=2_000)(parts.contact)

    def nk1_contacts(segments: tuple[Segment, ...]) -> list[dict[str, Any]] | None:
        found = [made for segment in segments if (made := contact(_said(segment)))]
        return found or None

    return nk1_contacts


def _said(segment: Segment) -> tuple[Field, ...]:
    return tuple(segment.field(number) for number in FIELDS)


class _Parts:
    """The converters of one site that a contact is made with."""

    def __init__(self, site: Site) -> None:
        bound = {name: one.bind(site, ("NK1-2",)) for name, one in CONVERTS.items() if one.sources == 1}
        self.names, self.addresses = bound["XPN-HumanName"], bound["XAD-Address"]
        self.numbers, self.work = bound["XTN-ContactPoint"], bound["XTN-ContactPointWork"]
        self.organization = bound["XON-Reference"]
        self.relationship = Concepts(site, f"NK1-3{RELATIONSHIPS}").concept
        self.role = Concepts(site, f"NK1-7{ROLES}").concept
        self.gender = TableCodes(site, "0001-administrative-sex").code
        self.zone = site.timezone

    def contact(self, said: tuple[Field, ...]) -> dict[str, Any] | None:
        """One contact; None where nothing tells how to reach it (FHIR pat-1)."""
        fields: dict[int, Field] = dict(zip(FIELDS, said, strict=True))
        reached: dict[str, Any] = {
            "name": self._first(self.names, fields, (2, 30)),
            "telecom": [*self._telecom(fields)],
            "address": self._first(self.addresses, fields, (4, 32)),
            "organization": self._first(self.organization, fields, (13,)),
        }
        reached = {name: value for name, value in reached.items() if value}
        if not reached:
            return None
        relations = [*self._each(self.relationship, fields, 3), *self._each(self.role, fields, 7)]
        about: dict[str, Any] = {
            "relationship": relations,
            "gender": self._first(self.gender, fields, (15,)),
            "period": without_doubt(period(first(fields[8]), first(fields[9]), self.zone)),
        }
        return {name: value for name, value in about.items() if value} | reached

    def _telecom(self, fields: Mapping[int, Field]) -> Iterable[dict[str, Any]]:
        for number in NUMBER_FIELDS:
            yield from self._each(self.work if number == 6 else self.numbers, fields, number)

    def _each(self, convert: Bound, fields: Mapping[int, Field], number: int) -> list[Any]:
        made = (without_doubt(convert(repetition)) for repetition in fields[number])
        return [one for one in made if one]

    def _first(self, convert: Bound, fields: Mapping[int, Field], numbers: tuple[int, ...]) -> Any:
        for number in numbers:
            for made in self._each(convert, fields, number):
                return cast("list[Any]", made)[0] if isinstance(made, list) else made
        return None


CONVERTERS = (Converter("NK1-PatientContact", "BackboneElement", _bind_contact, sources=0, fields=FIELDS),)
