"""The terms of CTCAE version 3.0 as data (mappings/trial/ctcae-v3.yaml): bounds, and when one is passed."""

import operator
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from adapter.trial.checked import LISTED, Key, Part, read

_BOUND = re.compile(r"(?P<operator>[<>]=?) (?:(?P<factor>\d+(?:\.\d+)?)(?: x (?P<limit>[LU]LN))?|(?P<whole>[LU]LN))")
_PASSES = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_FALLING = {"<", "<="}


@dataclass(frozen=True, slots=True)
class Bound:
    """A comparison with a number, or with a multiple of a limit of the laboratory (`LLN`, `ULN`)."""

    operator: str
    factor: Decimal
    limit: str = ""

    def passed(self, value: float, comparator: str, low: float | None, high: float | None) -> bool | None:
        """Whether a value passes.

        Args:
            value: the number that was reported.
            comparator: `<`, `<=`, `>`, `>=` where only that is known of the value (Quantity.comparator).
            low: the laboratory's lower limit of normal.
            high: its upper limit.

        Returns:
            True or False where it is certain; None where the limit is missing, or the value may lie on either side.
        """
        limit = {"": 1.0, "LLN": low, "ULN": high}[self.limit]
        if limit is None:
            return None
        return self._certain(Decimal(str(value)), comparator, self.factor * Decimal(str(limit)))

    def _certain(self, value: Decimal, comparator: str, limit: Decimal) -> bool | None:
        if not comparator:
            return _PASSES[self.operator](value, limit)
        if comparator not in _PASSES:
            return None
        # What is known of the value is a ray that begins at it, with its end or without; what passes is another.
        inside = _PASSES[self.operator](value, limit)
        touching = value == limit and "=" not in comparator
        if (comparator in _FALLING) == (self.operator in _FALLING):
            return True if inside or touching else None
        return False if not inside or touching else None


def _bound(said: Any) -> Bound:
    found = _BOUND.fullmatch(said) if isinstance(said, str) else None
    if not found:
        raise ValueError(f"{said!r} is no bound: `< 1.5`, `>= 38.0`, `< LLN`, `> 1.5 x ULN`")
    return Bound(found["operator"], Decimal(found["factor"] or 1), found["limit"] or found["whole"] or "")


OneBound = Annotated[Bound, BeforeValidator(_bound)]
Grade = Annotated[Key, Field(ge=1, le=4)]
Grades = dict[Grade, Annotated[tuple[OneBound, ...], LISTED]]


class Lasting(Part):
    """The grade of values beyond a bound for more than so many hours."""

    grade: int = Field(ge=1, le=4)
    bound: OneBound
    hours: float = Field(gt=0)


class Absent(Part):
    """The term does not hold while the latest value of another kind is beyond a bound."""

    measured: str
    bound: OneBound


class Term(Part):
    """One term: what is measured, and the bounds of its grades."""

    name: str
    category: str
    measured: str
    grades: Grades
    decrease: Grades = Field(default_factory=dict[int, tuple[Bound, ...]])
    lasting: Lasting | None = None
    absent: Absent | None = None

    def by_decrease(self, percent: float) -> int:
        """The grade of a decrease from the first value, in per cent."""
        passed = (
            one
            for one, bounds in self.decrease.items()
            if any(bound.passed(round(percent, 9), "", None, None) for bound in bounds)
        )
        return max(passed, default=0)


class EventRule(Part):
    """An adverse event of the trial that is read off values."""

    terms: Annotated[tuple[str, ...], LISTED]
    least: int = Field(default=1, alias="from", ge=1, le=4)
    worsened: bool = False


class _File(Part):
    version: str
    terms: dict[str, Term]
    events: dict[str, EventRule]

    @model_validator(mode="after")
    def _terms_are_known(self) -> "_File":
        unknown = {name for event in self.events.values() for name in event.terms} - set(self.terms)
        if unknown:
            raise ValueError(f"{min(unknown)!r} is no term here")
        return self


Decrease = Literal["never", "when-low", "always"]


@dataclass(frozen=True, slots=True)
class Rules:
    """The terms by name, the trial's events by code, and when a decrease from the first value counts."""

    version: str
    terms: Mapping[str, Term]
    events: Mapping[str, EventRule]
    decrease: Decrease


def load_ctcae(mappings: Path, decrease: Decrease) -> Rules:
    """Read trial/ctcae-v3.yaml of the folder.

    Args:
        mappings: the folder of mappings.
        decrease: whether a decrease of fibrinogen from the first value of the course counts: never, only while the
            value is below the laboratory's limit, or always.

    Raises:
        MappingError: the file cannot be read, or does not say what it must; with its line.
    """
    said = read(mappings / "trial" / "ctcae-v3.yaml", _File)
    return Rules(said.version, said.terms, said.events, decrease)
