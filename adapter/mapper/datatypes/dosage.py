"""How a drug is to be taken: Dosage from RXO, RXE or RXG with their TQ1 and RXR.

v2-to-FHIR guide: RXO[MedicationRequest], RXR[MedicationRequest], TQ1[MedicationRequest], TQ[MedicationRequest].
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from adapter.hl7v2.message import Field, Repetition, Segment
from adapter.mapper.codes import UCUM, Coding
from adapter.mapper.datatypes.converter import Bound, Converter, first, part
from adapter.mapper.datatypes.cq import TIME_UNITS
from adapter.mapper.datatypes.cwe import Concepts
from adapter.mapper.datatypes.doubt import Doubt, without_doubt
from adapter.mapper.datatypes.nm import Measured, decimal_of
from adapter.mapper.datatypes.obx import bind_dose_normalised
from adapter.mapper.datatypes.quantity import Scale, quantity, scales
from adapter.mapper.datatypes.timing import TIMING_SEGMENT, Plan, Timings, plans
from adapter.mapper.sites import Site

ORDERED: dict[str, Any] = {
    "coding": [Coding(system="http://terminology.hl7.org/CodeSystem/dose-rate-type", code="ordered", display="Ordered")]
}
NOT_NUMBER = Doubt(None, "102", "is no number", "not-a-number")
OTHER_ROUTES = Doubt(None, "102", "only the first route fits the FHIR element", "repetition-left-out")
ROUTES, LOW, UNIT, INSTRUCTIONS, RATE_UNIT, DAILY = 1, 4, 6, 7, 10, 11
"""Where the sources of a Dosage stand in `from:`, as far as something may be doubtful about them."""
READ_FIELDS = {"TQ1": TIMING_SEGMENT, "RXR": (1, 2, 4, 5), "OBX": (3, 5, 6)}


class Dose(NamedTuple):
    """Fields of RXO, RXE or RXG as a rule's `from:` has them, after the segments TQ1, RXR and OBX and the field TQ."""

    low: Field
    high: Field
    unit: Field
    instructions: Field
    per: Field
    rate: Field
    rate_unit: Field
    daily: Field = ()


