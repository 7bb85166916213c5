"""FHIR resources as parts of a subject's record. Pure.

Each function returns None for what is no fact: entered in error, cancelled, without value or day, in another unit than
the trial's (which is a finding of its own: adapter/trial/queries.py).
"""

from collections.abc import Iterator
from datetime import date, tzinfo

from adapter.trial.elements import Resource, begun, code_of, codes, extension, moment, own, reference
from adapter.trial.record import Dose, Event, Infusion, Measurement, Statement
from adapter.trial.terms import Terms

NO_FACT = frozenset({"entered-in-error", "cancelled", "registered", "unknown"})
"""Observation.status of results that state nothing (R4 observation-status)."""

AE_STATUS = "http://hl7.org/fhir/uv/ae-research-backport-ig/StructureDefinition/status"


def measurement(resource: Resource, terms: Terms) -> Measurement | None:
    """The measured value of an Observation whose code is one of the trial's."""
    key = next((terms.measured[code] for code in codes(resource.get("code")) if code in terms.measured), "")
    quantity = resource.get("valueQuantity", {})
    when = begun(resource, "effective", terms.zone)
    if not key or resource["status"] in NO_FACT or "value" not in quantity or when is None:
        return None
    if quantity.get("code", quantity.get("unit")) != terms.units[key]:
        return None
    low, high = _range(resource, terms.units[key])
    return Measurement(
        own(resource),
        key,
        when.day,
        when.at,
        float(quantity["value"]),
        quantity.get("comparator", ""),
        low,
        high,
    )


def _range(resource: Resource, unit: str) -> tuple[float | None, float | None]:
    for one in resource.get("referenceRange", []):
        ends = [one.get(side) for side in ("low", "high")]
        values = [float(end["value"]) if end and end.get("code") == unit else None for end in ends]
        if any(value is not None for value in values):
            return values[0], values[1]
    return None, None


def statement(resource: Resource, terms: Terms) -> Statement | None:
    """The answer or typing of an Observation: of a code that is stated, or of any code of the assessment system."""
    concept = resource.get("code")
    key = next((terms.stated[code] for code in codes(concept) if code in terms.stated), "")
    key = key or code_of(concept, terms.systems["assessment"])
    value = _stated(resource) if key and resource["status"] not in NO_FACT else None
    if value is None:
        return None
    when = begun(resource, "effective", terms.zone)
    return Statement(own(resource), key, when.day if when else None, *value)


def _stated(resource: Resource) -> tuple[str, float | None] | None:
    if concept := resource.get("valueCodeableConcept"):
        return next((code for _, code in codes(concept)), concept.get("text", "")), None
    if "value" in (quantity := resource.get("valueQuantity", {})):
        return str(quantity["value"]), float(quantity["value"])
    for name in ("valueString", "valueDateTime", "valueInteger", "valueBoolean"):
        if name in resource:
            return str(resource[name]), None
    return None


def dose(resource: Resource, terms: Terms) -> Dose | None:
    """The administration of one of the trial's drugs, given or held (status not-done)."""
    concept = resource.get("medicationCodeableConcept")
    drug = next((terms.drugs[code] for code in codes(concept) if code in terms.drugs), "")
    when = begun(resource, "effective", terms.zone)
    if not drug or when is None or resource["status"] in NO_FACT:
        return None
    dosage = resource.get("dosage", {})
    amount = dosage.get("dose", {})
    per = extension(dosage, terms.extensions["dose"]).get("valueQuantity", {})
    normalised = (float(per["value"]), str(per.get("code", per.get("unit", "")))) if "value" in per else None
    value = float(amount["value"]) if "value" in amount else None
    unit = str(amount.get("code", amount.get("unit", "")))
    return Dose(own(resource), drug, when.day, when.at, resource["status"] != "not-done", value, unit, normalised)


def infusion(resource: Resource, terms: Terms) -> Infusion | None:
    """The infusion that a Procedure records; None for other procedures and for one that was not done."""
    when = begun(resource, "performed", terms.zone)
    if terms.infusion not in codes(resource.get("code")) or when is None:
        return None
    if resource["status"] in {*NO_FACT, "not-done"}:
        return None
    product = extension(resource, terms.extensions["product"]).get("valueReference")
    end = moment(resource.get("performedPeriod", {}).get("end"), terms.zone)
    ended = end.at if end else None
    patient = reference(resource.get("subject"))
    return Infusion(own(resource), patient, when.day, when.at, ended, reference(product), resource["status"])


def event(resource: Resource, terms: Terms) -> Event | None:
    """A reported adverse event; None where it was entered in error, or has no code of the trial."""
    status = {one.get("valueCode") for one in resource.get("modifierExtension", []) if one.get("url") == AE_STATUS}
    code = code_of(resource.get("event"), terms.systems["event"])
    if not code or "entered-in-error" in status or resource.get("actuality") == "potential":
        return None
    grade = code_of(extension(resource, terms.extensions["grade"]).get("valueCodeableConcept"), terms.systems["grade"])
    resolved = extension(resource, terms.extensions["resolved"]).get("valueDateTime")
    return Event(
        own(resource),
        code,
        int(grade) if grade.isdigit() else None,
        _day(resource.get("date"), terms.zone),
        _day(resolved, terms.zone),
        code_of(resource.get("seriousness"), "http://terminology.hl7.org/CodeSystem/adverse-event-seriousness")
        == "serious",
        tuple(_suspects(resource, terms.extensions["suspect"])),
    )


def _day(text: str | None, zone: tzinfo) -> date | None:
    when = moment(text, zone)
    return when.day if when else None


def _suspects(resource: Resource, url: str) -> Iterator[str]:
    for one in resource.get("extension", []):
        if one.get("url") != url:
            continue
        instance = extension(one, "instance")
        concept = instance.get("valueCodeableConcept", {})
        yield from (code for _, code in codes(concept))
        yield from (text for text in (concept.get("text"), reference(instance.get("valueReference"))) if text)
