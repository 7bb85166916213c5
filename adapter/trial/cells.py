"""FHIR resources as the cells of a donor: collections, products, aliquots and what was counted in them. Pure."""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import replace

from adapter.trial import reading
from adapter.trial.elements import Resource, begun, codes, extension, identifier, moment, own, reference
from adapter.trial.record import Collection, Measurement, Product
from adapter.trial.terms import Terms

Place = tuple[str, str, str]
"""Where the lines of a report on one aliquot stand: subject, encounter, sub-identifier."""


def collections(resources: Iterable[Resource], terms: Terms) -> tuple[Collection, ...]:
    """The aphereses that Procedures record, in the order of time."""
    found: list[Collection] = []
    for one in resources:
        if one["resourceType"] != "Procedure" or terms.apheresis not in codes(one.get("code")):
            continue
        when = begun(one, "performed", terms.zone)
        if when is None or one["status"] in {*reading.NO_FACT, "not-done"}:
            continue
        end = moment(one.get("performedPeriod", {}).get("end"), terms.zone)
        found.append(Collection(own(one), when.day, when.at, end.at if end else None))
    return tuple(sorted(found, key=lambda one: (one.day, one.start.timestamp() if one.start else 0.0, one.ref)))


def products(resources: Sequence[Resource], terms: Terms) -> tuple[Product, ...]:
    """The products and aliquots, in the order of their numbers, with the cells that were counted in each.

    A count names its aliquot by Observation.focus, or stands in the report beside the aliquot's number, under the same
    sub-identifier.
    """
    counted = _counted(resources, terms)
    found = [one for one in resources if one["resourceType"] == "BiologicallyDerivedProduct"]
    made = [_product(one, counted, terms) for one in found]
    aliquots = {own(one) for one in found if terms.aliquot in codes(one.get("productCode"))}
    wholes = [one for one in made if one.ref not in aliquots]
    return tuple(sorted((_with_parent(one, aliquots, wholes) for one in made), key=lambda one: (one.number, one.ref)))


def _with_parent(product: Product, aliquots: Container[str], wholes: Iterable[Product]) -> Product:
    """An aliquot that was reported without its product, which it is while unused, is of the collection of its day."""
    if product.parent or product.ref not in aliquots or product.collected is None:
        return product
    same = [one.ref for one in wholes if one.collected == product.collected]
    return replace(product, parent=same[0]) if len(same) == 1 else product


def _product(resource: Resource, counted: Mapping[str, Sequence[Measurement]], terms: Terms) -> Product:
    number = identifier(resource, terms.systems["cells"])
    collection = resource.get("collection", {})
    period = collection.get("collectedPeriod", {})
    when = moment(collection.get("collectedDateTime") or period.get("end") or period.get("start"), terms.zone)
    values = sorted([*counted.get(own(resource), ()), *counted.get(number, ())], key=lambda one: (one.day, one.ref))
    return Product(
        own(resource),
        number,
        next((reference(one) for one in resource.get("parent", [])), ""),
        when.day if when else None,
        any(one.get("temperature", 0) < 0 for one in resource.get("storage", [])),
        {one.key: one for one in values},
    )


def _counted(resources: Iterable[Resource], terms: Terms) -> dict[str, list[Measurement]]:
    """The counts by their aliquot: by its reference, or by its number."""
    numbers: dict[Place, str] = {}
    by_aliquot: dict[str, list[Measurement]] = defaultdict(list)
    by_place: dict[Place, list[Measurement]] = defaultdict(list)
    # nearly all results are of no aliquot, and not worth a reading
    marked = ((one, _place(one, terms)) for one in resources if one["resourceType"] == "Observation")
    for one, place in marked:
        focus = one.get("focus")
        if not (focus or place[2]):
            continue
        said, value = reading.statement(one, terms), reading.measurement(one, terms)
        if said and said.key == "ALIQUOT-NUMBER":
            numbers[place] = said.text
        if value and focus:
            by_aliquot[reference(focus[0])].append(value)
        elif value and place[2]:
            by_place[place].append(value)
    for place, values in by_place.items():
        if number := numbers.get(place):
            by_aliquot[number] += values
    return by_aliquot


def _place(resource: Resource, terms: Terms) -> Place:
    mark = extension(extension(resource, terms.extensions["part"]), "original-sub-identifier").get("valueString", "")
    return reference(resource.get("subject")), reference(resource.get("encounter")), mark
