# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false, reportAttributeAccessIssue=false
# scipy, statsmodels and lifelines have no types; what leaves this module has.
"""The paper's statistics, by libraries: each definition as ../shared/cohort/NOTES.md gives it.

Undefined results are NaN: of no values, of groups too small. Times are in one unit per call, whichever it is.
"""

import math
import warnings
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test
from scipy import stats
from statsmodels.regression.mixed_linear_model import MixedLM

NAN = float("nan")
CONFIDENCE = 0.95
HALF = 0.5 + 1e-9
SMALLEST_PEARSON, SMALLEST_YATES = 5.0, 1.0
"""Smallest expected count for Pearson's chi-square, and for Yates' correction (SPSS's advice)."""

Interval = tuple[float, float]


def quantile(values: Sequence[float], share: float) -> float:
    """Quantile at (n + 1)p, Hyndman and Fan's type 6 (SPSS HAVERAGE)."""
    return float(np.quantile(np.asarray(values, float), share, method="weibull")) if values else NAN


def median(values: Sequence[float]) -> float:
    """Median of the values."""
    return quantile(values, 0.5)


def mean_interval(values: Sequence[float]) -> Interval:
    """Mean -+ t s/sqrt(n), two-sided 95 %."""
    n = len(values)
    if n < 2:
        return NAN, NAN
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * np.std(values, ddof=1) / math.sqrt(n))
    centre = float(np.mean(values))
    return centre - half, centre + half


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Curve:
    """A Kaplan-Meier curve: `times` and `events` as they were given, and the fitted curve."""

    times: Sequence[float]
    events: Sequence[bool]

    def fitted(self) -> Any:
        """The lifelines fitter; its interval is log-log (Prism, Stata)."""
        return KaplanMeierFitter(alpha=1 - CONFIDENCE).fit(self.times, self.events)

    def at(self, time: float, *, log_scale: bool = False) -> Estimate:
        """Survival at a time; the interval is log-log, or on the log scale (R's default) where told so.

        NaN bounds where survival is 0 or 1, as no interval is defined there; of nobody nobody died: it is 1.
        """
        if not self.times:
            return Estimate(1.0, NAN, NAN)
        fitter = self.fitted()
        survival = float(fitter.predict(time))
        if not 0 < survival < 1:
            return Estimate(survival, NAN, NAN)
        if log_scale:
            half = _normal() * math.sqrt(self._greenwood(fitter, time))
            return Estimate(survival, survival * math.exp(-half), min(1.0, survival * math.exp(half)))
        bounds = fitter.confidence_interval_survival_function_
        row = bounds[bounds.index <= time].iloc[-1]
        return Estimate(survival, float(row.iloc[0]), float(row.iloc[1]))

    def median(self) -> float:
        """The first time at which survival is 0.5 or less, within rounding; NaN where it is never reached."""
        if not self.times:
            return NAN
        survival = self.fitted().survival_function_.iloc[:, 0]
        reached = survival[survival <= HALF]
        return float(reached.index[0]) if len(reached) else NAN

    @staticmethod
    def _greenwood(fitter: Any, time: float) -> float:
        table = fitter.event_table[fitter.event_table.index <= time]
        return float((table.observed / (table.at_risk * (table.at_risk - table.observed))).sum())


def reverse(curve: Curve) -> Curve:
    """The curve of follow-up: censoring is the event (reverse Kaplan-Meier)."""
    return Curve(curve.times, [not event for event in curve.events])


def log_rank(one: Curve, other: Curve) -> float:
    """P of the log-rank test over the whole curves."""
    if not one.times or not other.times or not any([*one.events, *other.events]):
        return NAN
    return float(logrank_test(one.times, other.times, one.events, other.events).p_value)


def cumulative_incidence(times: Sequence[float], causes: Sequence[int], time: float) -> Estimate:
    """Aalen-Johansen incidence of cause 1 at a time, cause 2 competing.

    The variance is Gray's (Ann Stat 1988;16:1141, as in R's cmprsk), the interval log-log on the incidence: the one
    that prints the paper's 41 % (13-67 %) with 14 subjects. lifelines has another variance.
    """
    t, c = np.asarray(times, float), np.asarray(causes, int)
    survival, incidence = 1.0, 0.0
    a = b = squares = 0.0
    for point in np.unique(t[(c > 0) & (t <= time)]):
        at_risk = int((t >= point).sum())
        own, other = int(((t == point) & (c == 1)).sum()), int(((t == point) & (c == 2)).sum())
        after = survival * (at_risk - own - other) / at_risk
        incidence += survival * own / at_risk
        inverse = 1 / after if after > 0 else 0.0
        for count, weight in ((other, incidence * inverse if after > 0 else None), (own, 1 + inverse * incidence)):
            if count and weight is not None:
                step = survival**2 * (1 - (count - 1) / (at_risk - 1) if count > 1 else 1.0) * count / at_risk**2
                a += weight**2 * step
                b += weight * inverse * step
                squares += inverse**2 * step
        survival = after
    variance = a + incidence**2 * squares - 2 * incidence * b
    if not 0 < incidence < 1 or variance <= 0:
        return Estimate(incidence if len(t) else NAN, NAN, NAN)
    half = min(_normal() * math.sqrt(variance) / (incidence * abs(math.log(incidence))), 700.0)
    return Estimate(incidence, incidence ** math.exp(half), incidence ** math.exp(-half))


