"""Marks of the trial in messages: CTI, CSR-1, and the text in RXA-9 of hospitals that send no CTI.

Visits are `C<course>D<day>` with the infusion on day 0, `MOBD<day>` for donors (interface, section 3).
"""

from typing import Any

from adapter.hl7v2.message import Field, Repetition
from adapter.mapper.codes import CANONICAL, Coding
from adapter.mapper.datatypes.converter import Bound, Converter, part, whole_text
from adapter.mapper.datatypes.cwe import Concepts, codings_of
from adapter.mapper.datatypes.cx import cx_number, field_of
from adapter.mapper.datatypes.doubt import Doubt, without_doubt
from adapter.mapper.datatypes.nm import Measured, decimal_of
from adapter.mapper.datatypes.obx import DOSE_NORMALISED
from adapter.mapper.datatypes.quantity import quantity, scale
from adapter.mapper.ids import reference_to
from adapter.mapper.sites import Site

RESEARCH_STUDY = "http://hl7.org/fhir/StructureDefinition/workflow-researchStudy"
EPISODE_OF_CARE = "http://hl7.org/fhir/StructureDefinition/workflow-episodeOfCare"
CYCLE = f"{CANONICAL}/NamingSystem/tli-cycle"
VISIT = f"{CANONICAL}/StructureDefinition/tli-visit"
STUDY_DAY = f"{CANONICAL}/StructureDefinition/tli-study-day"
VISIT_SYSTEM = f"{CANONICAL}/CodeSystem/tli-visit"
PHASE_SYSTEM = f"{CANONICAL}/CodeSystem/tli-phase"
STUDIES = "study-number"
OTHER_STUDY = Doubt(None, "103", "study is not in table study-number", "unknown-study")
NO_MARK = Doubt(None, "103", "text is no mark of the trial", "no-trial-mark")


def study_day(visit: str) -> int | None:
    """The day of `C1D-10` or `MOBD-4`; None for visits without one (`SCR`, `C1RESP`)."""
    course, _, day = visit.rpartition("D")
    if not (course == "MOB" or (course[:1] == "C" and course[1:].isdecimal())):
        return None
    return int(day) if day.removeprefix("-").isdecimal() else None


def day_extension(visit: str) -> dict[str, Any] | None:
    """The day of a visit as an extension."""
    day = study_day(visit)
    return None if day is None else {"url": STUDY_DAY, "valueInteger": day}


def visit_extension(codings: list[Coding]) -> dict[str, Any] | None:
    """Visit and course as an extension."""
    return {"url": VISIT, "valueCodeableConcept": {"coding": codings}} if codings else None


def _bind_study_reference(site: Site, _paths: tuple[str, ...]) -> Bound:
    table = site.table(STUDIES)
    known = {
        number: {"reference": f"ResearchStudy/{row.targets[0]['code']}"} for number, row in table.items() if row.targets
    }

    def study_reference(repetition: Repetition) -> dict[str, Any] | Doubt | None:
        number = part(repetition, 1)
        return known.get(number, OTHER_STUDY) if number else None

    return study_reference


def _bind_research_study(site: Site, paths: tuple[str, ...]) -> Bound:
    reference = _bind_study_reference(site, paths)

    def research_study(repetition: Repetition) -> dict[str, Any] | Doubt | None:
        made = reference(repetition)
        return {"url": RESEARCH_STUDY, "valueReference": made} if isinstance(made, dict) else made

    return research_study


def _bind_visit(site: Site, paths: tuple[str, ...]) -> Bound:
    """CTI-2 and CTI-3: the visit, and the course that it is in, which is the same time said more widely."""
    phases, visits = Concepts(site, paths[0]), Concepts(site, paths[1])

    def cti_visit(phase: Field, visit: Field) -> dict[str, Any] | None:
        codings: list[Coding] = []
        for concepts, field in ((visits, visit), (phases, phase)):
            codings += codings_of(concepts.concept(field[0])) if field else []
        return visit_extension(codings)

    return cti_visit


def _bind_study_day(_site: Site, _paths: tuple[str, ...]) -> Bound:
    def cti_study_day(repetition: Repetition) -> dict[str, Any] | None:
        return day_extension(part(repetition, 1))

    return cti_study_day


