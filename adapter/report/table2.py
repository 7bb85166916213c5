"""Table 2: the AML patients beside the historical controls."""

from collections.abc import Sequence

from adapter.report import statistics
from adapter.report.rows import SubjectRow
from adapter.report.sheet import Sheet, p_value, rounded, share
from adapter.report.table1 import risk
from adapter.report.table3 import percents, responders
from adapter.report.table4 import recoveries
from adapter.report.trial import Trial, refs, timed

TABLE = "Table 2"
CONTROLS = "controls"


def add(sheet: Sheet, trial: Trial) -> None:
    """Add the numbers."""
    arm = trial.definitions.controls.beside
    _persons(sheet, trial.controls, trial.of(arm), arm)
    _risks(sheet, trial, arm)
    for label, categories in trial.definitions.beside.items():
        _response(sheet, trial, arm, label, categories)
    _survival(sheet, trial, arm)
    for key in ("ANC", "PLT"):
        _recovery(sheet, trial, arm, key)


def _persons(sheet: Sheet, controls: Sequence[SubjectRow], treated: Sequence[SubjectRow], arm: str) -> None:
    ages = [[float(one.age) for one in of if one.age is not None] for of in (controls, treated)]
    for name, p in (("median", 0.5), ("Q1", 0.25), ("Q3", 0.75)):
        sheet.add(TABLE, f"controls age {name}", rounded(statistics.quantile(ages[0], p)), refs(controls))
    both = refs(controls, treated)
    sheet.add(TABLE, "P age (Mann-Whitney)", p_value(statistics.mann_whitney(ages[1], ages[0])), both)
    sexes = [[sum(one.sex == sex for one in of) for sex in "MF"] for of in (controls, treated)]
    for called, of, (male, female) in zip((CONTROLS, arm), (controls, treated), sexes, strict=True):
        sheet.add(TABLE, f"{called} male/female", f"{male}/{female}", refs(of))
    p, test = statistics.association(sexes)
    sheet.add(TABLE, "P sex", p_value(p), both, test)


def _risks(sheet: Sheet, trial: Trial, arm: str) -> None:
    risks = trial.definitions.risks[arm]
    for code, called in risks.items():
        for who, of in ((CONTROLS, trial.controls), (arm, trial.of(arm))):
            of_risk = [one for one in of if risk(one) == code]
            sheet.add(TABLE, f"{who} risk {called} n", len(of_risk), refs(of_risk))
            sheet.add(TABLE, f"{who} risk {called} %", share(len(of_risk), len(of)), refs(of))
    order = {code: float(rank) for rank, code in enumerate(risks)}
    ranks = [[order[risk(one)] for one in of if risk(one) in order] for of in (trial.of(arm), trial.controls)]
    p = statistics.mann_whitney(ranks[0], ranks[1])
    sheet.add(TABLE, "P risk (Mann-Whitney on the ordered groups)", p_value(p), refs(trial.controls, trial.of(arm)))


def _response(sheet: Sheet, trial: Trial, arm: str, label: str, categories: Sequence[str]) -> None:
    counts: list[list[int]] = []
    both: list[str] = []
    for who, of in ((CONTROLS, trial.controls), (arm, trial.of(arm))):
        count, rests = responders(of, categories)
        sheet.add(TABLE, f"{who} {label} n", count, rests)
        sheet.add(TABLE, f"{who} {label} %", share(count, len(of)), rests)
        counts.append([count, len(of) - count])
        both += rests
    p, test = statistics.association(counts)
    sheet.add(TABLE, f"P {label}", p_value(p), both, test)


def _survival(sheet: Sheet, trial: Trial, arm: str) -> None:
    year = trial.definitions.year
    controls, rests_controls = timed(one.survival for one in trial.controls)
    treated, rests = timed(one.survival for one in trial.of(arm))
    twice = controls.at(year)
    note = f"CI on the log scale; log-log would be {rounded(100 * twice.low)}-{rounded(100 * twice.high)}"
    percents(sheet, (TABLE, "controls 1-year OS %"), controls.at(year, log_scale=True), rests_controls, note)
    percents(sheet, (TABLE, f"{arm} 1-year OS %"), treated.at(year), rests)
    p = p_value(statistics.log_rank(treated, controls))
    sheet.add(TABLE, "P OS (log-rank over the whole curves)", p, [*rests_controls, *rests])
    months = controls.median() / trial.definitions.month
    sheet.add("Results", "controls median OS, months", rounded(months, 1), rests_controls)


def _recovery(sheet: Sheet, trial: Trial, arm: str, key: str) -> None:
    answers = [one.stated[f"RECOV-{key}"] for one in trial.controls if f"RECOV-{key}" in one.stated]
    of_controls = [one.number for one in answers if one.number is not None]
    own = recoveries(trial.courses(arm), key)
    of_arm = [float(one.days) for one in own]
    rests = ([one.ref for one in answers], [ref for one in own for ref in one.refs])
    for who, values, of in ((CONTROLS, of_controls, rests[0]), (arm, of_arm, rests[1])):
        low, high = statistics.mean_interval(values)
        sheet.add(TABLE, f"{who} {key} recovery median", rounded(statistics.median(values), 1), of)
        sheet.add(TABLE, f"{who} {key} recovery CI low", rounded(low, 1), of)
        sheet.add(TABLE, f"{who} {key} recovery CI high", rounded(high, 1), of)
    p = p_value(statistics.mann_whitney(of_arm, of_controls))
    sheet.add(TABLE, f"P {key} recovery (Mann-Whitney)", p, [*rests[0], *rests[1]])