def _normal() -> float:
    return float(stats.norm.ppf((1 + CONFIDENCE) / 2))


def association(table: Sequence[Sequence[int]]) -> tuple[float, str]:
    """P of a 2x2 table and the test: Pearson, Yates or Fisher by the smallest expected count (SPSS's advice)."""
    counts = np.asarray(table, float)
    if (counts.sum(0) == 0).any() or (counts.sum(1) == 0).any():
        return NAN, "-"
    smallest = float(stats.contingency.expected_freq(counts).min())
    if smallest >= SMALLEST_PEARSON:
        return _p(stats.chi2_contingency(counts, correction=False)), "Pearson"
    if smallest >= SMALLEST_YATES:
        return _p(stats.chi2_contingency(counts, correction=True)), "Yates"
    return _p(stats.fisher_exact(counts)), "Fisher"


def _p(result: Any) -> float:
    return float(result.pvalue)


def mann_whitney(one: Sequence[float], other: Sequence[float]) -> float:
    """P of the Mann-Whitney test, asymptotic, ties corrected, no continuity correction."""
    if not one or not other:
        return NAN
    return _p(stats.mannwhitneyu(one, other, use_continuity=False, method="asymptotic"))


def t_test(one: Sequence[float], other: Sequence[float]) -> float:
    """P of Student's t test of two groups; NaN where a group has fewer than two values."""
    return _p(stats.ttest_ind(one, other)) if min(len(one), len(other)) > 1 else NAN


@dataclass(frozen=True, slots=True)
class RepeatedMeasures:
    """Estimated means of each point with their common interval half-width, and P against the reference point."""

    means: tuple[float, ...]
    half: float
    p: tuple[float, ...]


SMALLEST_REPEATED = 3


def repeated_measures(rows: Sequence[Sequence[float]], *, reference: int) -> RepeatedMeasures:
    """Random-intercept (compound symmetry) model of procedures by points; t with nT - T degrees of freedom.

    Args:
        rows: one per procedure, one value per point, none missing.
        reference: the column against which the others are tested.

    Returns:
        Means, the half-width of their 95 % interval, P; NaN for fewer than three procedures. As no value is missing,
        restricted likelihood and the mean squares of the two-way layout estimate the same variances, which takes
        milliseconds for thousands of procedures (tests/property/test_report_laws.py compares it with statsmodels).
    """
    values = np.asarray(rows, float)
    n, points = values.shape if values.ndim == 2 else (len(values), 0)
    if n < SMALLEST_REPEATED:
        means = values.mean(0) if n else np.full(points, NAN)
        return RepeatedMeasures(tuple(float(one) for one in means), NAN, tuple([NAN] * points))
    means, own = values.mean(0), values.mean(1)
    within = float(np.square(values - own[:, None] - means + values.mean()).sum()) / ((n - 1) * (points - 1))
    between = points * float(own.var(ddof=1))
    error = math.sqrt((between + (points - 1) * within) / (points * n))
    freedom = n * points - points
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stats.t.sf(np.abs(means - means[reference]) / math.sqrt(2 * within / n), freedom)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * error
    return RepeatedMeasures(tuple(float(one) for one in means), half, tuple(float(one) for one in p))


@dataclass(frozen=True, slots=True)
class Effects:
    """Fixed effects of a mixed model and their P (t with n - p degrees of freedom)."""

    values: tuple[float, ...]
    p: tuple[float, ...]


def mixed_model(values: Sequence[float], design: Sequence[Sequence[float]], groups: Sequence[str]) -> Effects:
    """Random-intercept model by restricted maximum likelihood; NaN where the design cannot be estimated."""
    x, y = np.asarray(design, float), np.asarray(values, float)
    n, columns = x.shape if x.ndim == 2 else (0, 0)
    if n <= columns + 1 or np.linalg.matrix_rank(x) < columns:
        return Effects(tuple([NAN] * columns), tuple([NAN] * columns))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a variance of 0 is a result here, not a fault
        fitted: Any = MixedLM(y, x, groups).fit(reml=True)
    effects = np.asarray(fitted.fe_params)
    errors = _errors(x, groups, float(fitted.scale), float(np.asarray(fitted.cov_re)[0, 0]))
    p = 2 * stats.t.sf(np.abs(effects / errors), n - columns)
    return Effects(tuple(float(one) for one in effects), tuple(float(one) for one in p))


def _errors(x: Any, groups: Sequence[str], within: float, between: float) -> Any:
    """Standard errors of generalized least squares, as SPSS and SAS give them; statsmodels' come from the Hessian."""
    information = x.T @ x / within
    of_group: dict[str, list[int]] = defaultdict(list)
    for at, group in enumerate(groups):
        of_group[group].append(at)
    for places in of_group.values():
        rows = x[places]
        total = rows.sum(0)
        information -= np.outer(total, total) * between / (within * (within + len(rows) * between))
    return np.sqrt(np.diag(np.linalg.inv(information)))
