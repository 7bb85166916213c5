"""Table 1: patients, donors, matched HLA, risk, cell doses; and what the text says of them."""

from collections.abc import Callable, Sequence

from adapter.report import statistics
from adapter.report.rows import CourseRow, SubjectRow
from adapter.report.sheet import Sheet, rounded, share, yes
from adapter.report.trial import ALL, Trial, refs
from adapter.trial.record import Measurement

TABLE = "Table 1"
FEW_MATCHES = 5
"""Up to so many matched alleles of ten: the upper group of the table."""
EXCLUDED_MATCHES = 7
OLDEST_DONOR = 45
"""From the paper's inclusion criteria for donors."""
QUARTILES = (("median", 0.5), ("Q1", 0.25), ("Q3", 0.75))

Chosen = Callable[[CourseRow], Measurement | None]


def add(sheet: Sheet, trial: Trial) -> None:
    """Add the numbers."""
    _ages(sheet, trial)
    _sexes(sheet, trial)
    _matches(sheet, trial)
    _risks(sheet, trial)
    _doses(sheet, trial)


def patient_age(subject: SubjectRow) -> float | None:
    """The age at enrolment in whole years."""
    return None if subject.age is None else float(subject.age)


def donor_age(subject: SubjectRow) -> float | None:
    """The donor's age in years, as answered."""
    answer = subject.stated.get("DONOR-AGE")
    return answer.number if answer else None


def donor_sex(subject: SubjectRow) -> str:
    """The donor's sex, as answered: M or F."""
    answer = subject.stated.get("DONOR-SEX")
    return answer.text if answer else ""


def risk(subject: SubjectRow) -> str:
    """The code of the risk group, as answered, else the stratum of the registration."""
    keys = ("RISK-NCCN2019", "RISK-IPSS", "STRATUM")
    return next((subject.stated[key].text for key in keys if key in subject.stated), "")


def _stated(subjects: Sequence[SubjectRow], *keys: str) -> list[str]:
    return [one.stated[key].ref for one in subjects for key in keys if key in one.stated]


def _ages(sheet: Sheet, trial: Trial) -> None:
    for whose, of, key in (("patient", patient_age, ""), ("donor", donor_age, "DONOR-AGE")):
        for group in trial.groups:
            subjects = trial.of(group)
            ages = [known for one in subjects if (known := of(one)) is not None]
            rests = _stated(subjects, key) if key else refs(subjects)
            for name, p in QUARTILES:
                sheet.add(TABLE, f"{whose} age {group} {name}", rounded(statistics.quantile(ages, p)), rests)


def _sexes(sheet: Sheet, trial: Trial) -> None:
    for sex in "MF":
        for group in trial.groups:
            of_sex = [one for one in trial.of(group) if one.sex == sex]
            sheet.add(TABLE, f"patient sex {sex} {group}", len(of_sex), refs(of_sex))
    for sex in "MF":
        for group in trial.groups:
            of_sex = [one for one in trial.of(group) if donor_sex(one) == sex]
            sheet.add(TABLE, f"donor sex {sex} {group}", len(of_sex), _stated(of_sex, "DONOR-SEX"))


def _matches(sheet: Sheet, trial: Trial) -> None:
    def few(subjects: Sequence[SubjectRow], *, yes: bool) -> tuple[int, list[str]]:
        known = [one.match for one in subjects if one.match]
        of = [match for match in known if (match.alleles <= FEW_MATCHES) is yes]
        return len(of), [ref for match in known for ref in match.refs]

    for label, is_few in ((">=6/10", False), ("<=5/10", True)):
        for group in trial.groups:
            count, rests = few(trial.of(group), yes=is_few)
            sheet.add(TABLE, f"matched HLA {label} {group}", count, rests)
    count, rests = few(trial.subjects, yes=True)
    sheet.add("Results", "pairs matched <=5/10, % of all pairs", share(count, len(trial.subjects)), rests)
    below = all(one.match.alleles < EXCLUDED_MATCHES for one in trial.subjects if one.match)
    sheet.add("Methods", "largest number of matched alleles below 7", yes(below), rests)
    ages = [age for one in trial.subjects if (age := donor_age(one)) is not None]
    young = bool(ages) and max(ages) <= OLDEST_DONOR
    sheet.add("Methods", "donors <= 45 years", yes(young), _stated(trial.subjects, "DONOR-AGE"))


def _risks(sheet: Sheet, trial: Trial) -> None:
    keys = ("RISK-NCCN2019", "RISK-IPSS", "STRATUM")
    counts: dict[tuple[str, str], int] = {}
    for arm, risks in trial.definitions.risks.items():
        for code, called in risks.items():
            of_risk = [one for one in trial.of(arm) if risk(one) == code]
            counts[arm, code] = len(of_risk)
            sheet.add(TABLE, f"risk {arm} {called}", len(of_risk), _stated(of_risk, *keys))
    for arm, code, label in (("AML", "POOR", "poor risk"), ("MDS", "INT2", "int-2"), ("MDS", "HIGH", "high-risk")):
        subjects = trial.of(arm)
        printed = share(counts.get((arm, code), 0), len(subjects))
        sheet.add("Results", f"{arm} {label} %", printed, _stated(subjects, *keys))


def _doses(sheet: Sheet, trial: Trial) -> None:
    cells: tuple[tuple[str, Chosen], ...] = (("MNC", lambda one: one.mnc), ("CD3+", lambda one: one.cd3))
    for called, chosen in cells:
        for group in trial.groups:
            courses = trial.courses(group)
            first = [course for course in courses if course.number == 1]
            for where, of, suffix in ((TABLE, first, ""), ("Methods", courses, " per infusion")):
                known = [dose for course in of if (dose := chosen(course))]
                values = [dose.value for dose in known]
                for name, p in QUARTILES:
                    printed = rounded(statistics.quantile(values, p), 2)
                    label = f"{called} 10^8/kg {group} {name}{suffix}"
                    sheet.add(where, label, printed, [dose.ref for dose in known])
    doses = [course.cd3 for course in trial.courses(ALL) if course.cd3]
    highest = rounded(max((dose.value for dose in doses), default=None), 2)
    sheet.add("Discussion", "highest CD3+ dose 10^8/kg", highest, [dose.ref for dose in doses])
