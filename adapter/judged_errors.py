"""Leaves of the error tree that only what is stored can tell: why the judge holds a message (catalogue, D and E)."""

import re
from typing import ClassVar

from adapter.errors import Held, Location

HOSPITAL = "sending hospital"
STEWARD = "data steward, with the sending hospital"
_PLACE = re.compile(r"([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?-(\d+)(?:\.(\d+))?: ")


class Judged(Held):
    """Held for what is stored; `condition` (HL7 table 0357) and `at` are told where the answer waits (AE)."""

    code = "H2F-3100"
    condition: ClassVar[str] = "207"
    mender = STEWARD

    def __init__(self, text: str, *, path: str = "") -> None:
        """Text for people (no values of the message), and where: `MRG[2]-1`."""
        super().__init__(f"{path}: {text}" if path else text)


class UnknownIdentity(Judged):
    """A merge, link or change names a number that is not known (D12, D13, D25); goes on by itself when it comes."""

    code, condition = "H2F-3101", "204"
    mender = HOSPITAL


class MergeIntoItself(Judged):
    """Both numbers of a merge are one (D14)."""

    code, condition = "H2F-3102", "205"
    mender = HOSPITAL


class MergeLoop(Judged):
    """The surviving number was merged into the retired one before (D15)."""

    code, condition = "H2F-3103", "205"


class MergedElsewhere(Judged):
    """The retired number was merged into another before (D18)."""

    code, condition = "H2F-3104", "205"


class AcrossAuthorities(Judged):
    """The two numbers are of different authorities, or not of the sender's (D19)."""

    code, condition = "H2F-3105", "205"
    mender = "security officer, with the sending hospital"


class DemographicConflict(Judged):
    """Two of name, birth date and sex are not those of the stored patient: the number may have been reused (D23)."""

    code, condition = "H2F-3106", "205"


class UnknownVisit(Judged):
    """A visit or account that moves is not known (D26); goes on by itself when it comes."""

    code, condition = "H2F-3107", "204"
    mender = HOSPITAL


class VisitOfAnother(Judged):
    """The visit number is that of another patient's visit (D27)."""

    code, condition = "H2F-3108", "205"


class NotEnrolled(Judged):
    """The patient is not in the study (D10); goes on by itself with the enrolment."""

    code = "H2F-3109"
    mender = "study coordinator"


class VisitNumberReused(Judged):
    """A visit begins with the number of one that has ended (E30)."""

    code, condition = "H2F-3111", "205"
    mender = HOSPITAL


class ImpossibleKeyDate(Judged):
    """A birth in the future, a death before the birth (E32)."""

    code, condition = "H2F-3112", "102"
    mender = HOSPITAL


class UnknownOrder(Judged):
    """An order that has not come is cancelled or discontinued (E36); goes on by itself when it comes."""

    code, condition = "H2F-3113", "204"
    mender = HOSPITAL


class ResultConflict(Judged):
    """Two sources say different values of one result (E40): merge.yaml has no `sources:` for one of them."""

    code, condition = "H2F-3114", "207"
    mender = "analyst who edits mappings/, with the sending hospital"


def told(code: str, cause: str) -> tuple[str, Location | None]:
    """Condition and place of a held message, from its row: what an AE says of it."""
    kind = next((one for one in Judged.__subclasses__() if one.code == code), Judged)
    found = _PLACE.match(cause)
    if kind is Judged or not found:
        return kind.condition, None
    segment, occurrence, field, component = found.groups()
    return kind.condition, Location(segment, int(occurrence or 1), int(field), int(component or 0))
