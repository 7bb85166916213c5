"""Acute graft-versus-host disease: stages of organs, and the overall grade by a table that is data. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import model_validator

from adapter.errors import MappingError
from adapter.trial.checked import Key, Part, read
from adapter.trial.ctcae_rules import Bound, OneBound
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

    stages: dict[Organ, dict[Key, OneBound]]
    variants: dict[str, Variant]

    @model_validator(mode="after")
    def _every_organ(self) -> "GvhdRules":
        if set(self.stages) != {"skin", "liver", "gut"}:
            raise ValueError("must give stages of skin, liver and gut")
        return self

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
    return _stage(bilirubin, rules.stages["liver"])


@dataclass(frozen=True, slots=True)
class Skin:
    """The skin: per cent of the body surface with a rash, and its kind."""

    surface: float
    erythroderma: bool = False
    bullae: bool = False


def skin_stage(skin: Skin, rules: GvhdRules) -> int:
    """Stage of the skin; generalised erythroderma is at least 3, bullae or desquamation 4 (NCI PDQ)."""
    if skin.bullae:
        return 4
    return max(3 if skin.erythroderma else 0, _stage(skin.surface, rules.stages["skin"]))


@dataclass(frozen=True, slots=True)
class Gut:
    """The gut: mL of stool a day, and the signs that give a stage by themselves."""

    stool: float
    nausea_proven: bool = False
    severe_pain: bool = False
    blood: bool = False


def gut_stage(gut: Gut, rules: GvhdRules) -> int:
    """Stage of the gut; nausea proven by biopsy is at least 1, severe pain, ileus or blood 4 (NCI PDQ)."""
    if gut.severe_pain or gut.blood:
        return 4
    return max(int(gut.nausea_proven), _stage(gut.stool, rules.stages["gut"]))


def _stage(value: float, bounds: Mapping[int, Bound]) -> int:
    return max((stage for stage, bound in bounds.items() if bound.passed(value, "", None, None)), default=0)


def graded(course: Course, rules: GvhdRules, parameters: Gvhd) -> Verdict | None:
    """The overall grade as far as the record tells it, for a course in which acute GvHD was reported.

    Only the liver's stage can be read off values, from bilirubin since the onset: the grade is at least this one. Rash
    and stool reach the record as a clinician's grade alone, which stays beside it.

    Returns:
        The verdict; None where no acute GvHD was reported in the course.
    """
    onsets = [one.onset for one in course.events if one.code == "AGVHD" and one.onset]
    if not onsets:
        return None
    variant = rules.variant(parameters)
    lacking = ("surface of the rash", "volume of stool")
    values = [one for one in course.measured.get("TBIL", ()) if one.day >= min(onsets)]
    answer = course.one("GVHD-GRADE")
    reported = answer if answer and answer.text in {"0", *variant.grades} else None  # of another scale: no comparison
    rule = f"aGvHD, {parameters.variant}"
    if not values:
        return Verdict(rule, "", missing=(*lacking, "bilirubin since the onset"), reported=reported)
    worst = max(values, key=lambda one: one.value)
    value = variant.grade({"liver": liver_stage(worst.value, rules)})
    return Verdict(
        rule, value, (worst.ref,), assumed=tuple(f"{one} gives no higher grade" for one in lacking), reported=reported
    )
