"""OBX: values of observations. v2-to-FHIR guide: OBX[Observation], SN[Quantity].

What OBX-2, OBX-6 and OBX-3 say together is worked out once per combination; a value then costs little more than
its own parsing.
"""

from collections.abc import Callable
from decimal import Decimal
from functools import lru_cache
from typing import Any

from adapter.hl7v2.message import Field, Repetition, Segment
from adapter.mapper import times
from adapter.mapper.codes import CANONICAL, LOINC, TLI_LAB
from adapter.mapper.datatypes.converter import Bound, Converter, Need, first, lines, part, plain
from adapter.mapper.datatypes.cwe import Concepts, codings_of
from adapter.mapper.datatypes.doubt import Doubt, doubted_as, without_doubt
from adapter.mapper.datatypes.dtm import IMPOSSIBLE, bind_datetime, period
from adapter.mapper.datatypes.ed import DOCUMENTS, MAY_BEGIN, MEDIA_TYPES, doubt, text_document
from adapter.mapper.datatypes.nm import decimal_of, measured
from adapter.mapper.datatypes.quantity import Scale, quantity, scale, scales
from adapter.mapper.datatypes.sn import structured
from adapter.mapper.sites import Site

Reader = Callable[[Field], Any]

DOSE_NORMALISED = f"{CANONICAL}/StructureDefinition/tli-dose-normalised"
DOSES = frozenset({"DOSE-BSA", "DOSE-KG", "DOSE-CD3-KG"})
ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
TEXTS = frozenset({"ST", "TX", "FT", "ID"})
CODED = frozenset({"CE", "CWE", "CNE", "CF", "IS"})
MOMENTS = frozenset({"DT", "TS", "DTM"})
SPLIT = frozenset({"NM", "SN", "DR", "NR", "TM"}) | CODED | MOMENTS
"""Types of which each repetition is a value of its own; repeated texts are lines of one."""
COMPOSITE = "AD AUI CK CN CP CQ CX DLN EI ERL HD JCC MA MO NA PN PPN SPS TN VR XAD XCN XON XPN XTN"
OTHERS = frozenset(COMPOSITE.split(" "))
"""Types of HL7 table 0125 that have no form of their own here: they become text."""

_OBX_2, _OBX_6 = 1, 2
"""Places among the sources of OBX-value: OBX-5, OBX-2, OBX-6, OBX-3."""

NOT_NUMERIC = ("102", "is declared as a number and is none: kept as text", "not-a-number")
SPELLING = Doubt(None, "102", "number is not written as HL7 says: read, and kept as sent", "number-spelling")
NO_TYPE = ("101", "value without a value type (OBX-2): kept as text", "missing-value-type")
UNKNOWN_TYPE = ("103", "value type is not in HL7 table 0125: kept as text", "unknown-value-type")


def targets(concepts: Concepts, code: Field) -> list[str]:
    """LOINC and tli-lab codes of OBX-3."""
    codings = codings_of(concepts.concept(code[0])) if code else []
    return [coding["code"] for coding in codings if coding.get("system") in {LOINC, TLI_LAB}]


def _reader_of(site: Site) -> Callable[[Field, Field, Field], Reader]:
    """What reads an OBX-5 by its type, unit and code."""
    codes, answers = Concepts(site, "OBX-3"), Concepts(site, "OBX-5")

    @lru_cache(maxsize=4096)
    def reader(kind: Field, unit: Field, code: Field) -> Reader:
        declared = first(kind)
        row = codes.table.get(first(code)) or codes.table.get(first(code, 4))
        if declared == "NM" or (declared in TEXTS and row and row.value_type == "NM"):
            return _numbers(scale(site, unit, targets(codes, code)), strict=declared == "NM")
        if declared in SCALED:
            return SCALED[declared](scale(site, unit, targets(codes, code)))
        if declared in CODED or (declared in TEXTS and row and row.value_type == "CWE"):
            return _coded(answers)
        if declared in OF_TIME:
            return OF_TIME[declared](site)
        if declared in DOCUMENTS:
            media_types = site.table(MEDIA_TYPES)
            return lambda value: doubt(value, declared, media_types)
        return _texts(_doubt_of_type(declared))

    return reader


