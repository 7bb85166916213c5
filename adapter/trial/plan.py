"""The planned treatment as data (mappings/trial/plan.yaml), checked at start."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from adapter.trial.checked import LISTED, Part, read
from adapter.trial.ctcae_rules import Absent
from adapter.trial.record import Course


class Drug(Part):
    """One drug of a course: dose and unit of one administration, and on which days, or on how many."""

    dose: float = Field(gt=0)
    unit: str
    days: Annotated[tuple[int, ...], LISTED] = ()
    number: int = Field(default=0, ge=0)
    times: int = Field(default=1, ge=1)
    until: Absent | None = None

    @model_validator(mode="after")
    def _days_once(self) -> "Drug":
        if self.days and self.number:
            raise ValueError("says its days and their number")
        return self

    @property
    def per_surface(self) -> bool:
        """Whether the dose is per m2 of body surface."""
        return self.unit.endswith("/m2")


Regimen = dict[str, Drug]


class Arm(Part):
    """The regimens of one arm, drugs by their names in terms.yaml."""

    induction: Regimen
    consolidation: Regimen

    def regimen(self, course: Course) -> Regimen:
        """What is planned for a course."""
        return self.induction if course.induction else self.consolidation


class Plan(Part):
    """What plan.yaml says."""

    interval_days: int = Field(alias="interval-days", ge=1)
    infusion_after_days: int = Field(alias="infusion-after-days", ge=0)
    second_induction_after: Annotated[tuple[str, ...], LISTED] = Field(alias="second-induction-after")
    arms: dict[str, Arm]


def load_plan(mappings: Path) -> Plan:
    """Read trial/plan.yaml of the folder.

    Raises:
        MappingError: the file cannot be read, or does not say what it must; with its line.
    """
    return read(mappings / "trial" / "plan.yaml", Plan)
