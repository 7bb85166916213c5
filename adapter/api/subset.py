"""Parts of resources: `_elements`, and `_summary=data` or `text` (R4 §3.1.1.5.8, §3.1.1.5.9)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from adapter.fhir import json, r4
from adapter.request_errors import BadParameter

SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}

_ALWAYS = frozenset({"resourceType", "id", "meta"})


@dataclass(frozen=True, slots=True)
class Subset:
    """What is sent of resources: by type these elements (of other types all), without the narrative or not."""

    elements: Mapping[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    narrative: bool = True

    def of(self, resource_type: str, body: bytes) -> bytes:
        """The JSON of a resource without what is not wanted, tagged as a part of it."""
        wanted = self.elements.get(resource_type)
        if wanted is None and self.narrative:
            return body
        resource: dict[str, Any] = json.loads(body)
        kept = {name: value for name, value in resource.items() if wanted is None or name in wanted}
        if not self.narrative:
            kept.pop("text", None)
        meta: dict[str, Any] = resource.get("meta", {})
        return json.dumps(kept | {"meta": {**meta, "tag": [*meta.get("tag", ()), SUBSETTED]}})


def subset(resource_type: str, sent: Mapping[str, str]) -> Subset | None:
    """What of the resources is asked for; None where all is.

    Args:
        resource_type: what is searched or read: names without a type in front are of it.
        sent: the parameters of the request.

    Raises:
        BadParameter: R4 has no such element.
    """
    summary = sent.get("_summary", "")
    if summary == "text":
        return Subset({resource_type: _kept(resource_type) | {"text"}})
    named: dict[str, frozenset[str]] = {}
    for text in filter(None, sent.get("_elements", "").split(",")):
        kind, dot, name = text.strip().rpartition(".")
        kind = kind if dot else resource_type
        named[kind] = named.get(kind, _kept(kind)) | _names(kind, name)
    return Subset(named, narrative=summary != "data") if named or summary == "data" else None


@cache
def _kept(resource_type: str) -> frozenset[str]:
    """What a resource is never without: it would not be valid."""
    try:
        required = r4.required_elements(resource_type)
    except r4.UnknownElement:
        raise BadParameter("_elements names a type that R4 has not") from None
    return _ALWAYS.union(*(_names(resource_type, name.removesuffix("[x]")) for name in required))


@cache
def _names(resource_type: str, name: str) -> frozenset[str]:
    """The JSON properties of an element, with what primitives carry beside their values."""
    for path in (f"{resource_type}.{name}", f"{resource_type}.{name}[x]"):
        try:
            found = r4.element(path).names
        except r4.UnknownElement:
            continue
        return frozenset({*found, *(f"_{one}" for one in found)})
    raise BadParameter(f"_elements names an element that {resource_type} has not")
