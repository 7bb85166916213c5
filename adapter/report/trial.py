"""The trial as the tables see it: subjects by arm, courses, controls."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from adapter.report.definitions import Definitions
from adapter.report.rows import CourseRow, SubjectRow
from adapter.report.statistics import Curve
from adapter.trial.outcomes import Time

ALL = "all"


@dataclass(frozen=True)
class Trial:
    """Subjects of the study's arms in the order of their numbers, the controls, and what is known of the study itself.

    `aliquots` counts the aliquots of each donation, with their resources.
    """

    subjects: Sequence[SubjectRow]
    controls: Sequence[SubjectRow]
    aliquots: Sequence[tuple[int, tuple[str, ...]]]
    study: str
    cut_off: date | None
    definitions: Definitions

    @property
    def groups(self) -> list[str]:
        """The arms, then all together."""
        return [*self.definitions.arms, ALL]

    def of(self, group: str) -> list[SubjectRow]:
        """The subjects of an arm, or all."""
        return [one for one in self.subjects if group in {ALL, one.arm}]

    def courses(self, group: str) -> list[CourseRow]:
        """The infused courses of a group: the paper's procedures."""
        return [course for one in self.of(group) for course in one.courses if course.infused]

    def examined(self, group: str = ALL) -> list[CourseRow]:
        """The courses that were examined for CRS."""
        return [course for course in self.courses(group) if course.crs]


def refs(*rows: Iterable[SubjectRow | CourseRow]) -> list[str]:
    """The resources of the rows themselves: registrations, infusions."""
    return [one.ref if isinstance(one, SubjectRow) else one.infusion for part in rows for one in part]


def timed(times: Iterable[Time | None]) -> tuple[Curve, list[str]]:
    """The curve of the times that are known, in days, and what they rest on."""
    known = [one for one in times if one]
    curve = Curve([float(one.days) for one in known], [one.cause == 1 for one in known])
    return curve, [ref for one in known for ref in one.refs]
