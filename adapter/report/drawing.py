# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false
# matplotlib and lifelines say nothing of their types.
"""Figures 2 to 6 of the paper, as SVG and PNG."""

import gc
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

import matplotlib as mpl

mpl.use("Agg")

from lifelines.plotting import add_at_risk_counts
from matplotlib import pyplot as plt

from adapter.report import plotted, statistics
from adapter.report.rows import CourseRow
from adapter.report.statistics import Curve
from adapter.report.trial import Trial, timed
from adapter.trial.points import POINTS

COLOURS = ("#1b6ca8", "#c8553d", "#5b8c5a", "#8a5fa3")
RESOLUTION = 150
SETTINGS: Any = {"svg.hashsalt": "adapter", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
DAY_0 = POINTS.index("D0")

_DRAWN: list[Trial] = []
"""What a process draws; it gets that when it begins."""

CAPTIONS = {
    "figure-2": "Figure 2. Overall survival, progression-free survival, relapse, and survival beside the controls; "
    "log-log 95 % intervals, numbers at risk.",
    "figure-3": "Figure 3. Microchimerism by course: each patient (A), mean and standard error (B).",
    "figure-4": "Figure 4. Temperature, hs-CRP, procalcitonin by day, and temperature by course; estimated means and "
    "95 % intervals of the mixed model; * P<0.05, ** P<0.01, *** P<0.001 against day 0.",
    "figure-5": "Figure 5. Cytokines by day; estimated means and 95 % intervals of the mixed model.",
    "figure-6": "Figure 6. T cells by day, beside neutrophils, by recovery of platelets, and before each course.",
}


def draw(folder: Path, trial: Trial) -> list[tuple[str, str]]:
    """Draw every figure into a folder, each in a process of its own: text takes long to measure.

    Returns:
        The SVG file and the caption of each.
    """
    gc.freeze()  # the collector would write to every object, so that the processes could not share it
    count = min(len(CAPTIONS), os.cpu_count() or 1)
    # forked: the trial, which is large, is not sent to them
    with ProcessPoolExecutor(count, get_context("fork"), initializer=_DRAWN.append, initargs=(trial,)) as pool:
        list(pool.map(partial(_draw, folder), CAPTIONS))
    return [(f"{name}.svg", caption) for name, caption in CAPTIONS.items()]


def _draw(folder: Path, name: str) -> None:
    panels: dict[str, Callable[[Any, Trial], None]] = {
        "figure-2": _survival,
        "figure-3": _microchimerism,
        "figure-4": _inflammation,
        "figure-5": _cytokines,
        "figure-6": _t_cells,
    }
    with mpl.rc_context(SETTINGS):
        figure, axes = plt.subplots(2, 2, figsize=(10, 9), layout="tight")
        for letter, axis in zip("ABCD", axes.flat, strict=True):
            axis.set_title(letter, loc="left", fontweight="bold")
        panels[name](axes, _DRAWN[-1])
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        figure.set_layout_engine("none")  # it stays as it was laid out for the first
        figure.savefig(folder / f"{name}.png", dpi=RESOLUTION)
        plt.close(figure)


def _survival(axes: Any, trial: Trial) -> None:
    arms, controls = trial.definitions.arms, trial.definitions.controls
    overall = {arm: timed(one.survival for one in trial.of(arm))[0] for arm in arms}
    free = {arm: timed(one.progression for one in trial.of(arm))[0] for arm in arms}
    _curves(axes[0, 0], overall, trial, "overall survival")
    _curves(axes[0, 1], free, trial, "progression-free survival")
    _incidence(axes[1, 0], trial)
    beside = {controls.beside: overall[controls.beside], "controls": timed(one.survival for one in trial.controls)[0]}
    _curves(axes[1, 1], beside, trial, "overall survival")


def _curves(axis: Any, curves: dict[str, Curve], trial: Trial, called: str) -> None:
    month = trial.definitions.month
    known = {name: curve for name, curve in curves.items() if curve.times}
    fitted = [Curve([time / month for time in one.times], one.events).fitted() for one in known.values()]
    for colour, name, fitter in zip(COLOURS, known, fitted, strict=False):
        fitter.plot_survival_function(ax=axis, label=name, color=colour, show_censors=True, censor_styles={"ms": 5})
    axis.set(xlabel="months", ylabel=called, ylim=(0, 1.03))
    if fitted:
        add_at_risk_counts(*fitted, ax=axis, labels=list(known), rows_to_show=["At risk"])


def _incidence(axis: Any, trial: Trial) -> None:
    month = trial.definitions.month
    for colour, arm in zip(COLOURS, trial.definitions.arms, strict=False):
        known = [one.relapse for one in trial.of(arm) if one.relapse]
        days = [one.days for one in known]
        if not days:
            continue
        steps = [0, *sorted({*days})]
        values = [statistics.cumulative_incidence(days, [one.cause for one in known], day).value for day in steps]
        axis.step([day / month for day in steps], values, where="post", label=arm, color=colour)
    axis.set(xlabel="months from remission", ylabel="cumulative incidence of relapse", ylim=(0, 1.03))
    axis.legend()


def _microchimerism(axes: Any, trial: Trial) -> None:
    numbers = (1, 2, 3, 4)
    for one in trial.subjects:
        tests = [(course.number, test.value) for course in one.courses for test in course.chimerism]
        if tests:
            axes[0, 0].plot(*zip(*tests, strict=True), marker="o", ms=3, lw=0.8)
    axes[0, 0].set(yscale="log", xticks=numbers, xlabel="course", ylabel="donor cells, %")
    by_course = {
        number: [
            test.value
            for one in trial.subjects
            for course in one.courses
            if course.number == number
            for test in course.chimerism
        ]
        for number in numbers
    }
    known = {number: values for number, values in by_course.items() if values}
    errors = [stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0 for values in known.values()]
    axes[0, 1].bar(list(known), [fmean(values) for values in known.values()], yerr=errors, color=COLOURS[0], capsize=4)
    axes[0, 1].set(xticks=numbers, xlabel="course", ylabel="mean of donor cells, %")
    for axis in axes[1]:
        axis.set_axis_off()


def _inflammation(axes: Any, trial: Trial) -> None:
    courses = trial.examined()
    _modelled(axes[0, 0], courses, "TEMP", "temperature, °C", log=False)
    _modelled(axes[0, 1], courses, "HSCRP", "hs-CRP, mg/L", log=False)
    _modelled(axes[1, 0], courses, "PCT", "procalcitonin, ng/mL", log=False)
    for colour, number in zip(COLOURS, (1, 2, 3, 4), strict=True):
        of = plotted.series((course for course in courses if course.number == number), "TEMP")
        if of.rows:
            means = [fmean(values) for values in zip(*of.rows, strict=True)]
            axes[1, 1].plot(POINTS, means, marker="o", ms=3, color=colour, label=f"course {number} (n={len(of.rows)})")
    axes[1, 1].set(ylabel="temperature, °C")
    axes[1, 1].legend()


def _cytokines(axes: Any, trial: Trial) -> None:
    figures = [one for one in trial.definitions.figures if one.log]
    for axis, figure in zip(axes.flat, figures, strict=False):
        _modelled(axis, trial.examined(), figure.key, f"{figure.label}, pg/mL", log=True)


def _t_cells(axes: Any, trial: Trial) -> None:
    courses = trial.examined()
    for colour, key in zip(COLOURS, trial.definitions.subsets, strict=False):
        _modelled(axes[0, 0], courses, key, "cells/µL", log=True, colour=colour, label=f"{key}+")
    axes[0, 0].legend()
    _medians(axes[0, 1], courses)
    limits = trial.definitions.short["PLT"]
    for colour, name, short in ((COLOURS[0], "shorter PLT recovery", True), (COLOURS[1], "longer", False)):
        part = [one for one in courses if plotted.is_short(one, "PLT", limits) is short]
        _modelled(axes[1, 0], part, "CD3", "CD3+ cells/µL", log=True, colour=colour, label=f"{name} (n={len(part)})")
    axes[1, 0].legend()
    before = {
        number: [row[DAY_0] for row in plotted.series((one for one in courses if one.number == number), "CD3").rows]
        for number in (1, 2, 3, 4)
    }
    known = {number: values for number, values in before.items() if values}
    if known:
        axes[1, 1].boxplot(list(known.values()), tick_labels=[str(number) for number in known])
    axes[1, 1].set(xlabel="course", ylabel="CD3+ cells/µL on day 0", yscale="log")


def _medians(axis: Any, courses: Sequence[CourseRow]) -> None:
    twin = axis.twinx()
    for on, key, colour, label in (
        (axis, "CD3", COLOURS[0], "CD3+ cells/µL"),
        (twin, "ANC", COLOURS[1], "neutrophils, 10⁹/L"),
    ):
        values = list(zip(*(course.points[key].values for course in courses), strict=True))
        middles = [
            median(known) if (known := [one for one in point if one is not None]) else math.nan for point in values
        ]
        if middles:
            on.plot(POINTS, middles, marker="o", ms=3, color=colour)
        on.set_ylabel(label, color=colour)


def _modelled(
    axis: Any,
    courses: Sequence[CourseRow],
    key: str,
    called: str,
    *,
    log: bool,
    colour: str = COLOURS[0],
    label: str = "",
) -> None:
    """Estimated means with their intervals, and stars where a point differs from day 0."""
    of = plotted.series(courses, key)
    fitted = plotted.model(of, log=log)
    axis.set_ylabel(called)
    if not of.rows:
        return
    scale: Callable[[float], float] = math.exp if log else float
    half = 0.0 if math.isnan(fitted.half) else fitted.half
    middle = [scale(mean) for mean in fitted.means]
    below = [value - scale(mean - half) for value, mean in zip(middle, fitted.means, strict=True)]
    above = [scale(mean + half) - value for value, mean in zip(middle, fitted.means, strict=True)]
    axis.errorbar(POINTS, middle, yerr=(below, above), marker="o", ms=3, capsize=3, color=colour, label=label or None)
    for point, value, up, p in zip(POINTS, middle, above, fitted.p, strict=True):
        axis.annotate(_stars(p), (point, value + up), ha="center", fontsize=8)


def _stars(p: float) -> str:
    return "" if math.isnan(p) else "***" if p < 0.001 else "**" if p < 0.01 else "*" if p < 0.05 else ""
