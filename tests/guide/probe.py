"""One small message per guide row: what becomes of the field."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from adapter.convert import convert
from adapter.errors import AdapterError
from adapter.hl7v2 import grammar
from adapter.mapper.compiled import Compiled
from adapter.mapper.ledger import Lineage
from adapter.mapper.message_maps import MessageMap, Part
from adapter.mapper.paths import Path2
from tests.guide import samples
from tests.guide.guide import Row, code_of
from tests.guide.samples import Sketch
from tests.mappings import catalog

MAPPED = "mapped"
FOLLOWERS = frozenset({"NTE", "PRT", "ROL"})
"""They belong to the segment that they follow."""


@dataclass(frozen=True, slots=True)
class Way:
    """A message that can show a row: its event, structure, version, and where in it the map and the field stand."""

    event: str
    structure: str
    version: str
    anchor: str
    path: str
    map: str


def maps() -> Mapping[str, Compiled]:
    """The segment maps as a sender without a site has them."""
    return catalog().site_maps[catalog().standard.code].compiled


def outcome(row: Row) -> str:
    """What becomes of the field of a row.

    Returns:
        `mapped`, or why not, with the reason that a map gives for leaving the field out after `ignored: `.
    """
    said = "no map of this project makes this resource of this segment"
    for way in ways(row.resource, row.segment, row.number):
        said = _tried(row, way)
        if said == MAPPED:
            break
    if said == MAPPED:
        return said
    path = Path2(row.segment, row.number)
    # What another resource leaves out says nothing of a segment that follows this one, nor of what this one reads.
    own = row.segment in FOLLOWERS or said.startswith("elsewhere: ")
    given = (one.map for one in maps().values() if not own or one.map.resource == row.resource)
    reason = next((one.ignored[path] for one in given if path in one.ignored), "")
    return f"ignored: {reason}" if reason else said


@cache
def ways(resource: str, segment: str, number: int) -> tuple[Way, ...]:
    """The smallest message for each map that can show a field of a segment in a resource; the smallest comes first."""
    found = sorted(_ways(resource, segment, number), key=lambda one: one[0])
    first: dict[str, Way] = {}
    for _, way in found:
        first.setdefault(way.map, way)
    return tuple(first.values())


def _ways(resource: str, segment: str, number: int) -> Iterator[tuple[tuple[int, int], Way]]:
    for event, message_map in catalog().messages.items():
        for part in message_map.parts:
            compiled = maps()[part.map]
            sources = {path.segment for rule in compiled.map.rules for path in rule.sources}
            if compiled.map.resource != resource or segment not in {compiled.map.segment, *sources}:
                continue
            for version in reversed(grammar.versions()):
                if segment != "MSH" and number not in _numbers(segment, version):
                    continue
                if way := _place(event, message_map, part, version, segment):
                    yield (len(grammar.structure_segments(message_map.structure, version)), len(event)), way
                    break


@cache
def _numbers(segment: str, version: str) -> frozenset[int]:
    return frozenset(one.number for one in grammar.segment_fields(segment, version))


def _place(event: str, message_map: MessageMap, part: Part, version: str, segment: str) -> Way | None:
    kind, _, trigger = event.partition("^")
    structure = grammar.structure(kind, trigger, version)
    if structure is None or structure != message_map.structure:
        return None
    paths = list(grammar.structure_segments(structure, version))
    anchor_name = maps()[part.map].map.segment
    anchors = [path for path in paths if path.rpartition(".")[2] == anchor_name and _within(path, part)]
    if not anchors:
        return None
    anchor = anchors[0]
    of_segment = [path for path in paths if path.rpartition(".")[2] == segment]
    if not of_segment:
        return None
    if segment in FOLLOWERS:
        of_segment = [path for path in of_segment if path.rpartition(".")[0] == anchor.rpartition(".")[0]]
        if not of_segment:
            return None
    path = anchor if segment == anchor_name else max(of_segment, key=lambda one: (_shared(one, anchor), -len(one)))
    return Way(event, message_map.structure, version, anchor, path, part.map)


def _within(path: str, part: Part) -> bool:
    return not part.groups or bool(part.groups & set(path.split(".")[-2:-1]))


def _shared(one: str, other: str) -> int:
    groups, others = one.split(".")[:-1], other.split(".")[:-1]
    return sum(1 for a, b in zip(groups, others, strict=False) if a == b)


def _tried(row: Row, way: Way) -> str:
    made = message(row, way)
    try:
        converted = convert(made.text(), catalog=catalog(), site=catalog().standard)
    except AdapterError as refused:
        return f"refused: {type(refused).__name__}"
    unread = [one.path for one in converted.ledger.unmapped() if one.path.partition(".")[0] == row.field]
    if unread:
        return "no rule reads the field" if row.field in unread else f"not read: {', '.join(unread)}"
    lines = [line for line in converted.ledger.lineage() if _field(line) == row.field]
    wanted = [(row.resource, row.path), *([row.inner] if row.inner else [])]
    if any(
        line.resource.startswith(f"{kind}/") and leads(line.element, path) for kind, path in wanted for line in lines
    ):
        return MAPPED
    elements = sorted({f"{line.resource.partition('/')[0]}.{line.element}" for line in lines})
    return f"elsewhere: {', '.join(elements)}" if elements else "read, but it makes no element of this message"


def message(row: Row, way: Way) -> Sketch:
    """The message with just the field of the row, beside what identity needs."""
    known = grammar.structure_segments(way.structure, way.version)
    patient = [path for path in known if path.rpartition(".")[2] == "PID"][:1]
    visit = [path for path in known if path.rpartition(".")[2] == "PV1"][:1] if row.resource == "Encounter" else []
    made = samples.sketch(way.event, way.structure, way.version, [*patient, *visit, way.anchor, way.path])
    number = row.number
    fields = made.of(row.segment)
    field = next((one for one in grammar.segment_fields(row.segment, way.version) if one.number == number), None)
    samples.meet(made, row.condition, (row.segment, number))
    datatype = fields.get(2, "ST") if row.field == "OBX-5" else field.datatype if field else row.datatype
    code = code_of(row.vocabulary) or _own_code(row, way.map)
    if row.segment != "MSH" or number not in {3, 4, 9, 10, 11, 12}:
        base = samples.BASE.get(row.segment, {}).get(number, "") if row.field != "OBX-5" else ""
        made.of(row.segment)[number] = (
            base if base and not code else samples.sample(datatype, code, table=(field.table or "") if field else "")
        )
    samples.meet(made, row.condition, (row.segment, number))
    return made


def _own_code(row: Row, name: str) -> str:
    """A code that the project's own table for the field has, where the guide names none."""
    table: Mapping[str, object] = catalog().standard.table(row.field)
    for rule in maps()[name].map.rules:
        if rule.codes and any(str(path).partition(".")[0] == row.field for path in rule.sources):
            table = catalog().standard.table(rule.codes)
    return next((code for code, concept in table.items() if getattr(concept, "targets", ())), "")


def _field(line: Lineage) -> str:
    """`OBX[2]-5.1` → `OBX-5`."""
    segment, _, rest = line.path.partition("-")
    return f"{segment.partition('[')[0]}-{rest.partition('.')[0]}"


def leads(element: str, wanted: tuple[str, ...]) -> bool:
    """Whether an element of ours is the guide's, holds it, or is a part of it; `value[x]` is each of its choices."""
    own = [part.removeprefix("_") for part in element.split(".")]
    return all(
        a == b or (a.endswith("[x]") and b.startswith(a[:-3])) or (b.endswith("[x]") and a.startswith(b[:-3]))
        for a, b in zip(own, wanted, strict=False)
    )
