"""What the judge is asked, and what it answers. Frozen, and without any knowledge of the database."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from adapter.errors import Held
from adapter.mapper.engine import Mapped
from adapter.mapper.events import IdentityEvent
from adapter.store.awaited import ENROLLED, STORED
from adapter.store.names import Name

__all__ = ["ENROLLED", "STORED", "Asked", "Awaited", "Facts", "Found", "Hold", "Name", "Rule", "Verdict"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A message that is about to be written."""

    message_id: int
    site: str
    received_at: datetime
    structure: str
    resources: Sequence[Mapped]
    identities: Sequence[IdentityEvent] = ()

    def of(self, resource_type: str) -> list[Mapped]:
        """What it says of resources of this type."""
        return [one for one in self.resources if one.resource["resourceType"] == resource_type]


@dataclass(frozen=True, slots=True)
class Found:
    """Something that a person should know of a message that goes on: where, its kind, a text without values."""

    path: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Awaited:
    """What releases a held message by itself: `STORED` or `ENROLLED`, of this resource."""

    what: str
    name: Name


@dataclass(frozen=True, slots=True)
class Hold:
    """The message is not written.

    `cause` is a leaf of `Held`; `awaits` releases it by itself when any of these comes true, and until then it keeps
    nobody back; `answer` is the kind of action (`store/repair.py`) by which a person lets it go on nevertheless.
    """

    cause: Held
    awaits: tuple[Awaited, ...] = ()
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Go on (`hold` is None), perhaps with findings; or hold."""

    findings: tuple[Found, ...] = ()
    hold: Hold | None = None


class Facts(Protocol):
    """What is stored, with what earlier messages of the batch have added; only of what a rule has asked for."""

    def content(self, name: Name) -> Mapping[str, Any] | None:
        """The resource as it is; None where there is none."""
        ...

    def patient_of(self, name: Name) -> str | None:
        """The id of the Patient whose resource it is, after all merges."""
        ...

    def survivor(self, name: Name) -> str:
        """The id to which this one was merged, over any number of merges; its own where it was not."""
        ...

    def next_of(self, name: Name) -> str | None:
        """The id to which this one was merged by its own message; None where it was not."""
        ...

    def merged_by(self, name: Name) -> int:
        """The message that merged it; 0 where none did."""
        ...

    def moved_until(self, name: Name) -> str:
        """What was said of it before this time (ISO, UTC) is of the patient it was moved to; empty: it never was."""
        ...

    def holders(self, system: str, value: str) -> set[str]:
        """The ids of the Patients with this identifier."""
        ...

    def linked(self, patient_id: str) -> set[str]:
        """The Patients that are linked to this one, directly or through others."""
        ...

    def is_member(self, patient_id: str) -> bool:
        """Whether a Patient is a member of the study."""
        ...


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that is judged.

    `needs` names the stored resources that `judge` will ask about; where it names none, and the message has no
    identity events, `judge` is not called. `judge` gives findings, and at most one `Hold`, its last.
    """

    needs: Callable[[Asked], Iterable[Name]]
    judge: Callable[[Asked, Facts], Iterable[Found | Hold]]
