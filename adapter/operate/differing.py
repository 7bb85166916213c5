"""What one message becomes under two mappings folders, side by side by resource and element."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from adapter.convert import convert
from adapter.errors import AdapterError
from adapter.fhir.leaves import leaves
from adapter.mapper.catalog import Catalog
from adapter.operate.dialects import named, sender


@dataclass(frozen=True, slots=True)
class Difference:
    """One element that differs; None where a side has none. An empty `element` stands for the whole resource."""

    resource: str
    element: str
    before: Any
    after: Any


def differences(raw: bytes, before: Catalog, after: Catalog, *, site: str = "") -> list[Difference]:
    """Convert one message with both catalogs and compare, by resource and element.

    Args:
        raw: the message.
        before: the present mappings.
        after: the others.
        site: whose dialect it is; by default the site that MSH-3 and MSH-4 name, in each catalog for itself.

    Raises:
        ConfigurationError: a catalog has no such site.
    """
    one, other = _resources(raw, before, site), _resources(raw, after, site)
    found: list[Difference] = []
    for name in sorted({*one, *other}):
        found += _of_resource(name, one.get(name), other.get(name))
    return found


def _resources(raw: bytes, catalog: Catalog, site: str) -> Mapping[str, Any]:
    """The resources by `Type/id`; a message that is not converted is told under a name of its own."""
    chosen = named(catalog, site) if site else None
    try:
        made = convert(raw, catalog=catalog, site=chosen or sender(catalog, raw))
    except AdapterError as error:
        return {"not converted": {"cause": f"{error.code} {error.text}"}}
    return {f"{one.resource['resourceType']}/{one.resource['id']}": one.resource for one in made.resources}


def _of_resource(name: str, before: Any, after: Any) -> Iterator[Difference]:
    if before is None or after is None:
        yield Difference(name, "", before, after)
        return
    one, other = _values(before), _values(after)
    for element in dict.fromkeys((*one, *other)):
        if one.get(element) != other.get(element):
            yield Difference(name, element, one.get(element), other.get(element))


def _values(resource: Any) -> dict[str, Any]:
    """Every value by its path: `name[0].family`."""
    return {".".join(place): value for place, value in leaves(resource)}
