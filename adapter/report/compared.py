"""The numbers beside the published ones."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from adapter.report.definitions import Printed, Published
from adapter.report.sheet import UNKNOWN, Number


class Status(StrEnum):
    """How a number compares; the values are those of results.json."""

    AGREES = "OK"
    ROUNDED = "ROUND"
    DIFFERS = "DIFF"
    NONE = "n/a"


WORDS = {
    Status.AGREES: "agrees",
    Status.ROUNDED: "agrees but for the paper's rounding",
    Status.DIFFERS: "differs",
    Status.NONE: "not printed",
}
NOT_COMPUTABLE = "not computable"


@dataclass(frozen=True, slots=True)
class Compared:
    """A number, what was printed (None: nothing), and how both compare."""

    number: Number
    published: str | None
    status: Status
    note: str

    @property
    def word(self) -> str:
        """The status for people."""
        return NOT_COMPUTABLE if self.number.computed == UNKNOWN else WORDS[self.status]


def compared(numbers: Iterable[Number], published: Published) -> Iterator[Compared]:
    """Set each number beside what was printed at its place."""
    for number in numbers:
        printed = published.get((number.where, number.label))
        status = _status(number, printed)
        note = "; ".join(dict.fromkeys(text for text in (number.note, printed.note if printed else "") if text))
        yield Compared(number, printed.text if printed else None, status, note)


def _status(number: Number, printed: Printed | None) -> Status:
    if printed is None:
        return Status.NONE
    if number.computed == printed.text:
        return Status.AGREES
    return Status.ROUNDED if printed.rounding else Status.DIFFERS
