"""What the files of mappings/segments and mappings/messages say, read but not yet compiled.

The grammar is on one page in mappings/README.md: `from to as codes url unless value default refer`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from adapter.mapper.events import KINDS, MOVE
from adapter.mapper.paths import Path2, Place, parse_path
from adapter.mapper.suggest import nearest
from adapter.yaml_lines import Lines, load

RULE_VERBS = frozenset({"from", "to", "as", "codes", "url", "unless", "value", "default", "refer"})
MAP_KEYS = frozenset(
    {"segment", "resource", "identity", "when", "only", "never", "order", "fields", "ignored", "replaces", "numbered"}
)
MESSAGE_KEYS = frozenset({"structure", "events", "resources", "identities", "ignored"})
LEFT_OUT_KEYS = frozenset({"segment", "on", "reason"})
PART_KEYS = frozenset({"map", "in", "without", "apart", "update", "on", "clear", "undo", "cancels"})
IDENTITY_KEYS = frozenset({"kind", "old", "new", "what", "on"})


@dataclass(frozen=True, slots=True)
class Rule:
    """One line under `fields:`. `constant` holds `value` or `default`; `urls` an extension and what it nests."""

    place: Place
    target: tuple[str, ...]
    sources: tuple[Path2, ...] = ()
    whole: bool = False
    converter: str = ""
    codes: str = ""
    urls: tuple[str, ...] = ()
    unless: Path2 | None = None
    constant: Any = None
    is_default: bool = False
    refer: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """How a resource gets its identifier and, from it, its id.

    `paths` is a list of alternatives per part (`OBR-3.1 | PV1-19.1`), joined by `/`;
    with `converter` the first path is converted to an Identifier instead. `system` is that of all hospitals alike;
    empty: each hospital has its own.
    """

    place: Place
    paths: tuple[tuple[Path2, ...], ...]
    converter: str = ""
    owner: str = ""
    system: str = ""


@dataclass(frozen=True, slots=True)
class Choice:
    """What segments a map is about: the paths' texts, joined by `/`, have a row in the table; `because` is a reason.

    No table: the segments in which none of the paths is valued.
    """

    place: Place
    paths: tuple[Path2, ...]
    table: str
    because: str = ""


@dataclass(frozen=True, slots=True)
class SegmentMap:
    """One file `<SEG>-<Resource>.yaml`.

    `when`: paths of which one must be valued, or there is nothing to make; `only`: segments that it is about;
    `never`: segments that say nothing, with the reason.
    """

    name: str
    place: Place
    segment: str
    resource: str
    identity: Identity
    when: tuple[Path2, ...]
    only: Choice | None
    never: Choice | None
    order: tuple[Path2, ...]
    rules: tuple[Rule, ...]
    ignored: Mapping[Path2, str]
    numbered: bool


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


def read_segment_map(file: Path, *, base: "SegmentMap | None" = None) -> SegmentMap:
    """Read a segment map; with `base`, a site's file: its rows are added, those named in `replaces:` taken away first.

    Raises:
        MappingError: anything that the grammar does not know, with file and line.
    """
    content = load(file)
    top = Place(file, 1)
    _only_keys(content, MAP_KEYS, file)
    segment = str(content.get("segment") or (base.segment if base else ""))
    resource = str(content.get("resource") or (base.resource if base else ""))
    if f"{segment}-{resource}" != file.stem:
        raise top.error(f"the file name must be {segment}-{resource}.yaml, as its segment and resource")
    rules = tuple(_rule(row, file) for row in _rows(content, "fields", file))
    identity = _identity(content, file) if "identity" in content else (base.identity if base else None)
    if identity is None:
        raise top.error("identity: is missing")
    order, when = (_paths(content, key, file) for key in ("order", "when"))
    only, never = (_choice(content, key, file) for key in ("only", "never"))
    ignored = dict(base.ignored) if base else {}
    said: Lines = content.get("ignored") or Lines()
    for path, reason in said.items():
        ignored[parse_path(path, Place(file, said.at[path]))] = str(reason)
    if base:
        rules = _kept(base.rules, content, file) + rules
        order, when, only, never = order or base.order, when or base.when, only or base.only, never or base.never
    numbered = bool(content.get("numbered", base.numbered if base else False))
    return SegmentMap(file.stem, top, segment, resource, identity, when, only, never, order, rules, ignored, numbered)


def read_message_map(file: Path) -> MessageMap:
    """Read one message map.

    Raises:
        MappingError: anything that the grammar does not know, with file and line.
    """
    content = load(file)
    _only_keys(content, MESSAGE_KEYS, file)
    structure = str(content.get("structure", ""))
    if structure != file.stem:
        raise Place(file, 1).error(f"the file name must be {structure}.yaml, as its structure")
    events = tuple(str(event) for event in content.get("events", ()))
    parts = tuple(_part(row, events, file) for row in _rows(content, "resources", file))
    if not events or not parts:
        raise Place(file, 1).error("events: and resources: must not be empty")
    identities = tuple(_identity_rule(row, events, file) for row in _rows(content, "identities", file))
    ignored = tuple(_left_out(row, events, file) for row in _rows(content, "ignored", file))
    return MessageMap(Place(file, 1), structure, events, parts, identities, ignored, structure)


def _part(row: Lines, events: tuple[str, ...], file: Path) -> Part:
    _only_keys(row, PART_KEYS, file)
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
    _only_keys(row, IDENTITY_KEYS, file)
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
    _only_keys(row, LEFT_OUT_KEYS, file)
    if not (row.get("segment") and row.get("reason")):
        raise Place(file, row.line).error("ignored: needs segment: and reason:")
    return LeftOut(str(row["segment"]), str(row["reason"]), _on(row, events, file))


def _on(row: Lines, events: tuple[str, ...], file: Path) -> frozenset[str]:
    on = {event: name for name in events for event in (name, name.partition("^")[2])}
    if unknown := [str(event) for event in row.get("on", ()) if str(event) not in on]:
        raise Place(file, row.at["on"]).error(f"on: {unknown[0]} is none of events:{nearest(unknown[0], on)}")
    return frozenset(on[str(event)] for event in row.get("on", ()))


def _paths(content: Lines, key: str, file: Path) -> tuple[Path2, ...]:
    place = Place(file, content.at.get(key, 1))
    return tuple(parse_path(path, place) for path in _several(content.get(key, [])))


def _choice(content: Lines, key: str, file: Path) -> Choice | None:
    if key not in content:
        return None
    said, place = content[key], Place(file, content.at[key])
    ways = [{"from", "codes"}] if key == "only" else [{"from", "codes", "because"}, {"without", "because"}]
    if not isinstance(said, Lines) or set(said) not in ways:
        raise place.error(f"{key}: needs {' or '.join(', '.join(sorted(way)) for way in ways)}")
    paths = _paths(said, "from" if "from" in said else "without", file)
    return Choice(place, paths, str(said.get("codes", "")), str(said.get("because", "")))


def _kept(rules: tuple[Rule, ...], content: Lines, file: Path) -> tuple[Rule, ...]:
    replaced = {tuple(str(target).split(".")) for target in content.get("replaces", ())}
    if unknown := replaced - {rule.target for rule in rules}:
        names = ", ".join(sorted(".".join(target) for target in unknown))
        near = nearest(names, {".".join(rule.target) for rule in rules})
        raise Place(file, content.at["replaces"]).error(f"replaces: no row of the common map writes {names}{near}")
    return tuple(rule for rule in rules if rule.target not in replaced)


def _identity(content: Lines, file: Path) -> Identity:
    place = Place(file, content.at["identity"])
    said = content["identity"]
    system = ""
    if isinstance(said, Lines):
        _only_keys(said, frozenset({"from", "as", "system"}), file)
        if "as" in said:
            return Identity(place, ((parse_path(said["from"], place),),), converter=str(said["as"]))
        said, system = said.get("from", []), str(said.get("system", ""))
    owner = ""
    paths: list[tuple[Path2, ...]] = []
    for item in _several(said):
        if str(item).isalpha() and not str(item).isupper():
            owner = str(item)
            continue
        paths.append(tuple(parse_path(one.strip(), place) for one in str(item).split("|")))
    if not paths:
        raise place.error("identity: needs at least one path")
    return Identity(place, tuple(paths), owner=owner, system=system)


def _rule(row: Lines, file: Path) -> Rule:
    place = Place(file, row.line)
    _only_keys(row, RULE_VERBS, file)
    if "to" not in row:
        raise place.error("a rule needs to:")
    _check_ways(row, place)
    said = row.get("from", [])
    sources = tuple(parse_path(path, place) for path in _several(said))
    return Rule(
        place=place,
        target=tuple(str(row["to"]).split(".")),
        sources=sources,
        whole=isinstance(said, list),
        converter=str(row.get("as", "")),
        codes=str(row.get("codes", "")),
        urls=tuple(str(url) for url in _several(row.get("url", []))),
        unless=parse_path(row["unless"], place) if "unless" in row else None,
        constant=row.get("value", row.get("default")),
        is_default="default" in row,
        refer=str(row.get("refer", "")),
    )


def _check_ways(row: Lines, place: Place) -> None:
    ways = {verb for verb in ("as", "codes", "value", "default", "refer") if verb in row}
    if len(ways) != 1 and ways not in ({"as", "codes"}, {"as", "refer"}):
        raise place.error("a rule needs exactly one of as: codes: value: default: refer:, or as: with codes: or refer:")
    takes_source = bool(ways & {"as", "codes"})
    if takes_source != ("from" in row):
        raise place.error(f"{min(ways)}: {'needs' if takes_source else 'takes no'} from:")
    if "url" in row and "as" not in row:
        raise place.error("url: needs as:")


def _rows(content: Lines, key: str, file: Path) -> list[Lines]:
    rows = _several(content.get(key) or [])
    if not all(isinstance(row, Lines) for row in rows):
        raise Place(file, content.at.get(key, 1)).error(f"{key}: must be a list of mappings")
    return rows


def _several(said: Any) -> list[Any]:
    return cast("list[Any]", said) if isinstance(said, list) else [said]


def _only_keys(content: Lines, known: frozenset[str], file: Path) -> None:
    for key in content:
        if key not in known:
            text = f"unknown key {key!r}; known are {', '.join(sorted(known))}{nearest(key, known)}"
            raise Place(file, content.at[key]).error(text)
