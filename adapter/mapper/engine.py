"""The engine: the segments of one message and a plan give resources, issues and the ledger. Pure.

Ids come first (a resource may refer to any other of its message), then each resource is built by its compiled
map; what a map cannot say is in a named converter, never here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from adapter.errors import NoIdentity
from adapter.hl7v2.message import Message, Segment, new_tuple
from adapter.mapper.compiled import Compiled, Reasons
from adapter.mapper.events import IdentityEvent
from adapter.mapper.happened import happened
from adapter.mapper.ids import resource_id
from adapter.mapper.issues import Issue, Issues, Missing
from adapter.mapper.ledger import Ledger
from adapter.mapper.mapped import Mapped
from adapter.mapper.plan import Entry, Plan, Reference

if TYPE_CHECKING:
    from adapter.mapper.makers import Doubts

__all__ = ["Issue", "Mapped", "Missing", "Outcome", "map_message"]

_REPEATED = "what it is known by stands twice in the message: told apart by position"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the engine gives back."""

    resources: tuple[Mapped, ...]
    issues: tuple[Issue, ...]
    ledger: Ledger
    identities: tuple[IdentityEvent, ...] = ()
    missing: tuple[Missing, ...] = ()


def map_message(
    message: Message,
    segments: tuple[Segment, ...],
    plan: Plan,
    *,
    ignored: Reasons,
) -> Outcome:
    """Follow the plan.

    Args:
        message: as parsed (for lineage).
        segments: those to map, in standard delimiters, after the site's fixes.
        plan: what to make, for exactly this sequence of segment names.
        ignored: per segment name the fields that are left out on purpose (for the ledger).

    Raises:
        NoIdentity: the patient of the message has no identifier.
    """
    run = _Run(segments, plan)
    built = run.build_all()
    identities, stated = happened(plan, built) if plan.identities else ((), built)
    resources: list[Mapped] = []
    for number in run.wanted:
        made, now = built[number], stated[number]
        if made and now:
            resources.append(now)
            if "link" in made.resource:
                resources += _linked_patients(made)
    ledger = Ledger(message, segments, plan, stated, ignored, frozenset(run.dropped))
    return Outcome(tuple(resources), tuple(run.issues.found), ledger, identities, tuple(run.issues.missing))


