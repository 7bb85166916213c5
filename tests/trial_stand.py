"""What the tests of the trial's rules share: small records made by hand, and the rules as they are shipped."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

from adapter.trial.record import Course, Dose, Event, Infusion, Measurement, Statement, Subject
from adapter.trial.rules import load_rules

MAPPINGS = Path(__file__).parents[1] / "mappings"
RULES = load_rules(MAPPINGS)
TERMS, PARAMETERS, CTCAE, GVHD, PLAN = RULES.terms, RULES.parameters, RULES.ctcae, RULES.gvhd, RULES.plan

DAY_0 = date(2019, 3, 20)
CHINA = timezone(timedelta(hours=8))
INFUSION = Infusion("Procedure/1", "Patient/1", DAY_0, datetime(2019, 3, 20, 10, tzinfo=CHINA), None)
_LIMITS: dict[str, tuple[float | None, float | None]] = {
    "ANC": (2.0, 7.0),
    "PLT": (125, 350),
    "HGB": (130, 175),
    "WBC": (4.0, 10.0),
    "LYMPH": (1.1, 3.2),
    "APTT": (24, 37),
    "INR": (0.8, 1.2),
    "FIB": (2.0, 4.0),
    "CREA": (57, 97),
    "TBIL": (5, 23),
    "ALT": (9, 50),
    "AST": (15, 40),
    "ALP": (45, 125),
}


def day(number: int) -> date:
    """The day of the protocol."""
    return DAY_0 + timedelta(days=number)


def value(
    key: str, number: float, *, on: int = 0, hour: int | None = None, comparator: str = "", limits: bool = True
) -> Measurement:
    """One value on a day of the protocol, with the limits of a laboratory."""
    low, high = _LIMITS.get(key, (None, None)) if limits else (None, None)
    at = datetime.combine(day(on), datetime.min.time(), CHINA) + timedelta(hours=hour) if hour is not None else None
    ref = f"Observation/{key}-{on}-{hour}-{comparator}{number}"
    return Measurement(ref, key, at.date() if at else day(on), at, number, comparator, low, high)


def answer(key: str, text: str, *, on: int | None = 0) -> Statement:
    """One answer of the trial office."""
    return Statement(f"Observation/{key}", key, day(on) if on is not None else None, text)


def dose(drug: str, amount: float, unit: str, *, on: int, at: int = 9, given: bool = True) -> Dose:
    """One administration."""
    return Dose(f"MedicationAdministration/{drug}{on}-{at}", drug, day(on), None, given, amount, unit)


def course(
    *values: Measurement,
    answers: Iterable[Statement] = (),
    doses: Iterable[Dose] = (),
    events: Iterable[Event] = (),
    phase: str = "IND1",
    number: int = 1,
    infusion: Infusion | None = INFUSION,
) -> Course:
    """One course with its values in the order of time, as they are gathered."""
    measured: dict[str, list[Measurement]] = defaultdict(list)
    for one in sorted(values, key=lambda one: (one.day, one.at.timestamp() if one.at else 0.0, one.ref)):
        measured[one.key].append(one)
    stated: dict[str, tuple[Statement, ...]] = {}
    for said in answers:
        stated[said.key] = (*stated.get(said.key, ()), said)
    return Course(
        f"EpisodeOfCare/{number}",
        number,
        phase,
        day(-10),
        infusion,
        tuple(doses),
        {key: tuple(ones) for key, ones in measured.items()},
        stated,
        tuple(events),
    )


def subject(
    *courses: Course, arm: str = "AML", before: Iterable[Measurement] = (), answers: Iterable[Statement] = ()
) -> Subject:
    """A subject with these courses; `before` and `answers` belong to none of them."""
    measured: dict[str, tuple[Measurement, ...]] = {}
    for one in before:
        measured[one.key] = (*measured.get(one.key, ()), one)
    stated = {one.key: (one,) for one in answers}
    return Subject(
        *("ResearchSubject/1", "Patient/1", "ATLI-901", arm, "on-study", "Organization/fahzu", "M"),
        born=None,
        enrolled=None,
        off_study=None,
        off_study_reason="",
        diagnosed=None,
        diagnosis="",
        sites={"Patient/1": "Organization/fahzu"},
        courses=courses,
        measured=measured,
        stated=stated,
        events=(),
    )
