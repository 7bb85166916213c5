"""Acute graft-versus-host disease: stages of organs, and the overall grade by a table that is data. Pure."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from adapter.errors import MappingError
from adapter.trial.checked import Key, Part, read
from adapter.trial.ctcae_rules import OneBound
from adapter.trial.parameters import Gvhd
from adapter.trial.record import Course
from adapter.trial.verdict import Verdict

Organ = Literal["skin", "liver", "gut"]
Stages = Mapping[Organ, int]


class Variant(Part):
    """One table of overall grades, from the least: the least stage of any one organ that gives each grade."""

    source: str
    open: str = ""
    grades: dict[str, dict[Organ, int]]

    def grade(self, stages: Stages) -> str:
        """The highest grade that the stages give; `0` for none."""
        given = [
            name
            for name, needed in self.grades.items()
            if any(stages.get(organ, 0) >= stage for organ, stage in needed.items())
        ]
        return given[-1] if given else "0"


class GvhdRules(Part):
    """What gvhd.yaml says."""

    liver: dict[Key, OneBound]
    variants: dict[str, Variant]

    def variant(self, parameters: Gvhd) -> Variant:
        """The table that the parameter chooses.

        Raises:
            KeyError: no table has this name; load_gvhd refuses such a parameter.
        """
        return self.variants[parameters.variant]


def load_gvhd(mappings: Path, parameters: Gvhd) -> GvhdRules:
    """Read trial/gvhd.yaml of the folder.

    Raises:
        MappingError: the file cannot be read, does not say what it must, or lacks the variant that is chosen.
    """
    file = mappings / "trial" / "gvhd.yaml"
    rules = read(file, GvhdRules)
    if parameters.variant not in rules.variants:
        raise MappingError(f"there is no variant {parameters.variant!r}: parameters.yaml, gvhd", file=file, line=1)
    return rules


def liver_stage(bilirubin: float, rules: GvhdRules) -> int:
    """Stage of the liver by bilirubin in umol/L (NCI PDQ; ../shared/design/domain.md 3.4)."""
    return max((stage for stage, bound in rules.liver.items() if bound.passed(bilirubin, "", None, None)), default=0)


def graded(course: Course, rules: GvhdRules, parameters: Gvhd) -> Verdict | None:
    """The overall grade as far as the record tells it, for a course in which acute GvHD was reported.

    The liver's stage is read off bilirubin since the onset; those of skin and gut are as the clinician stated them,
    since rash and stool do not reach the record. Without one of them the grade is at least this one.

    Returns:
        The verdict; None where no acute GvHD was reported in the course.
    """
    onsets = [one.onset for one in course.events if one.code == "AGVHD" and one.onset]
    if not onsets:
        return None
    variant = rules.variant(parameters)
    stages, refs = _stated(course)
    if values := [one for one in course.measured.get("TBIL", ()) if one.day >= min(onsets)]:
        worst = max(values, key=lambda one: one.value)
        stages["liver"] = liver_stage(worst.value, rules)
        refs.append(worst.ref)
    lacking = tuple(what for organ, what in _EVIDENCE.items() if organ not in stages)
    answer = course.one("GVHD-GRADE")
    reported = answer if answer and answer.text in {"0", *variant.grades} else None  # of another scale: no comparison
    rule = f"aGvHD, {parameters.variant}"
    if not stages:
        return Verdict(rule, "", missing=lacking, reported=reported)
    assumed = tuple(f"{one} gives no higher grade" for one in lacking)
    return Verdict(rule, variant.grade(stages), tuple(refs), assumed=assumed, reported=reported)


_EVIDENCE: Mapping[Organ, str] = {
    "skin": "stage of the skin",
    "gut": "stage of the gut",
    "liver": "bilirubin since the onset",
}
_STATED: Mapping[Organ, str] = {"skin": "GVHD-SKIN", "gut": "GVHD-GUT"}


def _stated(course: Course) -> tuple[dict[Organ, int], list[str]]:
    """The stages of organs that are stated, and the answers."""
    stages: dict[Organ, int] = {}
    refs: list[str] = []
    for organ, key in _STATED.items():
        said = course.one(key)
        if said and said.text.isdecimal():
            stages[organ] = int(said.text)
            refs.append(said.ref)
    return stages, refs
