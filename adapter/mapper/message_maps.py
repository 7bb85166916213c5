"""What the files of mappings/messages say, read but not yet compiled; the grammar is in mappings/README.md."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from adapter.mapper.events import KINDS, MOVE
from adapter.mapper.paths import Place, only_keys, rows
from adapter.mapper.suggest import nearest
from adapter.yaml_lines import Lines, load

MESSAGE_KEYS = frozenset({"structure", "events", "resources", "identities", "ignored"})
LEFT_OUT_KEYS = frozenset({"segment", "on", "reason"})
PART_KEYS = frozenset({"map", "in", "without", "apart", "update", "on", "clear", "undo", "cancels"})
IDENTITY_KEYS = frozenset({"kind", "old", "new", "what", "on"})


@dataclass(frozen=True, slots=True)
class Part:
    """One resource of a message: which segment map, in which groups, beside which segments not, with what authority.

    `events` are those that it holds for (none: all of the file); `clear` the elements that the event takes away, `undo`
    the histories of which it takes the last change back; `cancels` that it takes back what an earlier event said;
    `apart` the segments that it takes nothing from and refers to nothing of.
    """

    place: Place
    map: str
    groups: frozenset[str]
    without: frozenset[str]
    apart: frozenset[str]
    fill: bool
    events: frozenset[str]
    clear: tuple[str, ...]
    undo: tuple[str, ...] = ()
    cancels: bool = False


@dataclass(frozen=True, slots=True)
class IdentityRule:
    """Two identities of a message that it joins, parts, or moves something between: `old` and `new` are segment maps.

    `what` is the map of what a `move` moves; empty: all that is of the old one. `events` as in a `Part`.
    """

    place: Place
    kind: str
    old: str
    new: str
    what: str
    events: frozenset[str]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A segment of which nothing is made, with its reason; `events` as in a `Part`."""

    segment: str
    reason: str
    events: frozenset[str]


@dataclass(frozen=True, slots=True)
class MessageMap:
    """One file `mappings/messages/<STRUCTURE>.yaml`; `name` tells apart what different events make of it."""

    place: Place
    structure: str
    events: tuple[str, ...]
    parts: tuple[Part, ...]
    identities: tuple[IdentityRule, ...]
    ignored: tuple[LeftOut, ...]
    name: str

    def by_event(self) -> Mapping[str, "MessageMap"]:
        """For each event the map with its parts only; events with the same parts share one."""
        made: dict[object, MessageMap] = {}
        found: dict[str, MessageMap] = {}
        for event in self.events:
            parts = tuple(part for part in self.parts if not part.events or event in part.events)
            identities = tuple(one for one in self.identities if not one.events or event in one.events)
            ignored = tuple(one for one in self.ignored if not one.events or event in one.events)
            name = f"{self.structure}/{event}"
            own = replace(self, parts=parts, identities=identities, ignored=ignored, name=name)
            found[event] = made.setdefault((parts, identities, ignored), own)
        return found


def read_message_map(file: Path) -> MessageMap:
    """Read one message map.

    Raises:
        MappingError: anything that the grammar does not know, with file and line.
    """
    content = load(file)
    only_keys(content, MESSAGE_KEYS, file)
    structure = str(content.get("structure", ""))
    if structure != file.stem:
        raise Place(file, 1).error(f"the file name must be {structure}.yaml, as its structure")
    events = tuple(str(event) for event in content.get("events", ()))
    parts = tuple(_part(row, events, file) for row in rows(content, "resources", file))
    if not events or not parts:
        raise Place(file, 1).error("events: and resources: must not be empty")
    identities = tuple(_identity_rule(row, events, file) for row in rows(content, "identities", file))
    ignored = tuple(_left_out(row, events, file) for row in rows(content, "ignored", file))
    return MessageMap(Place(file, 1), structure, events, parts, identities, ignored, structure)


def _part(row: Lines, events: tuple[str, ...], file: Path) -> Part:
    only_keys(row, PART_KEYS, file)
    update = row.get("update", "replace")
    if update not in {"replace", "fill"}:
        raise Place(file, row.at["update"]).error("update: must be replace or fill")
    return Part(
        Place(file, row.line),
        str(row["map"]),
        frozenset(row.get("in", ())),
        frozenset(row.get("without", ())),
        frozenset(row.get("apart", ())),
        update == "fill",
        _on(row, events, file),
        tuple(str(element) for element in row.get("clear", ())),
        tuple(str(element) for element in row.get("undo", ())),
        row.get("cancels", False) is True,
    )


def _identity_rule(row: Lines, events: tuple[str, ...], file: Path) -> IdentityRule:
    only_keys(row, IDENTITY_KEYS, file)
    place = Place(file, row.line)
    if missing := [key for key in ("kind", "old", "new") if key not in row]:
        raise place.error(f"identities: needs {missing[0]}:")
    kind = str(row["kind"])
    if kind not in KINDS:
        raise Place(file, row.at["kind"]).error(f"kind: must be one of {', '.join(KINDS)}")
    if "what" in row and kind != MOVE:
        raise Place(file, row.at["what"]).error("what: says what is moved; only a move has it")
    return IdentityRule(place, kind, str(row["old"]), str(row["new"]), str(row.get("what", "")), _on(row, events, file))


def _left_out(row: Lines, events: tuple[str, ...], file: Path) -> LeftOut:
    only_keys(row, LEFT_OUT_KEYS, file)
    if not (row.get("segment") and row.get("reason")):
        raise Place(file, row.line).error("ignored: needs segment: and reason:")
    return LeftOut(str(row["segment"]), str(row["reason"]), _on(row, events, file))


def _on(row: Lines, events: tuple[str, ...], file: Path) -> frozenset[str]:
    on = {event: name for name in events for event in (name, name.partition("^")[2])}
    if unknown := [str(event) for event in row.get("on", ()) if str(event) not in on]:
        raise Place(file, row.at["on"]).error(f"on: {unknown[0]} is none of events:{nearest(unknown[0], on)}")
    return frozenset(on[str(event)] for event in row.get("on", ()))
