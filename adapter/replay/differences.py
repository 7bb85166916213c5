"""What a replay would change, as counts and one example each: which elements of which types, without values."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from adapter.fhir.leaves import leaves
from adapter.store.names import Name
from adapter.store.states import CHANGED, NEW, REMOVED, Change

ADDED, GONE, OTHER = "added", "removed", "changed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One value of a resource: its path without numbers of repetitions, and None where it is not there."""

    path: str
    what: str
    before: Any
    after: Any


@dataclass(slots=True)
class Differences:
    """Resources that would change; of each only the last that was told counts."""

    kinds: dict[Name, str] = field(default_factory=dict[Name, str])
    patients: dict[Name, str] = field(default_factory=dict[Name, str])
    elements: Counter[tuple[str, str, str]] = field(default_factory=Counter[tuple[str, str, str]])
    examples: dict[tuple[str, str, str], tuple[str, Any, Any]] = field(
        default_factory=dict[tuple[str, str, str], tuple[str, Any, Any]]
    )

    def add(self, change: Change) -> None:
        """Count what becomes of a resource."""
        again = change.name in self.kinds
        self.kinds[change.name] = change.kind
        if change.patient_id:
            self.patients[change.name] = change.patient_id
        if change.kind != CHANGED or again:
            return
        kind, number = change.name
        for one in {(found.path, found.what): found for found in differences(change.before, change.after)}.values():
            key = (kind, one.path, one.what)
            self.elements[key] += 1
            self.examples.setdefault(key, (f"{kind}/{number}", one.before, one.after))

    def forget(self, name: Name) -> None:
        """A resource that was counted would not change after all."""
        self.kinds.pop(name, None)
        self.patients.pop(name, None)

    def told(self, *, values: bool) -> dict[str, Any]:
        """Everything as JSON; `values`: with the values of the examples, which may be patients' data."""
        kinds = Counter(self.kinds.values())
        types = Counter((name[0], kind) for name, kind in self.kinds.items())
        return {
            "patients": len(set(self.patients.values())),
            "resources": {kind: kinds[kind] for kind in (NEW, CHANGED, REMOVED)},
            "types": [
                {"type": kind, "what": what, "resources": number} for (kind, what), number in sorted(types.items())
            ],
            "elements": [self._element(key, number, values=values) for key, number in self.elements.most_common()],
        }

    def _element(self, key: tuple[str, str, str], number: int, *, values: bool) -> dict[str, Any]:
        reference, before, after = self.examples[key]
        shown = {"before": before, "after": after} if values else {}
        return {"element": f"{key[0]}.{key[1]}", "what": key[2], "resources": number, "example": reference, **shown}


def differences(before: dict[str, Any], after: dict[str, Any]) -> Iterator[Difference]:
    """What two states of a resource differ in, value by value."""
    was, now = dict(leaves(before)), dict(leaves(after))
    for place in sorted(was.keys() | now.keys()):
        old, new = was.get(place), now.get(place)
        if old != new:
            path = ".".join(name.partition("[")[0] for name in place)
            what = ADDED if place not in was else GONE if place not in now else OTHER
            yield Difference(path, what, old, new)