def _bind_episode(_site: Site, _paths: tuple[str, ...]) -> Bound:
    """Subject and course: the EpisodeOfCare of the course (map CSP-EpisodeOfCare)."""

    def csp_episode(subject: Field, phase: Field) -> dict[str, Any] | None:
        parts = [part(field[0], 1) for field in (subject, phase) if field]
        if len(parts) < 2 or not all(parts):
            return None
        return {"url": EPISODE_OF_CARE, "valueReference": reference_to("EpisodeOfCare", CYCLE, "/".join(parts))}

    return csp_episode


def _bind_subject(site: Site, paths: tuple[str, ...]) -> Bound:
    """The number of a subject: the ResearchSubject (map CSR-ResearchSubject)."""
    table = site.identifiers.of_field(field_of(paths[0]))

    def cx_research_subject(repetition: Repetition) -> dict[str, Any] | None:
        made = without_doubt(cx_number(table, repetition))
        return reference_to("ResearchSubject", made["system"], made["value"]) if made else None

    return cx_research_subject


class _Mark:
    """Reads `TLI2017 ATLI-04 IND1 C1D-9 15mg/m2` and, for donors, `TLI2017 DON-ATLI-04 动员D-4 8ug/kg`."""

    def __init__(self, site: Site, path: str) -> None:
        self.site, self.studies = site, site.table(STUDIES)
        self.phases = site.table(path)

    def words(self, repetition: Repetition) -> list[str] | None:
        """What follows study and subject; None where the text is no mark."""
        words = whole_text(repetition).split()
        return words[2:] if len(words) > 2 and words[0] in self.studies else None

    def visit(self, repetition: Repetition) -> tuple[str, str]:
        """Course and visit, each empty where the mark has none."""
        words = [word for word in self.words(repetition) or () if not word[0].isdigit()]
        if not words:
            return "", ""
        name, d, day = words[-1].rpartition("D")
        row = self.phases.get(name)
        if row and row.targets:
            phase = row.targets[0]["code"]
            return phase, phase + d + day
        return (words[0] if len(words) > 1 else ""), words[-1]


def _bind_mark_visit(site: Site, paths: tuple[str, ...]) -> Bound:
    mark = _Mark(site, paths[0])

    def mark_visit(repetition: Repetition) -> dict[str, Any] | Doubt | None:
        if mark.words(repetition) is None:
            return NO_MARK if whole_text(repetition).strip() else None
        phase, visit = mark.visit(repetition)
        systems = ((VISIT_SYSTEM, visit), (PHASE_SYSTEM, phase))
        return visit_extension([{"system": system, "code": code} for system, code in systems if code])

    return mark_visit


def _bind_mark_day(site: Site, paths: tuple[str, ...]) -> Bound:
    mark = _Mark(site, paths[0])

    def mark_day(repetition: Repetition) -> dict[str, Any] | None:
        return day_extension(mark.visit(repetition)[1])

    return mark_day


def _bind_mark_dose(site: Site, paths: tuple[str, ...]) -> Bound:
    mark = _Mark(site, paths[0])

    def mark_dose(repetition: Repetition) -> dict[str, Any] | Doubt | None:
        word = next((word for word in mark.words(repetition) or () if word[0].isdigit()), "")
        unit = word.lstrip("0123456789.")
        value = decimal_of(word.removesuffix(unit))
        if not unit or value is None:
            return None
        by = scale(site, (((unit,),),))
        made = {"url": DOSE_NORMALISED, "valueQuantity": quantity(Measured(value), by)}
        return by.doubt.of(made) if by.doubt else made

    return mark_dose


CONVERTERS = (
    Converter("EI-researchStudy", "Extension", _bind_research_study, reads=frozenset({1, 2})),
    Converter("EI-studyReference", "Reference", _bind_study_reference, reads=frozenset({1, 2})),
    Converter("CTI-visit", "Extension", _bind_visit, sources=2),
    Converter("CTI-studyDay", "Extension", _bind_study_day),
    Converter("CSP-episodeOfCare", "Extension", _bind_episode, sources=2),
    Converter("CX-researchSubject", "Reference", _bind_subject, reads=frozenset({1, 4, 5})),
    Converter("TrialMark-visit", "Extension", _bind_mark_visit),
    Converter("TrialMark-studyDay", "Extension", _bind_mark_day),
    Converter("TrialMark-doseNormalised", "Extension", _bind_mark_dose),
)