class _Run:
    """One conversion under way: slots filled, ids known, issues collected."""

    def __init__(self, segments: Sequence[Segment], plan: Plan) -> None:
        self.segments, self.plan = segments, plan
        self.issues = Issues(plan)
        self.repeated: set[int] = set()
        self.dropped: set[int] = set()
        self.wanted: list[int] = []
        self.bases: dict[int, _Shared] = {}
        self.firsts: dict[int, Entry] = {}
        blank = plan.blank
        fields = [segment.fields + blank for segment in segments]
        self.shared: list[list[Any]] = [
            [*[()] * one.groups, *[blank if at is None else fields[at] for at in one.shared]] for one in plan.bases
        ]
        count = len(plan.entries)
        self.slots: list[list[Any]] = [[]] * count
        self.identifiers: list[tuple[str, str] | None] = [None] * count
        for number, entry in enumerate(plan.entries):
            if not (about := entry.compiled.about) or about(fields[entry.index]):
                self._fill(number, entry, fields[entry.index])
        self.ids: list[str | None] = [None] * count
        self.references: list[dict[str, Any] | None] = [None] * count
        self._identify()

    def _fill(self, number: int, entry: Entry, own: tuple[str, ...]) -> None:
        """Fill the slots of an entry and find what names its resource, if its map wants anything of the segment."""
        compiled = entry.compiled
        slots = [own, *self.shared[entry.base]]
        if entry.groups:
            slots[1 : 1 + len(entry.groups)] = [tuple([self.segments[at] for at in group]) for group in entry.groups]
        if compiled.dropped and compiled.dropped(slots):
            self.dropped.add(number)
        elif not compiled.wanted or compiled.wanted(slots):
            self.identifiers[number] = compiled.identify(slots)
        else:
            return
        self.slots[number] = slots
        self.wanted.append(number)

    def _identify(self) -> None:
        """Ids and references; the owner's number stands in front, and what comes again is told apart by its count."""
        entries, identifiers, own = self.plan.entries, self.identifiers, self.identifiers.copy()
        seen: dict[str, int] = {}
        for number in self.wanted:
            entry, identifier = entries[number], own[number]
            if identifier and entry.owner is not None:
                owner = own[entry.owner]
                identifiers[number] = identifier = (identifier[0], f"{owner[1]}/{identifier[1]}") if owner else None
            if not identifier:
                continue
            one = resource_id(entry.resource, *identifier)
            if entry.compiled.map.numbered:
                seen[one] = times = seen[one] + 1 if one in seen else 1
                if times > 1:
                    identifiers[number] = identifier = (identifier[0], f"{identifier[1]}#{times}")
                    one = resource_id(entry.resource, *identifier)
                    self.repeated.add(number)
            self.ids[number] = one
            self.references[number] = {"reference": f"{entry.resource}/{one}"}
            if entry.base not in self.firsts:
                self.firsts[entry.base] = entry

    def build_all(self) -> list[Mapped | None]:
        """Build every entry; anew where one could not be made, so that nothing refers to it."""
        entries = self.plan.entries
        while True:
            for base, first in self.firsts.items():
                self.bases[base] = self._base(first)
            built: list[Mapped | None] = [None] * len(entries)
            lost: list[int] = []
            for number in self.wanted:
                built[number] = made = self.build(number, entries[number])
                if made is None and self.references[number]:
                    lost.append(number)
            if not lost:
                return built
            for number in lost:
                self.references[number] = None
            self.bases.clear()
            self.issues.clear()

    def _base(self, entry: Entry) -> "_Shared":
        """What the entry, the first of its base that is made, has in common with the others."""
        compiled = entry.compiled
        out: dict[str, Any] = {"resourceType": compiled.map.resource, "id": ""}
        doubts: Doubts = []
        slots = [(), *self.shared[entry.base]]
        compiled.shared(slots, out, doubts)
        for reference in self.plan.bases[entry.base].references:
            element, *inner = reference.target
            found = [*self._referred(compiled, reference)]
            if found and inner:
                out[element] = out.get(element, []) + found
            elif found:
                out[element] = found if reference.many else found[0]
        cleared = self.issues.of_rules(entry, slots, doubts)[1] if doubts else ()
        return _Shared(out, cleared, compiled.event_time(slots) if compiled.shares_event_time else "")

    def _referred(self, compiled: Compiled, reference: Reference) -> Iterator[dict[str, Any]]:
        """The references to each resource, or items with one and what its own segment says beside it."""
        if len(reference.target) == 1:
            yield from filter(None, [self.references[target] for target in reference.entries])
            return
        details = compiled.details.get(reference.rule)
        for target, at in zip(reference.entries, reference.segments, strict=True):
            refers = self.references[target]
            if not refers:
                continue
            more: dict[str, Any] = {}
            if details:
                doubts: Doubts = []
                raws = tuple(self.segments[at].raw(path.field) for path in details.rule.sources)
                more = details.maker.value(raws, doubts) or {}
                path = f"{self.plan.labels[at]}{str(details.rule.sources[0])[3:]}"
                for _, doubt in doubts:
                    self.issues.doubted(doubt, path, str(details.rule.place))
            yield {reference.target[1]: refers, **more}

    def build(self, number: int, entry: Entry) -> Mapped | None:
        """Build the resource of one entry; None (with an issue) where FHIR requires what the message lacks."""
        compiled, resource_id_ = entry.compiled, self.ids[number]
        if resource_id_ is None:
            self._without_id(number, entry)
            return None
        base = self.bases[entry.base]
        out = base.resource.copy()
        out["id"] = resource_id_
        if compiled.names_identifier:
            system, value = self.identifiers[number] or ("", "")
            named: Any = {"system": system, "value": value}
            out["identifier"] = [named] if compiled.numbers else named
        if number in self.repeated:
            self.issues.of_entry(entry, "warning", "205", _REPEATED, "repeated")
        doubts: Doubts = []
        slots = self.slots[number]
        missing = entry.build(slots, out, doubts)
        defaults, cleared = self.issues.of_rules(entry, slots, doubts) if doubts else ((), ())
        cleared = (*cleared, *base.cleared, *entry.clear) if cleared or base.cleared else entry.clear
        if missing:
            text = f"{entry.resource} not made: FHIR requires {missing}"
            self.issues.of_entry(entry, "error", "101", text, "incomplete")
            return None
        patient = self.ids[entry.patient] if entry.patient is not None else None
        order = base.order or compiled.event_time(slots)
        fill, undo, cancels = entry.fill, entry.undo, entry.cancels
        return new_tuple(Mapped, (out, order, fill, defaults, cleared, entry.map, patient, undo, cancels))

    def _without_id(self, number: int, entry: Entry) -> None:
        never = entry.compiled.map.never
        if number in self.dropped and never:
            self.issues.of_entry(entry, "information", "0", never.because, "left-out")
        elif entry.resource == "Patient" and not entry.prior:
            raise NoIdentity(f"{self.plan.labels[entry.index]} names no patient identifier")
        else:
            self.issues.of_entry(entry, "information", "101", f"{entry.resource} has no number", "no-number")


class _Shared(NamedTuple):
    """What the resources of one `Base` have in common: elements, those that were cleared, and the event's time."""

    resource: dict[str, Any]
    cleared: tuple[str, ...]
    order: str


def _linked_patients(mapped: Mapped) -> list[Mapped]:
    """A Patient that is named only by a link exists too, with the identifier that names it."""
    return [
        Mapped(
            {
                "resourceType": "Patient",
                "id": other["reference"].partition("/")[2],
                "identifier": [other["identifier"]],
            },
            mapped.order,
            fill=True,
            defaults=(),
            cleared=(),
            map=mapped.map,
            patient_id=other["reference"].partition("/")[2],
        )
        for other in (link["other"] for link in mapped.resource.get("link", ()))
    ]