def _bind_value(site: Site, _paths: tuple[str, ...]) -> Bound:
    reader = _reader_of(site)

    def obx_value(value: Field, kind: Field, unit: Field, code: Field) -> dict[str, Any] | Doubt | None:
        if not value or (len(value) > 1 and first(kind) in SPLIT):
            return None
        return reader(kind, unit, code)(value)

    return obx_value


def _bind_component(site: Site, _paths: tuple[str, ...]) -> Bound:
    """v2-to-FHIR guide: OBX[Observation-Component]: each of several values of one OBX, under the code of the OBX."""
    reader, codes = _reader_of(site), Concepts(site, "OBX-3")

    def obx_component(value: Field, kind: Field, unit: Field, code: Field) -> list[dict[str, Any]] | Doubt | None:
        if len(value) < 2 or first(kind) not in SPLIT or not code:
            return None
        named, read = without_doubt(codes.concept(code[0])), reader(kind, unit, code)
        sent = [read((repetition,)) for repetition in value]
        made = [{"code": named, **found} for one in sent if (found := without_doubt(one))]
        doubt = next((one for one in sent if isinstance(one, Doubt)), None)
        return doubt.of(made or None) if doubt else made or None

    return obx_component


def _doubt_of_type(declared: str) -> tuple[str, str, str] | None:
    if declared in TEXTS or declared in OTHERS:
        return None
    return UNKNOWN_TYPE if declared else NO_TYPE


def _numbers(by: Scale, *, strict: bool) -> Reader:
    unit, simple = by.unit, by.factor is None and by.doubt is None

    def number(value: Field) -> Any:
        text = value[0][0][0]
        if simple and text.isascii() and text.replace(".", "", 1).isdigit() and value == (((text,),),):
            return {"valueQuantity": {"value": Decimal(text), **unit}}
        return _number(lines(value).strip(), by, strict=strict)

    return number


def _number(text: str, by: Scale, *, strict: bool) -> Any:
    if not text:
        return None
    number = measured(text)
    if number is None:
        return Doubt({"valueString": text}, *NOT_NUMERIC)
    odd = number.tidied or (strict and not number.plain)
    made = {"valueQuantity": quantity(number, by, as_sent=text if odd or by.factor is not None else "")}
    if by.doubt:
        return by.doubt.of(made, source=_OBX_6)
    return SPELLING.of(made) if odd else made


def _texts(doubt: tuple[str, str, str] | None) -> Reader:
    def text(value: Field) -> Any:
        found = lines(value)
        if found[:1] in MAY_BEGIN and text_document(found):
            return None
        made = {"valueString": found} if found else None
        return Doubt(made, *doubt, source=_OBX_2) if doubt and made else made

    return text


def _coded(answers: Concepts) -> Reader:
    def coded(value: Field) -> Any:
        made = answers.concept(value[0])
        concept = without_doubt(made)
        if not concept:
            return made
        answer = {"valueCodeableConcept": concept}
        if isinstance(made, Doubt):
            return made.of(answer)
        return answer

    return coded


def _moments(site: Site) -> Reader:
    convert = bind_datetime(site)

    def moment(value: Field) -> Any:
        made = convert(value[0])
        found = without_doubt(made)
        answer = {"valueDateTime": found} if found else None
        return doubted_as(made, answer)

    return moment


def _time(value: Field) -> Any:
    text = first(value)
    if not text:
        return None
    made = times.fhir_time(text)
    return {"valueTime": made} if made else IMPOSSIBLE


def _period(site: Site) -> Reader:
    zone = site.timezone

    def dr(value: Field) -> Any:
        made = period(part(value[0], 1), part(value[0], 2), zone)
        found = without_doubt(made)
        return doubted_as(made, {"valuePeriod": found} if found else None)

    return dr


