"""The catalog: everything under mappings/, read, checked and compiled once at start.

Same files, same catalog. A wrong file stops the start with its name and line (errors.MappingError).
"""

import gc
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from adapter.errors import MappingError
from adapter.fhir import r4
from adapter.hl7v2 import grammar
from adapter.mapper.binding import bind
from adapter.mapper.compiled import Compiled, Reasons
from adapter.mapper.fixes import FIXES
from adapter.mapper.message_maps import MessageMap, Part, read_message_map
from adapter.mapper.paths import Path2, Place
from adapter.mapper.plan import Plan
from adapter.mapper.planning import make_plan
from adapter.mapper.rules import SegmentMap, read_segment_map
from adapter.mapper.sites import Site, Sites, load_sites, standard_site
from adapter.mapper.suggest import nearest
from adapter.yaml_lines import Lines, load

Unread = Mapping[str, frozenset[int]]
"""Per data type, the components that are left out on purpose."""

PlanKey = tuple[str, str, tuple[str, ...]]
MAPPED, KEPT, IGNORED = "mapped", "kept", "ignored"
SEGMENTS_KEPT = 400_000
"""So many segments have all remembered plans of a site together: a bound of memory, about 1 kB each."""

WHOLE_SEGMENT = "*"
_FIELDS = range(1, 100)


@dataclass(frozen=True, slots=True)
class SiteMaps:
    """The segment maps of one site, compiled, with the plans worked out so far."""

    site: Site
    compiled: Mapping[str, Compiled]
    ignored: Reasons
    plans: dict[PlanKey, Plan] = field(default_factory=dict[PlanKey, Plan])
    _kept: list[int] = field(default_factory=lambda: [0])

    def left_out(self, message_map: MessageMap) -> Reasons:
        """By segment name, the fields that are left out on purpose in these messages."""
        if not message_map.ignored:
            return self.ignored
        return {**self.ignored, **{one.segment: dict.fromkeys(_FIELDS, one.reason) for one in message_map.ignored}}

    def plan(self, message_map: MessageMap, version: str, names: tuple[str, ...]) -> Plan:
        """The plan for this sequence of segment names; remembered."""
        key = (message_map.name, version, names)
        plan = self.plans.get(key)
        if plan is None:
            shape = grammar.shape(message_map.structure, version, names)
            plan = make_plan(message_map, self.compiled, shape, names, ignored=self.left_out(message_map))
            self._keep(key, plan)
        return plan

    def _keep(self, key: PlanKey, plan: Plan) -> None:
        if self._kept[0] + len(key[2]) > SEGMENTS_KEPT:
            self.plans.clear()
            self._kept[0] = 0
        self.plans[key] = plan
        self._kept[0] += len(key[2])


@dataclass(frozen=True, slots=True)
class Catalog:
    """All that the core knows about messages and hospitals; `version` is a digest of all files it was read from."""

    sites: Sites
    standard: Site
    messages: Mapping[str, MessageMap]
    kept: frozenset[str]
    ignored: frozenset[str]
    site_maps: Mapping[str, SiteMaps]
    version: str

    def accepts(self, message_type: str, event: str) -> str | None:
        """`mapped`, `kept` (stored, no map yet), `ignored`, or None where the message is to be refused."""
        name = f"{message_type}^{event}"
        if name in self.messages:
            return MAPPED
        if name in self.kept:
            return KEPT
        return IGNORED if name in self.ignored else None

    def knows_type(self, message_type: str) -> bool:
        """Whether any event of this message type is accepted (decides between condition 200 and 201)."""
        names = (*self.messages, *self.kept, *self.ignored)
        return any(name.partition("^")[0] == message_type for name in names)


