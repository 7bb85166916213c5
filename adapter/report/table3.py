"""Table 3: responses, survival, relapse."""

from collections.abc import Collection

from adapter.report import statistics
from adapter.report.rows import SubjectRow
from adapter.report.sheet import Sheet, rounded, share
from adapter.report.statistics import Curve, Estimate
from adapter.report.trial import Trial, timed
from adapter.trial.outcomes import IN_REMISSION

TABLE = "Table 3"


def responders(subjects: Collection[SubjectRow], categories: Collection[str]) -> tuple[int, list[str]]:
    """How many subjects have a best response of these categories, and the answers that say so."""
    of = [one.response for one in subjects if one.response.category in categories]
    return len(of), [ref for response in of for ref in response.refs]


def add(sheet: Sheet, trial: Trial) -> None:
    """Add the numbers."""
    for arm in trial.definitions.arms:
        _responses(sheet, trial, arm)
    for arm in trial.definitions.arms:
        _survival(sheet, trial, arm)
    for arm in trial.definitions.arms:
        _relapse(sheet, trial, arm)


def _responses(sheet: Sheet, trial: Trial, arm: str) -> None:
    subjects = trial.of(arm)
    for label, categories in trial.definitions.responses.items():
        count, rests = responders(subjects, categories)
        sheet.add(TABLE, f"{arm} {label} n", count, rests)
        sheet.add(TABLE, f"{arm} {label} %", share(count, len(subjects)), rests)
    count, rests = responders(subjects, IN_REMISSION)
    sheet.add("Results", f"{arm} CR+CRi %", share(count, len(subjects)), rests)


def _survival(sheet: Sheet, trial: Trial, arm: str) -> None:
    year = trial.definitions.year
    overall, rests = timed(one.survival for one in trial.of(arm))
    free, rests_free = timed(one.progression for one in trial.of(arm))
    percents(sheet, (TABLE, f"{arm} 1-year OS %"), overall.at(year), rests)
    percents(sheet, (TABLE, f"{arm} 2-year OS %"), overall.at(2 * year), rests)
    percents(sheet, (TABLE, f"{arm} 1-year PFS %"), free.at(year), rests_free)
    months = overall.median() / trial.definitions.month
    sheet.add(TABLE, f"{arm} median OS, months", rounded(months, 1), rests)


def percents(sheet: Sheet, place: tuple[str, str], estimate: Estimate, rests: list[str], note: str = "") -> None:
    """Add an estimate and its interval, in percent; `place` is where and label."""
    where, label = place
    for suffix, value in (("", estimate.value), (" CI low", estimate.low), (" CI high", estimate.high)):
        sheet.add(where, f"{label}{suffix}", rounded(100 * value), rests, note)


def _relapse(sheet: Sheet, trial: Trial, arm: str) -> None:
    """AML by Aalen-Johansen of those in remission; MDS as 100 - PFS, as the paper has it (NOTES.md, I-4)."""
    year, label = trial.definitions.year, f"{arm} 1-year cumulative incidence of relapse %"
    known = [one.relapse for one in trial.of(arm) if one.relapse]
    rests = [ref for one in known for ref in one.refs]
    incidence = statistics.cumulative_incidence([one.days for one in known], [one.cause for one in known], year)
    if arm == trial.definitions.controls.beside:
        for suffix, value in (("", incidence.value), (" CI low", incidence.low), (" CI high", incidence.high)):
            sheet.add(TABLE, f"{label}{suffix} (Aalen-Johansen, 14 CR/CRi)", rounded(100 * value), rests)
        return
    curve, rests_free = timed(one.progression for one in trial.of(arm))
    complement = _complement(curve, year)
    printed = [rounded(100 * value) for value in (incidence.value, incidence.low, incidence.high)]
    note = "100 - PFS; Aalen-Johansen of those in remission: {} ({}-{})".format(*printed)
    sheet.add(TABLE, f"{label} (1 - KM of PFS)", rounded(100 * complement.value), rests_free, note)
    for suffix, value in (("low", complement.low), ("high", complement.high)):
        sheet.add(TABLE, f"{label} CI {suffix}", rounded(100 * value), rests_free)


def _complement(curve: Curve, time: float) -> Estimate:
    survival = curve.at(time)
    return Estimate(1 - survival.value, 1 - survival.high, 1 - survival.low)