def _range(by: Scale) -> Reader:
    def numbers(value: Field) -> Any:
        sent = {"low": part(value[0], 1), "high": part(value[0], 2)}
        read = {name: measured(text) for name, text in sent.items() if text}
        if None in read.values():
            return Doubt({"valueString": "-".join(text for text in sent.values() if text)}, *NOT_NUMERIC)
        answer = {"valueRange": {name: quantity(number, by) for name, number in read.items() if number}}
        return by.doubt.of(answer) if by.doubt else answer

    return numbers


SCALED: dict[str, Callable[[Scale], Reader]] = {"SN": structured, "NR": _range}
OF_TIME: dict[str, Callable[[Site], Reader]] = {
    **dict.fromkeys(MOMENTS, _moments),
    "TM": lambda _site: _time,
    "DR": _period,
}


def _absent(code: str, display: str) -> dict[str, Any]:
    return {"coding": [{"system": ABSENT, "code": code, "display": display}]}


ABSENT_BY_STATUS = {
    "X": _absent("not-performed", "Not Performed"),
    "N": _absent("not-asked", "Not Asked"),
    **dict.fromkeys("IOPRS", _absent("temp-unknown", "Temporarily Unknown")),
}
ABSENT_UNKNOWN = _absent("unknown", "Unknown")
NO_VALUE = ("101", "final result without a value", "missing-value")


def _bind_absent(_site: Site, _paths: tuple[str, ...]) -> Bound:
    """v2-to-FHIR guide: table 0085, X; FHIR R4 value set data-absent-reason."""

    def data_absent_reason(value: Field, status: Field) -> dict[str, Any] | Doubt | None:
        if lines(value).strip():
            return None
        code = first(status)
        made = ABSENT_BY_STATUS.get(code, ABSENT_UNKNOWN)
        return Doubt(made, *NO_VALUE) if made is ABSENT_UNKNOWN and code not in {"D", "W"} else made

    return data_absent_reason


def bind_dose_normalised(site: Site, _paths: tuple[str, ...] = ()) -> Bound:
    """The dose per m2 or kg among the OBX of an administration, as an Extension."""
    marked, scale_of = Concepts(site, "OBX-3").codes_of(DOSES), scales(site)

    def dose_normalised(segments: tuple[Segment, ...]) -> dict[str, Any] | Doubt | None:
        for segment in segments:
            field = segment.field(3)
            if not field or part(field[0], 1) not in marked:
                continue
            text, by = first(segment.field(5)), scale_of(segment.field(6))
            number = measured(text)
            if number is None:
                return Doubt(None, *NOT_NUMERIC)
            made = {"url": DOSE_NORMALISED, "valueQuantity": quantity(number, by)}
            return by.doubt.of(made) if by.doubt else made
        return None

    return dose_normalised


SUB_ID = "http://hl7.org/fhir/StructureDefinition/observation-v2-subid"
PARTS = ("original-sub-identifier", "group", "sequence", "identifier")


def og_sub_id(repetition: Repetition) -> dict[str, Any] | None:
    """OBX-4 to the extension of the guide: OG[Extension-Subidentifier]; before 2.8.2 it has one part."""
    made: list[dict[str, Any]] = []
    for number, url in enumerate(PARTS, start=1):
        text = part(repetition, number)
        value = decimal_of(text) if number in {2, 3} else None
        if text:
            made.append({"url": url, "valueDecimal": value} if value is not None else {"url": url, "valueString": text})
    return {"url": SUB_ID, "extension": made} if made else None


CONVERTERS = (
    Converter("OBX-value", "value[x]", _bind_value, sources=4),
    Converter("OBX-component", "BackboneElement", _bind_component, sources=4, needs=Need.REPETITIONS),
    Converter("OG-subId", "Extension", plain(og_sub_id)),
    Converter("OBX-dataAbsentReason", "CodeableConcept", _bind_absent, sources=2, needs=Need.NO_TEXT),
    Converter("OBX-doseNormalised", "Extension", bind_dose_normalised, sources=0, fields=(3, 5, 6)),
)
