"""The engine: the segments of one message and a plan give resources, issues and the ledger. Pure.

Ids come first (a resource may refer to any other of its message), then each resource is built by its compiled
map; what a map cannot say is in a named converter, never here.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from adapter.errors import NoIdentity
from adapter.hl7v2.message import Message, Segment
from adapter.mapper.compiled import Compiled, Reasons
from adapter.mapper.datatypes.doubt import Sent
from adapter.mapper.events import IdentityEvent
from adapter.mapper.happened import happened
from adapter.mapper.ids import resource_id
from adapter.mapper.ledger import Ledger
from adapter.mapper.makers import CLEARED, DEFAULTED, Doubts
from adapter.mapper.mapped import Mapped
from adapter.mapper.plan import Entry, Plan, Reference

__all__ = ["Issue", "Mapped", "Outcome", "map_message"]


_REPEATED = "what it is known by stands twice in the message: told apart by position"


MISSING = "101"
"""HL7 table 0357: what is missing is named itself, and not the first source that is there."""


class Issue(NamedTuple):
    """Something that a person should know; `text` never holds a value of the message."""

    severity: str
    code: str
    path: str
    text: str
    rule: str
    kind: str


@dataclass(frozen=True, slots=True)
class Missing:
    """What was sent at a path and has no row; `kind` is that of the issue. It holds values of the message."""

    path: str
    kind: str
    sent: Sent


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
    maps: Mapping[str, Compiled],
    *,
    ignored: Reasons,
) -> Outcome:
    """Follow the plan.

    Args:
        message: as parsed (for lineage).
        segments: those to map, in standard delimiters, after the site's fixes.
        plan: what to make, for exactly this sequence of segment names.
        maps: the compiled segment maps of the site.
        ignored: per segment name the fields that are left out on purpose (for the ledger).

    Raises:
        NoIdentity: the patient of the message has no identifier.
    """
    run = _Run(segments, plan, maps)
    built = run.build_all()
    identities, stated = happened(plan, maps, built) if plan.identities else ((), built)
    resources: list[Mapped] = []
    for made, now in zip(built, stated, strict=True):
        if made and now:
            resources.append(now)
            if "link" in made.resource:
                resources += _linked_patients(made)
    ledger = Ledger(message, segments, plan, maps, stated, ignored, run.dropped)
    return Outcome(tuple(resources), tuple(run.issues), ledger, identities, tuple(run.missing))


class _Run:
    """One conversion under way: slots filled, ids known, issues collected."""

    def __init__(self, segments: Sequence[Segment], plan: Plan, maps: Mapping[str, Compiled]) -> None:
        self.segments, self.plan, self.maps = segments, plan, maps
        self.issues: list[Issue] = []
        self.missing: list[Missing] = []
        fields = [segment.fields for segment in segments]
        self.shared: list[list[Any]] = [[() if at is None else fields[at] for at in base.shared] for base in plan.bases]
        self.slots: list[list[Any]] = [
            [fields[one.index], *[tuple(map(segments.__getitem__, at)) for at in one.groups], *self.shared[one.base]]
            for one in plan.entries
        ]
        self.repeated: set[int] = set()
        self.dropped = frozenset(
            number
            for number, entry in enumerate(plan.entries)
            if (dropped := maps[entry.map].dropped) and dropped(self.slots[number])
        )
        self.wanted = [
            number not in self.dropped and ((wanted := maps[entry.map].wanted) is None or wanted(self.slots[number]))
            for number, entry in enumerate(plan.entries)
        ]
        self.identifiers = self._identifiers()
        self.ids = [
            resource_id(entry.resource, *identifier) if identifier else None
            for entry, identifier in zip(plan.entries, self.identifiers, strict=True)
        ]
        self.references = [
            {"reference": f"{entry.resource}/{one}"} if one else None
            for entry, one in zip(plan.entries, self.ids, strict=True)
        ]

    def _identifiers(self) -> list[tuple[str, str] | None]:
        found: list[tuple[str, str] | None] = []
        seen: dict[tuple[str, tuple[str, str]], int] = {}
        entries = self.plan.entries
        own = [
            self.maps[entry.map].identify(self.slots[number]) if self.wanted[number] else None
            for number, entry in enumerate(entries)
        ]
        for entry, one in zip(entries, own, strict=True):
            identifier = one
            if identifier and entry.owner is not None:
                owner = own[entry.owner]
                identifier = (identifier[0], f"{owner[1]}/{identifier[1]}") if owner else None
            if identifier and self.maps[entry.map].map.numbered:
                key = (entry.resource, identifier)
                seen[key] = times = seen.get(key, 0) + 1
                if times > 1:
                    identifier = (identifier[0], f"{identifier[1]}#{times}")
                    self.repeated.add(len(found))
            found.append(identifier)
        return found

    def build_all(self) -> list[Mapped | None]:
        """Build every entry; anew where one could not be made, so that nothing refers to it."""
        while True:
            bases = [self._base(number) for number in range(len(self.plan.bases))]
            built = [self.build(number, entry, bases[entry.base]) for number, entry in enumerate(self.plan.entries)]
            if None not in built:
                return built
            lost = [number for number, made in enumerate(built) if made is None and self.references[number]]
            if not lost:
                return built
            for number in lost:
                self.references[number] = None
            self.issues.clear()
            self.missing.clear()

    def _base(self, number: int) -> "_Shared":
        base, first = self.plan.bases[number], self.plan.firsts[number]
        compiled = self.maps[base.map]
        out: dict[str, Any] = {"resourceType": compiled.map.resource, "id": ""}
        doubts: Doubts = []
        slots = [*[()] * compiled.own, *self.shared[number]]
        compiled.shared(slots, out, doubts)
        for reference in base.references:
            element = reference.target[0]
            if len(reference.target) > 1:
                found = [*self._items(compiled, reference)]
                found = out.get(element, []) + found
            else:
                found = [made for target in reference.entries if (made := self.references[target])]
            if found:
                out[element] = found if reference.many else found[0]
        cleared = self._doubts(first, compiled, doubts)[1] if doubts else ()
        return _Shared(out, cleared, compiled.event_time(slots) if compiled.shares_event_time else "")

    def _items(self, compiled: Compiled, reference: Reference) -> Iterator[dict[str, Any]]:
        """One item for each resource that is referred to, with what its own segment says beside the reference."""
        details = compiled.details.get(reference.rule)
        for target, at in zip(reference.entries, reference.segments, strict=True):
            refers = self.references[target]
            if refers and details:
                raws = tuple(self.segments[at].raw(path.field) for path in details.rule.sources)
                doubts: Doubts = []
                more: dict[str, Any] = details.maker.make(raws, doubts) or {}
                path = f"{self.plan.labels[at]}{str(details.rule.sources[0])[3:]}"
                rule = str(details.rule.place)
                self.issues += [Issue("warning", one.code, path, one.text, rule, one.kind) for _, one in doubts]
                self.missing += [Missing(path, one.kind, sent) for _, one in doubts for sent in one.sent]
                yield {reference.target[1]: refers, **more}
            elif refers:
                yield {reference.target[1]: refers}

    def build(self, number: int, entry: Entry, base: "_Shared") -> Mapped | None:
        """Build the resource of one entry; None (with an issue) where FHIR requires what the message lacks."""
        compiled, slots, resource_id_ = self.maps[entry.map], self.slots[number], self.ids[number]
        if resource_id_ is None:
            if self.wanted[number]:
                self._no_identity(entry)
            elif number in self.dropped:
                self._left_out(entry, compiled)
            return None
        out = base.resource.copy()
        out["id"] = resource_id_
        if compiled.names_identifier:
            system, value = self.identifiers[number] or ("", "")
            named: Any = {"system": system, "value": value}
            out["identifier"] = [named] if compiled.numbers else named
        if number in self.repeated:
            self.issues.append(Issue("warning", "205", self._at(entry, 0), _REPEATED, entry.map, "repeated"))
        doubts: Doubts = []
        missing = compiled.build(slots, out, doubts)
        defaults, cleared = self._doubts(entry, compiled, doubts) if doubts else ((), ())
        cleared = (*cleared, *base.cleared, *entry.clear) if cleared or base.cleared else entry.clear
        if missing:
            text = f"{entry.resource} not made: FHIR requires {missing}"
            self.issues.append(Issue("error", "101", self._at(entry, 0), text, entry.map, "incomplete"))
            return None
        patient = self.ids[entry.patient] if entry.patient is not None else None
        order = base.order or compiled.event_time(slots)
        back = (entry.undo, entry.cancels)
        return Mapped(out, order, entry.fill, defaults, cleared, entry.map, patient, *back)

    def _left_out(self, entry: Entry, compiled: Compiled) -> None:
        never = compiled.map.never
        reason = never.because if never else ""
        self.issues.append(Issue("information", "0", self._at(entry, 0), reason, entry.map, "left-out"))

    def _no_identity(self, entry: Entry) -> None:
        if entry.resource == "Patient" and not entry.prior:
            raise NoIdentity(f"{self._at(entry, 0)} names no patient identifier")
        self.issues.append(
            Issue("information", "101", self._at(entry, 0), f"{entry.resource} has no number", entry.map, "no-number")
        )

    def _doubts(self, entry: Entry, compiled: Compiled, doubts: Doubts) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Tell what is doubtful; return the elements that were set by default, and those that were cleared."""
        defaults: list[str] = []
        cleared: list[str] = []
        for number, doubt in doubts:
            if doubt is CLEARED or doubt is DEFAULTED:
                target = ".".join(compiled.map.rules[number].target)
                (cleared if doubt is CLEARED else defaults).append(target)
                continue
            place, sources = compiled.told[number]
            meant = sources[doubt.source : doubt.source + 1] if doubt.code == MISSING else sources[doubt.source :]
            path = self._doubted(entry, meant or sources)
            if doubt.text:
                self.issues.append(Issue("warning", doubt.code, path, doubt.text, place, doubt.kind))
            self.missing += [Missing(path, doubt.kind, sent) for sent in doubt.sent]
        return tuple(defaults), tuple(cleared)

    def _doubted(self, entry: Entry, sources: Sequence[tuple[int, int, str]]) -> str:
        """The first source that the message has: of several that a rule takes the others may be absent."""
        slot, _, suffix = next((one for one in sources if self._valued(entry, *one[:2])), sources[0])
        return self._at(entry, slot) + suffix

    def _valued(self, entry: Entry, slot: int, field: int) -> bool:
        filled = self.plan.filled(entry, slot)
        return bool(filled) and (not field or bool(self.segments[filled[0]].raw(field)))

    def _at(self, entry: Entry, slot: int) -> str:
        """The segment of a slot with its occurrence: `OBX[3]`."""
        filled = self.plan.filled(entry, slot)
        return self.plan.labels[filled[0]] if filled else self.maps[entry.map].slots[slot][0]


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
