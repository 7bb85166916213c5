"""Response to an induction by the International Working Group, computed beside the reported one. Pure."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta

from adapter.trial.before import before_treatment
from adapter.trial.parameters import Response
from adapter.trial.record import Course, Measurement, Subject
from adapter.trial.verdict import Verdict

REPORTED = {"IWG2003": "RESP-IWG2003", "IWG2006": "RESP-IWG2006"}
"""Which answer is the reported response, by criteria."""

_ASSUMED = {
    "IWG2003": ("no Auer rods", "no extramedullary disease", "no need of red-cell transfusion"),
    "IWG2006": ("no blasts in blood", "response of 4 weeks, improvement of 8 weeks", "no need of transfusion"),
}


@dataclass(frozen=True, slots=True)
class Assessment:
    """The response to one induction; `response` is the reported one, else the computed one."""

    course: Course
    day: date | None
    verdict: Verdict

    @property
    def response(self) -> str:
        """The category that counts: what the site reports, and where it reports none, what the criteria give."""
        return self.verdict.reported.text if self.verdict.reported else self.verdict.value


def assessments(subject: Subject, parameters: Response) -> tuple[Assessment, ...]:
    """Each induction's response by IWG 2003 (AML: PMC4090682 T1) or IWG 2006 (MDS: PMC3222262 T2).

    Returns:
        In the order of courses, one per induction with marrow or a reported answer; none for an arm without criteria.
    """
    criteria = parameters.criteria.get(subject.arm, "")
    if not criteria:
        return ()
    found = (_assessment(subject, course, criteria, parameters) for course in subject.courses if course.induction)
    return tuple(one for one in found if one)


def _assessment(subject: Subject, course: Course, criteria: str, parameters: Response) -> Assessment | None:
    reported = course.one(REPORTED[criteria])
    marrow = course.measured.get("BM-BLAST", ())
    day = reported.day if reported and reported.day else marrow[-1].day if marrow else None
    if day is None:
        return (
            Assessment(course, None, Verdict(criteria, "", missing=("assessment",), reported=reported))
            if reported
            else None
        )
    evidence = Evidence.at(day, subject, course, parameters)
    lacking = evidence.missing()
    if lacking:
        return Assessment(course, day, Verdict(criteria, "", missing=lacking, reported=reported))
    decide = iwg2003 if criteria == "IWG2003" else iwg2006
    value = decide(evidence, parameters)
    return Assessment(
        course, day, Verdict(criteria, value, evidence.refs(), assumed=_ASSUMED[criteria], reported=reported)
    )


@dataclass(frozen=True, slots=True)
class Evidence:
    """Marrow and blood at the assessment (`now`) and before treatment, by the key of what was measured."""

    now: dict[str, Measurement] = field(default_factory=dict[str, Measurement])
    before: dict[str, Measurement] = field(default_factory=dict[str, Measurement])

    @classmethod
    def at(cls, day: date, subject: Subject, course: Course, parameters: Response) -> "Evidence":
        """The latest values up to the day of the assessment that are not too old, and those before treatment."""
        spans = {"BM-BLAST": parameters.marrow_days} | dict.fromkeys(("ANC", "PLT", "HGB"), parameters.blood_days)
        now: dict[str, Measurement] = {}
        before: dict[str, Measurement] = {}
        for key, days in spans.items():
            since = day - timedelta(days=days)
            values = [one for one in course.measured.get(key, ()) if since <= one.day <= day]
            if values:
                now[key] = values[-1]
            if earlier := before_treatment(subject, key):
                before[key] = earlier
        return cls(now, before)

    def missing(self) -> tuple[str, ...]:
        """What the criteria need and is not there."""
        now = (f"{key} at the assessment" for key in ("BM-BLAST", "ANC", "PLT", "HGB") if key not in self.now)
        before = ("BM-BLAST before treatment",) if "BM-BLAST" not in self.before else ()
        return (*now, *before)

    def refs(self) -> tuple[str, ...]:
        """The values that the answer rests on."""
        return tuple(sorted({one.ref for values in (self.now, self.before) for one in values.values()}))

    def value(self, key: str) -> float:
        """The value at the assessment."""
        return self.now[key].value

    @property
    def blasts(self) -> float:
        """Marrow blasts at the assessment, per cent."""
        return self.now["BM-BLAST"].value

    @property
    def halved(self) -> bool:
        """Whether marrow blasts are at most half of those before treatment."""
        return self.blasts <= self.before["BM-BLAST"].value / 2


def iwg2003(evidence: Evidence, parameters: Response) -> str:
    """Response of AML, IWG 2003 (PMC4090682 T1).

    CR: marrow blasts below 5 %, ANC above 1.0, platelets above 100; CRi: CR but for ANC or platelets; PR: the blood of
    CR, blasts of 5 to 25 % and at most half of those before. Whether the limits themselves suffice is a parameter.
    """
    anc, platelets = evidence.value("ANC"), evidence.value("PLT")
    recovered = (anc > 1.0 and platelets > 100) or (parameters.limits_included and anc >= 1.0 and platelets >= 100)
    if evidence.blasts < 5:
        return "CR" if recovered else "CRi"
    return "PR" if recovered and evidence.blasts <= 25 and evidence.halved else "NR"


def iwg2006(evidence: Evidence, parameters: Response) -> str:
    """Response of MDS, IWG 2006 (PMC3222262 T2).

    CR: marrow blasts at most 5 %, haemoglobin from 110 g/L, platelets from 100, ANC from 1.0; PR: the blood of CR and
    blasts at most half of those before; marrow CR (under the name that a parameter gives it, because the trial reports
    CRi): blasts at most 5 % and half; HI: improvement of blood.
    """
    recovered = evidence.value("HGB") >= 110 and evidence.value("PLT") >= 100 and evidence.value("ANC") >= 1.0
    if evidence.blasts <= 5 and (recovered or evidence.halved):
        return "CR" if recovered else parameters.marrow_cr_is
    if recovered and evidence.halved:
        return "PR"
    return "HI" if any(_improvements(evidence)) else "NR"


def _improvements(evidence: Evidence) -> Iterator[bool]:
    """Haematologic improvement of IWG 2006 in haemoglobin, platelets, neutrophils; a line that was normal has none."""
    before = {key: one.value for key, one in evidence.before.items()}
    if before.get("HGB", 110.0) < 110:
        yield evidence.value("HGB") - before["HGB"] >= 15
    if (platelets := before.get("PLT", 100.0)) < 100:
        gained = evidence.value("PLT") - platelets
        yield gained >= 30 if platelets > 20 else evidence.value("PLT") > 20 and gained >= platelets
    if (anc := before.get("ANC", 1.0)) < 1.0:
        yield evidence.value("ANC") >= 2 * anc and evidence.value("ANC") - anc > 0.5
