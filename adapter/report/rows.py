"""What the tables need of each subject: a short row with the resources that each value rests on.

A record is reduced to its row as soon as it is gathered, so that 2,500 subjects fit into little memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from sys import intern

from adapter.report.packed import PackedPoints, Treatment, packed, treatment
from adapter.trial.days import completed_years
from adapter.trial.hla import Match, matched
from adapter.trial.outcomes import (
    FollowUp,
    Response,
    Time,
    best_response,
    follow_up,
    overall_survival,
    progression_free_survival,
    relapse_incidence,
)
from adapter.trial.points import daily, temperatures
from adapter.trial.record import Course, Dose, Event, Measurement, Statement, Subject
from adapter.trial.recovery import Recovery, last_chemotherapy, recovery
from adapter.trial.terms import Terms

SORTED = "TCELL"
"""Specimen of T cells sorted from blood (tli-specimen)."""

PLOTTED = ("ANC", "HSCRP", "PCT", "IL2", "IL4", "IL6", "IL10", "IL17A", "TNFA", "IFNG", "CD3", "CD4", "CD8")

STATED = (
    *("DONOR-AGE", "DONOR-SEX", "RISK-NCCN2019", "RISK-IPSS", "STRATUM", "TP53", "KARYOTYPE"),
    *("DEATH-CATEGORY", "RECOV-ANC", "RECOV-PLT", "DATA-CUTOFF"),
)
"""The answers that are shown as they are."""


@dataclass(frozen=True, slots=True)
class CourseRow:
    """One course of one subject."""

    subject: str
    arm: str
    ref: str
    number: int
    induction: bool
    site: str
    start: date | None
    chemotherapy_end: date | None
    infused: date | None
    infusion: str
    doses: Mapping[str, Treatment]
    mnc: Measurement | None
    cd3: Measurement | None
    recovery: Mapping[str, Recovery | None]
    crs: Statement | None
    points: Mapping[str, PackedPoints]
    events: tuple[Event, ...]
    chimerism: tuple[Measurement, ...]


@dataclass(frozen=True, slots=True)
class SubjectRow:
    """One subject; `stated` are the latest answers of STATED."""

    ref: str
    number: str
    arm: str
    site: str
    sex: str
    age: int | None
    enrolled: date | None
    off_study_reason: str
    courses: tuple[CourseRow, ...]
    stated: Mapping[str, Statement]
    causes_of_death: tuple[Statement, ...]
    match: Match | None
    response: Response
    after: FollowUp
    survival: Time | None
    progression: Time | None
    relapse: Time | None
    marrow_blasts: Measurement | None
    str_chimerism: tuple[Measurement, ...]
    sorted_cells: tuple[Measurement, ...]
    mobilisation: tuple[Dose, ...]


def row(subject: Subject, terms: Terms, *, origin: date | None) -> SubjectRow:
    """Reduce a record to its row.

    Args:
        subject: the record.
        terms: what the trial's facts are called.
        origin: from when survival counts: the diagnosis (../shared/cohort/NOTES.md), for the controls the enrolment.
    """
    in_courses = [one for course in subject.courses for one in course.measured.get("CHIM-STR", ())]
    chimerism = [*subject.measured.get("CHIM-STR", ()), *in_courses]
    return SubjectRow(
        subject.ref,
        subject.number,
        intern(subject.arm),
        intern(subject.site),
        subject.sex,
        _age(subject),
        subject.enrolled,
        subject.off_study_reason,
        tuple(_course(subject, course, terms) for course in subject.courses),
        {key: answer for key in STATED if (answer := subject.one(key))},
        tuple(subject.all("DEATH-CAUSE")),
        matched(subject.stated, subject.donor.stated) if subject.donor else None,
        best_response(subject),
        follow_up(subject),
        overall_survival(subject, origin),
        progression_free_survival(subject, origin),
        relapse_incidence(subject),
        next(iter(subject.measured.get("BM-BLAST", ())), None),
        tuple(one for one in chimerism if one.sample != SORTED),
        tuple(one for one in chimerism if one.sample == SORTED),
        tuple(one for one in subject.donor.doses if one.drug == "filgrastim") if subject.donor else (),
    )


def _age(subject: Subject) -> int | None:
    """Completed years at enrolment; as it was derived, where the date of birth is not shown."""
    if subject.born and subject.enrolled:
        return completed_years(subject.born, subject.enrolled)
    derived = subject.one("AGE-ENROLMENT")
    return int(derived.number) if derived and derived.number is not None else None


def _course(subject: Subject, course: Course, terms: Terms) -> CourseRow:
    last = last_chemotherapy(course, terms)
    examined = course.one("CRS-GRADE")
    plotted = {key: daily(course, key) for key in PLOTTED} | {"TEMP": temperatures(course)} if examined else {}
    drugs = sorted({dose.drug for dose in course.doses})
    return CourseRow(
        subject.number,
        intern(subject.arm),
        course.ref,
        course.number,
        course.induction,
        intern(subject.sites.get(course.infusion.patient, "")) if course.infusion else "",
        course.start,
        last.day if last else None,
        course.infusion.day if course.infusion else None,
        course.infusion.ref if course.infusion else "",
        {drug: treatment([dose for dose in course.doses if dose.drug == drug]) for drug in drugs},
        _only(course, "DOSE-MNC-KG"),
        _only(course, "DOSE-CD3-KG"),
        {key: recovery(course, key, terms) for key in ("ANC", "PLT")},
        examined,
        {key: packed(points) for key, points in plotted.items()},
        tuple(map(_shared, course.events)),
        course.measured.get("MICROCHIM-INDEL", ()),
    )


def _shared(event: Event) -> Event:
    """The same with codes that all events share."""
    return replace(event, code=intern(event.code), suspects=tuple(map(intern, event.suspects)))


def _only(course: Course, key: str) -> Measurement | None:
    return next(reversed(course.measured.get(key, ())), None)
