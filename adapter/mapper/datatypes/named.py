"""Places and devices that a field only names. v2-to-FHIR guide: CWE[Device], XON[Location]."""

from typing import Any

from adapter.hl7v2.message import Repetition
from adapter.mapper.datatypes.converter import Bound, Converter, part
from adapter.mapper.datatypes.xon import XON_READS, bind_organization
from adapter.mapper.sites import Site


def _bind_device(site: Site, _paths: tuple[str, ...]) -> Bound:
    """A code and its words as a logical reference; a code of no known system is a number without one."""

    def cwe_reference(repetition: Repetition) -> dict[str, Any] | None:
        code, words, name = (part(repetition, number) for number in (1, 2, 3))
        known = site.system(name) if name else None
        made: dict[str, Any] = {"type": "Device"}
        if code and (words or known):
            made["identifier"] = ({"system": known.uri} if known else {}) | {"value": code}
        display = words or part(repetition, 9) or code
        return made | {"display": display} if display else None

    return cwe_reference


def _bind_place(site: Site, paths: tuple[str, ...]) -> Bound:
    organization = bind_organization(site, paths)

    def xon_location(repetition: Repetition) -> dict[str, Any] | None:
        made = organization(repetition)
        return {**made, "type": "Location"} if made else None

    return xon_location


CONVERTERS = (
    Converter("CWE-DeviceReference", "Reference", _bind_device, reads=frozenset({1, 2, 3, 9})),
    Converter("XON-LocationReference", "Reference", _bind_place, reads=XON_READS),
)
