"""The record of a subject: what the trial's rules and tables read. Every part names the resource that it rests on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measured value in the trial's unit of its key; `at` is None where only the day is known.

    `sample` is the code of the specimen's type, where the specimen is known.
    """

    ref: str
    key: str
    day: date
    at: datetime | None
    value: float
    comparator: str = ""
    low: float | None = None
    high: float | None = None
    sample: str = ""


@dataclass(frozen=True, slots=True)
class Statement:
    """One answer or typing: `text` is its code, text or date as sent, `number` its value where it has one."""

    ref: str
    key: str
    day: date | None
    text: str
    number: float | None = None

    def date(self) -> date | None:
        """The day that the answer names; None where it names none."""
        try:
            return date.fromisoformat(self.text[:10])
        except ValueError:
            return None


@dataclass(frozen=True, slots=True)
class Dose:
    """One administration of a drug, given or held; `normalised` is value and unit per m2 or kg, where stated."""

    ref: str
    drug: str
    day: date
    at: datetime | None
    given: bool
    amount: float | None = None
    unit: str = ""
    normalised: tuple[float, str] | None = None


@dataclass(frozen=True, slots=True)
class Infusion:
    """One infusion of donor cells, and the Patient who got it."""

    ref: str
    patient: str
    day: date
    start: datetime | None
    end: datetime | None
    product: str = ""
    status: str = "completed"


@dataclass(frozen=True, slots=True)
class Collection:
    """One apheresis of a donor."""

    ref: str
    day: date
    start: datetime | None
    end: datetime | None


@dataclass(frozen=True, slots=True)
class Product:
    """Cells of a donor: the whole of a collection, or an aliquot (`parent` is then the product that it is part of).

    `collected` is the day on which collection ended, `measured` the latest value of each kind that was counted in it,
    `frozen` whether cold storage was recorded.
    """

    ref: str
    number: str
    parent: str
    collected: date | None
    frozen: bool
    measured: Mapping[str, Measurement] = field(default_factory=dict[str, Measurement])


@dataclass(frozen=True, slots=True)
class Event:
    """One reported adverse event; `code` is of the trial's own system, `suspects` the codes and texts suspected."""

    ref: str
    code: str
    grade: int | None
    onset: date | None
    resolved: date | None
    serious: bool
    suspects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Course:
    """One course: chemotherapy and the infusion that follows it. `number` counts courses by their beginning, from 1.

    `others` are the course's further infusions, which may be the same one told again.
    """

    ref: str
    number: int
    phase: str
    start: date | None
    infusion: Infusion | None = None
    doses: tuple[Dose, ...] = ()
    measured: Mapping[str, tuple[Measurement, ...]] = field(default_factory=dict[str, tuple[Measurement, ...]])
    stated: Mapping[str, tuple[Statement, ...]] = field(default_factory=dict[str, tuple[Statement, ...]])
    events: tuple[Event, ...] = ()
    others: tuple[Infusion, ...] = ()

    @property
    def induction(self) -> bool:
        """Whether the course is an induction; the others are consolidations."""
        return self.phase.startswith("IND")

    def one(self, key: str) -> Statement | None:
        """The latest answer of this key in the course."""
        return next(reversed(self.stated.get(key, ())), None)


@dataclass(frozen=True, slots=True)
class Donor:
    """The donor of a subject, from the donor's own resources."""

    number: str
    measured: Mapping[str, tuple[Measurement, ...]] = field(default_factory=dict[str, tuple[Measurement, ...]])
    stated: Mapping[str, tuple[Statement, ...]] = field(default_factory=dict[str, tuple[Statement, ...]])
    doses: tuple[Dose, ...] = ()
    collections: tuple[Collection, ...] = ()
    products: tuple[Product, ...] = ()


@dataclass(frozen=True, slots=True)
class Subject:
    """One subject of the study, with what belongs to no course directly below it; `patient` is the study's own Patient.

    `site` is the enrolling Organization, `sites` the Organization of each of the subject's Patients.
    """

    ref: str
    patient: str
    number: str
    arm: str
    status: str
    site: str
    sex: str
    born: date | None
    enrolled: date | None
    off_study: date | None
    off_study_reason: str
    diagnosed: date | None
    diagnosis: str
    sites: Mapping[str, str]
    courses: tuple[Course, ...]
    measured: Mapping[str, tuple[Measurement, ...]]
    stated: Mapping[str, tuple[Statement, ...]]
    events: tuple[Event, ...]
    donor: Donor | None = None
    infusions: tuple[Infusion, ...] = ()

    def one(self, key: str) -> Statement | None:
        """The latest answer of this key, in a course or outside."""
        found = list(self.all(key))
        return max(found, key=lambda one: (one.day or date.min, one.ref), default=None)

    def all(self, key: str) -> Iterator[Statement]:
        """Every answer of this key, outside of courses first."""
        yield from self.stated.get(key, ())
        for course in self.courses:
            yield from course.stated.get(key, ())