@contextmanager
def _uncollected() -> Generator[None]:
    """All that is made here stays: to look for garbage in it again and again costs a third of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@_uncollected()
def load_catalog(mappings: Path) -> Catalog:
    """Read and check everything under `mappings`.

    Raises:
        MappingError: the first thing that is wrong, with file and line.
    """
    sites, standard = load_sites(mappings), standard_site(mappings)
    common = {file.stem: read_segment_map(file) for file in sorted((mappings / "segments").glob("*.yaml"))}
    messages: dict[str, MessageMap] = {}
    for file in sorted((mappings / "messages").glob("*.yaml")):
        message_map = read_message_map(file)
        for event, of_event in message_map.by_event().items():
            if event in messages:
                raise message_map.place.error(f"{event} is mapped twice, also in {messages[event].place.file.name}")
            messages[event] = of_event
        for part in message_map.parts:
            _check_part(part, message_map.structure, common)
        _check_identities(message_map, common)
    kept, ignored = _events(mappings / "events.yaml", messages)
    envelope = _envelope(mappings / "envelope.yaml")
    unread = _unread(mappings / "datatypes.yaml")
    site_maps = {site.code: _site_maps(site, common, envelope, unread) for site in (*sites, standard)}
    return Catalog(sites, standard, messages, kept, ignored, site_maps, version(mappings))


def version(mappings: Path) -> str:
    """A short digest of everything under `mappings` that decides what messages become."""
    digest = blake2b(digest_size=6)
    for file in sorted(file for file in mappings.rglob("*") if file.suffix in {".yaml", ".csv"}):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(mappings).as_posix()}\n{len(content)}\n".encode() + content)
    return digest.hexdigest()


def _check_part(part: Part, structure: str, common: Mapping[str, SegmentMap]) -> None:
    if part.map not in common:
        raise part.place.error(f"there is no mappings/segments/{part.map}.yaml{nearest(part.map, common)}")
    if unknown := sorted(name for name in part.groups if not _has_group(structure, name)):
        raise part.place.error(f"in: {structure} has no group {unknown[0]}{nearest(unknown[0], _groups(structure))}")
    for path in (*part.clear, *part.undo):
        try:
            r4.element(f"{common[part.map].resource}.{path}")
        except r4.UnknownElement as error:
            raise part.place.error(f"clear: or undo: {error}") from error


def _check_identities(message_map: MessageMap, common: Mapping[str, SegmentMap]) -> None:
    made = {part.map for part in message_map.parts}
    for one in message_map.identities:
        for key, name in (("old", one.old), ("new", one.new), ("what", one.what)):
            if name and name not in made:
                raise one.place.error(f"{key}: resources: of this file has no {name}")
        old, new = common[one.old].resource, common[one.new].resource
        if old != new:
            raise one.place.error(f"old: and new: must be of one type, not {old} and {new}")


def _has_group(structure: str, name: str) -> bool:
    # Each version costs time at start: the one that is asked first has nearly every group.
    versions = ("2.5.1", *grammar.versions())
    paths = (path for version in versions for path in grammar.structure_segments(structure, version))
    return any(name in path.split(".")[:-1] for path in paths)


def _groups(structure: str) -> set[str]:
    paths = (path for version in grammar.versions() for path in grammar.structure_segments(structure, version))
    return {name for path in paths for name in path.split(".")[:-1]}


def _site_maps(site: Site, common: Mapping[str, SegmentMap], envelope: Reasons, unread: Unread) -> SiteMaps:
    own = {
        file.stem: file
        for file in sorted(site.folder.glob("*.yaml"))
        if file.name != "site.yaml" and site.folder.name != "sites"
    }
    if unknown := [name for name in site.fixes if name not in FIXES]:
        known = ", ".join(FIXES)
        raise MappingError(
            f"fixes: there is no {unknown[0]}; known are {known}{nearest(unknown[0], FIXES)}",
            file=site.folder / "site.yaml",
        )
    for name, file in own.items():
        if name not in common:
            text = f"changes a map that is not in mappings/segments: {name}{nearest(name, common)}"
            raise MappingError(text, file=file, line=1)
    maps = {name: read_segment_map(own[name], base=base) if name in own else base for name, base in common.items()}
    compiled = {name: bind(segment_map, site, unread) for name, segment_map in maps.items()}
    return SiteMaps(site, compiled, envelope)


def _events(file: Path, messages: Mapping[str, MessageMap]) -> tuple[frozenset[str], frozenset[str]]:
    content = load(file)
    found: dict[str, frozenset[str]] = {}
    for key in ("kept", "ignored"):
        rows = content.get(key) or Lines()
        for event in rows:
            if event in messages:
                raise MappingError(f"{event} has a map already", file=file, line=rows.at[event])
        found[key] = frozenset(rows)
    return found["kept"], found["ignored"]


def _envelope(file: Path) -> Reasons:
    """The fields that the envelope (intake and engine) reads, or that are left out, with a reason each."""
    found: dict[str, dict[int, str]] = {}
    for segment, fields in load(file).items():
        for number, reason in fields.items():
            place = Place(file, fields.at[number])
            if number == WHOLE_SEGMENT and reason and grammar.has_path(segment):
                found.setdefault(segment, {}).update(dict.fromkeys(_FIELDS, str(reason)))
                continue
            path = Path2(segment, int(number)) if str(number).isdecimal() else None
            if path is None or not grammar.has_path(str(path)) or not reason:
                raise place.error(f"{segment}-{number} is no field of HL7 v2, or has no reason")
            found.setdefault(segment, {})[path.field] = str(reason)
    return found


def _unread(file: Path) -> Unread:
    """The components of data types that are left out on purpose, with a reason each."""
    found: dict[str, frozenset[int]] = {}
    for datatype, components in load(file).items():
        for number, reason in components.items():
            if not str(number).isdecimal() or not reason or not _has_component(datatype, int(number)):
                place = Place(file, components.at[number])
                raise place.error(f"{datatype}.{number} is no component of HL7 v2, or has no reason")
        found[datatype] = frozenset(map(int, components))
    return found


def _has_component(datatype: str, number: int) -> bool:
    """Whether any version has it; the newest are asked first, which have nearly all."""
    return any(
        one.number == number
        for version in reversed(grammar.versions())
        for one in grammar.datatype_components(datatype, version)
    )