class Dosages:
    """Makes the Dosages of one site."""

    def __init__(self, site: Site, instructions: str) -> None:
        """Take the tables; `instructions` is the path of the coded instructions."""
        self.timings = Timings(site)
        self.routes = {2: Concepts(site, "RXR-2"), 4: Concepts(site, "RXR-4"), 5: Concepts(site, "RXR-5")}
        self.route, self.instructions = Concepts(site, "RXR-1"), Concepts(site, instructions)
        self.scale_of = scales(site)

    def dosages(
        self, timed: list[Plan], routes: Sequence[Segment], dose: Dose
    ) -> tuple[list[dict[str, Any]], list[Doubt]]:
        """One Dosage for each timing, and what is doubtful about them."""
        doubts: list[Doubt] = []
        common = self._common(routes, dose, doubts)
        made = [self._timed(plan, common, doubts) for plan in timed] or ([common] if common else [])
        if len(made) > 1:
            made = [{"sequence": number, **one} for number, one in enumerate(made, start=1)]
        if len({segment.raw(1) for segment in routes}) > 1:
            doubts.append(replace(OTHER_ROUTES, source=ROUTES))
        return [one for one in made if one], doubts

    def _timed(self, plan: Plan, common: dict[str, Any], doubts: list[Doubt]) -> dict[str, Any]:
        made = dict(common)
        timing, doubt = self.timings.timing(plan)
        if doubt:
            doubts.append(doubt)
        if timing:
            made["timing"] = timing
        if plan.text:
            made["text"] = plan.text
        if plan.condition:
            made["additionalInstruction"] = [*made.get("additionalInstruction", ()), {"text": plan.condition}]
        if "doseAndRate" not in made and plan.quantity and (sent := self.timings.quantity(plan.quantity)):
            made["doseAndRate"] = [{"type": ORDERED, "doseQuantity": without_doubt(sent)}]
            doubts += [sent] if isinstance(sent, Doubt) else []
        return made

    def _common(self, routes: Sequence[Segment], dose: Dose, doubts: list[Doubt]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        told = [self._concept(self.instructions, one, doubts, INSTRUCTIONS) for one in dose.instructions]
        if routes:
            for element, number in (("site", 2), ("method", 4)):
                if field := routes[0].field(number):
                    made[element] = self._concept(self.routes[number], field[0], doubts, ROUTES)
            if field := routes[0].field(1):
                made["route"] = self._concept(self.route, field[0], doubts, ROUTES)
            told += [self._concept(self.routes[5], one, doubts, ROUTES) for one in routes[0].field(5)]
        if told := [one for one in told if one]:
            made["additionalInstruction"] = told
        amounts = self._dose(dose, doubts) | self._rate(dose, doubts)
        if amounts:
            made["doseAndRate"] = [{"type": ORDERED, **amounts}]
        if daily := self.timings.quantity(dose.daily[0]) if dose.daily else None:
            doubts += [replace(daily, source=DAILY)] if isinstance(daily, Doubt) else []
            day = {"value": 1, "unit": "d", "system": UCUM, "code": "d"}
            made["maxDosePerPeriod"] = {"numerator": without_doubt(daily), "denominator": day}
        return {name: value for name, value in made.items() if value}

    def _dose(self, dose: Dose, doubts: list[Doubt]) -> dict[str, Any]:
        by: Scale = self.scale_of(dose.unit)
        low, high = (self._number(field, by, doubts) for field in (dose.low, dose.high))
        if (low or high) and by.doubt:
            doubts.append(by.doubt.of(None, source=UNIT))
        if high and high != low:
            return {"doseRange": {"low": low, "high": high} if low else {"high": high}}
        return {"doseQuantity": low} if low else {}

    def _rate(self, dose: Dose, doubts: list[Doubt]) -> dict[str, Any]:
        by: Scale = self.scale_of(dose.rate_unit)
        rate = self._number(dose.rate, by, doubts)
        if rate:
            doubts += [by.doubt.of(None, source=RATE_UNIT)] if by.doubt else []
            return {"rateQuantity": rate}
        return self.rate_ratio(dose.low, dose.unit, dose.per) or {}

    def rate_ratio(self, amount: Field, unit: Field, per: Field) -> dict[str, Any] | None:
        """RXE-22 `H8`: the amount is given over eight hours (HL7 v2.5.1 §4.14.4.22)."""
        given, told = self._number(amount, self.scale_of(unit), []), first(per)
        code, length = TIME_UNITS.get(told[:1].lower()), decimal_of(told[1:])
        if not (given and code and length):
            return None
        return {
            "rateRatio": {
                "numerator": given,
                "denominator": {"value": length, "unit": code, "system": UCUM, "code": code},
            }
        }

    def _number(self, field: Field, by: Scale, doubts: list[Doubt]) -> dict[str, Any] | None:
        text = first(field)
        if not text:
            return None
        value = decimal_of(text)
        if value is None:
            doubts.append(replace(NOT_NUMBER, source=LOW))
            return None
        return quantity(Measured(value), by)

    def _concept(self, concepts: Concepts, sent: Repetition, doubts: list[Doubt], source: int) -> Any:
        made = concepts.concept(sent)
        if isinstance(made, Doubt):
            doubts.append(replace(made, source=source))
        return without_doubt(made)


def _bind_dosage(site: Site, paths: tuple[str, ...]) -> Bound:
    dosages = Dosages(site, paths[7])
    normalised = bind_dose_normalised(site)

    def rx_dosage(
        timed: tuple[Segment, ...], routes: tuple[Segment, ...], told: tuple[Segment, ...], field: Field, *dose: Field
    ) -> Any:
        made, doubts = dosages.dosages(plans(timed, field), routes, Dose(*dose))
        extension = normalised(told)
        doubts += [extension] if isinstance(extension, Doubt) else []
        if made and without_doubt(extension):
            made = [{"extension": [without_doubt(extension)], **one} for one in made]
        return _doubted(made or None, doubts)

    return rx_dosage


def _bind_route(site: Site, _paths: tuple[str, ...]) -> Bound:
    """RXR alone, of what was dispensed."""
    dosages = Dosages(site, "RXR-5")

    def rxr_dosage(routes: tuple[Segment, ...]) -> Any:
        made, doubts = dosages.dosages([], routes, Dose(*((),) * 7))
        return _doubted(made or None, doubts)

    return rxr_dosage


def _bind_rate(site: Site, _paths: tuple[str, ...]) -> Bound:
    """RXA-12 with amount and unit: what was given in which time."""
    dosages = Dosages(site, "RXR-5")

    def rxa_rate(per: Field, amount: Field, unit: Field) -> dict[str, Any] | None:
        return dosages.rate_ratio(amount, unit, per)

    return rxa_rate


def _doubted(made: Any, doubts: Sequence[Doubt]) -> Any:
    return replace(doubts[0], value=made) if doubts else made


def _bind_own_strength(site: Site, paths: tuple[str, ...]) -> Bound:
    """A drug's own strength (RXE-25, per RXE-33) as its one ingredient, under the drug's code."""
    codes, scale_of = Concepts(site, paths[0]), scales(site)

    def rx_ingredient(code: Field, strength: Field, unit: Field, volume: Field, volume_unit: Field) -> Any:
        value, per = decimal_of(first(strength)), decimal_of(first(volume))
        named = without_doubt(codes.concept(code[0])) if code else None
        if value is None or not named:
            return None
        by = scale_of(unit)
        below = quantity(Measured(per), scale_of(volume_unit)) if per else None
        ratio = _strength(None, quantity(Measured(value), by), below)
        return _doubted([{"itemCodeableConcept": named, "strength": ratio}], [by.doubt] if by.doubt else [])

    return rx_ingredient


def _bind_ingredient(site: Site, _paths: tuple[str, ...]) -> Bound:
    """RXC to Medication.ingredient; a base (RXC-1 `B`) is no active ingredient."""
    codes = Concepts(site, "RXC-2")
    scale_of = scales(site)

    def amount(segment: Segment, number: int, doubts: list[Doubt]) -> dict[str, Any] | None:
        value, by = decimal_of(first(segment.field(number))), scale_of(segment.field(number + 1))
        if value is None:
            return None
        doubts += [by.doubt] if by.doubt else []
        return quantity(Measured(value), by)

    def rxc_ingredient(segments: tuple[Segment, ...]) -> Any:
        made: list[dict[str, Any]] = []
        doubts: list[Doubt] = []
        for segment in segments:
            concept = codes.concept(segment.field(2)[0]) if segment.field(2) else None
            doubts += [concept] if isinstance(concept, Doubt) else []
            if not without_doubt(concept):
                continue
            one: dict[str, Any] = {"itemCodeableConcept": without_doubt(concept)}
            kind = part(segment.field(1)[0], 1) if segment.field(1) else ""
            if kind in {"A", "B"}:
                one["isActive"] = kind == "A"
            if strength := _strength(
                amount(segment, 3, doubts), amount(segment, 5, doubts), amount(segment, 8, doubts)
            ):
                one["strength"] = strength
            made.append(one)
        return _doubted(made or None, doubts)

    return rxc_ingredient


def _strength(amount: Any, strength: Any, volume: Any) -> dict[str, Any] | None:
    """Ratio of the amount to one mixture; a strength per volume only where no amount was sent."""
    if amount:
        return {"numerator": amount, "denominator": {"value": 1}}
    return {"numerator": strength, "denominator": volume or {"value": 1}} if strength else None


CONVERTERS = (
    Converter("RX-Dosage", "Dosage", _bind_dosage, sources=-1, whole=True, fields_by=READ_FIELDS),
    Converter("RXR-Dosage", "Dosage", _bind_route, sources=0, fields=(1, 2, 4, 5)),
    Converter("RXA-rate", "rate[x]", _bind_rate, sources=3, reads=frozenset({1})),
    Converter("RX-ingredient", "BackboneElement", _bind_own_strength, sources=5),
    Converter("RXC-ingredient", "BackboneElement", _bind_ingredient, sources=0, fields=(1, 2, 3, 4, 5, 6, 8, 9)),
)
