"""What the files of mappings/segments say, read but not yet compiled.

The grammar is on one page in mappings/README.md: `from to as codes url unless value default refer`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter.mapper.paths import Path2, Place, only_keys, parse_path, rows, several
from adapter.mapper.suggest import nearest
from adapter.yaml_lines import Lines, load

RULE_VERBS = frozenset({"from", "to", "as", "codes", "url", "unless", "value", "default", "refer"})
MAP_KEYS = frozenset(
    {"segment", "resource", "identity", "when", "only", "never", "order", "fields", "ignored", "replaces", "numbered"}
)


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

    @property
    def cleared(self) -> str:
        """What HL7 null takes away: the element; of the extensions of a resource only those of this URL."""
        return ".".join((*self.target, *self.urls[:1]) if self.target == ("extension",) else self.target)


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


def read_segment_map(file: Path, *, base: "SegmentMap | None" = None) -> SegmentMap:
    """Read a segment map; with `base`, a site's file: its rows are added, those named in `replaces:` taken away first.

    Raises:
        MappingError: anything that the grammar does not know, with file and line.
    """
    content = load(file)
    top = Place(file, 1)
    only_keys(content, MAP_KEYS, file)
    segment = str(content.get("segment") or (base.segment if base else ""))
    resource = str(content.get("resource") or (base.resource if base else ""))
    if f"{segment}-{resource}" != file.stem:
        raise top.error(f"the file name must be {segment}-{resource}.yaml, as its segment and resource")
    rules = tuple(_rule(row, file) for row in rows(content, "fields", file))
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


def _paths(content: Lines, key: str, file: Path) -> tuple[Path2, ...]:
    place = Place(file, content.at.get(key, 1))
    return tuple(parse_path(path, place) for path in several(content.get(key, [])))


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
        only_keys(said, frozenset({"from", "as", "system"}), file)
        if "as" in said:
            return Identity(place, ((parse_path(said["from"], place),),), converter=str(said["as"]))
        said, system = said.get("from", []), str(said.get("system", ""))
    owner = ""
    paths: list[tuple[Path2, ...]] = []
    for item in several(said):
        if str(item).isalpha() and not str(item).isupper():
            owner = str(item)
            continue
        paths.append(tuple(parse_path(one.strip(), place) for one in str(item).split("|")))
    if not paths:
        raise place.error("identity: needs at least one path")
    return Identity(place, tuple(paths), owner=owner, system=system)


def _rule(row: Lines, file: Path) -> Rule:
    place = Place(file, row.line)
    only_keys(row, RULE_VERBS, file)
    if "to" not in row:
        raise place.error("a rule needs to:")
    _check_ways(row, place)
    said = row.get("from", [])
    sources = tuple(parse_path(path, place) for path in several(said))
    return Rule(
        place=place,
        target=tuple(str(row["to"]).split(".")),
        sources=sources,
        whole=isinstance(said, list),
        converter=str(row.get("as", "")),
        codes=str(row.get("codes", "")),
        urls=tuple(str(url) for url in several(row.get("url", []))),
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
