"""Organizations, places and devices that a field only names.

v2-to-FHIR guide: CWE[Organization], CWE[Device], XON[Location].
"""

from functools import partial
from typing import Any

from adapter.hl7v2.message import Repetition
from adapter.mapper.datatypes.converter import Bound, Converter, part
from adapter.mapper.datatypes.xon import CONVERTERS as ORGANIZATIONS
from adapter.mapper.sites import Site

_ORGANIZATION = next(converter for converter in ORGANIZATIONS if converter.name == "XON-Reference")


def _bind_named(site: Site, _paths: tuple[str, ...], kind: str) -> Bound:
    """A code and its words as a logical reference; a code of no known system is a number without one."""

    def cwe_reference(repetition: Repetition) -> dict[str, Any] | None:
        code, words, name = (part(repetition, number) for number in (1, 2, 3))
        known = site.system(name) if name else None
        made: dict[str, Any] = {"type": kind}
        if code and (words or known):
            made["identifier"] = ({"system": known.uri} if known else {}) | {"value": code}
        display = words or part(repetition, 9) or code
        return made | {"display": display} if display else None

    return cwe_reference


def _bind_place(site: Site, paths: tuple[str, ...]) -> Bound:
    organization = _ORGANIZATION.bind(site, paths)

    def xon_location(repetition: Repetition) -> dict[str, Any] | None:
        made = organization(repetition)
        return {**made, "type": "Location"} if made else None

    return xon_location


READS = frozenset({1, 2, 3, 9})
CONVERTERS = (
    Converter("CWE-OrganizationReference", "Reference", partial(_bind_named, kind="Organization"), reads=READS),
    Converter("CWE-DeviceReference", "Reference", partial(_bind_named, kind="Device"), reads=READS),
    Converter("XON-LocationReference", "Reference", _bind_place, reads=_ORGANIZATION.reads),
)
