"""Segment maps compiled to Python: one generated function per map and site, no YAML left at run time.

The generated function reads raw field texts; each rule has a memo from raw text to what it makes, so that a
code, a unit or a name that was seen before costs one dictionary look-up. What is made is shared: never mutate it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from adapter.hl7v2.message import LONGEST_SPLIT_KEPT, NULL, Delimiters, Field, Repetition, Segment, split_field
from adapter.mapper.datatypes import CONVERTERS
from adapter.mapper.datatypes.doubt import Doubt
from adapter.mapper.rules import Path2, Rule, SegmentMap
from adapter.mapper.sites import Site

STANDARD = Delimiters("|", "^", "~", "\\", "&", None)
CLEARED = Doubt(None, "0", "", "cleared")
MEMO_LIMIT = 20_000

Slot = tuple[str, bool]
"""What a map reads: a segment name, and whether all such segments of the group are meant or the nearest."""

Reads = Mapping[int, frozenset[int] | None]
"""The fields of a segment that some rule reads: None is the whole field, else these components."""

Reasons = Mapping[str, Mapping[int, str]]
"""By segment name, the fields that are left out whatever the map, each with the reason (envelope.yaml)."""

Made = tuple[Any, Doubt | None]
Slots = list[Any]
Build = Callable[[Slots, dict[str, Any], list[tuple[int, Doubt]]], None]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A segment map bound to one site.

    `slots` names what `build` expects in its list: slot 0 is the map's own segment; each is the tuple of raw fields
    of one segment, or, for a bare source such as `NTE`, the tuple of segments.
    """

    map: SegmentMap
    slots: tuple[Slot, ...]
    build: Build
    identify: Callable[[Slots], tuple[str, str] | None]
    event_time: Callable[[Slots], str]
    defaults: tuple[tuple[tuple[str, ...], Any], ...]
    required: tuple[tuple[str, ...], ...]
    names_identifier: bool
    reads: Mapping[Slot, Reads]
    repeats: Mapping[tuple[str, ...], bool]


@dataclass(frozen=True, slots=True)
class Maker:
    """What a rule makes of its source; `memo` holds what it made before, and the generated code looks there first."""

    make: Callable[[Any], Made]
    memo: dict[Any, Made] | None = None


def slot_order(segment_map: SegmentMap) -> tuple[Slot, ...]:
    """The segments that a map reads, its own first; the flag says all of the group instead of the nearest."""
    slots: dict[Slot, None] = {(segment_map.segment, False): None}
    for path in [*_rule_paths(segment_map), *segment_map.order, *_identity_paths(segment_map), Path2("MSH", 7)]:
        slots.setdefault((path.segment, not path.field), None)
    return tuple(slots)


def _rule_paths(segment_map: SegmentMap) -> list[Path2]:
    paths = [path for rule in segment_map.rules for path in rule.sources]
    return paths + [rule.unless for rule in segment_map.rules if rule.unless]


def _identity_paths(segment_map: SegmentMap) -> list[Path2]:
    return [path for alternatives in segment_map.identity.paths for path in alternatives]


def reads(segment_map: SegmentMap) -> Mapping[Slot, Reads]:
    """Per slot, the fields that some rule reads; None = whole, else the components."""
    found: dict[Slot, dict[int, frozenset[int] | None]] = {}
    for rule in segment_map.rules:
        converter = CONVERTERS.get(rule.converter)
        components = frozenset({1}) if rule.codes else converter.reads if converter else None
        for path in rule.sources:
            if path.field:
                _note(found, path, components)
            else:
                fields = converter.fields if converter else ()
                found.setdefault((path.segment, True), {}).update(dict.fromkeys(fields))
    for path in (*_identity_paths(segment_map), *segment_map.ignored):
        _note(found, path, None)
    return found


def _note(found: dict[Slot, dict[int, frozenset[int] | None]], path: Path2, components: frozenset[int] | None) -> None:
    fields = found.setdefault((path.segment, False), {})
    wanted = frozenset({path.component}) if path.component else components
    known = fields.get(path.field, frozenset[int]())
    fields[path.field] = None if wanted is None or known is None else wanted | known


def single(convert: Callable[[Repetition], Any], component: int, *, many: bool) -> Maker:
    """A memoised converter of one raw field: every repetition when the target repeats, else the first."""
    memo: dict[str, Made] = {}

    def make(raw: str) -> Made:
        made = CLEARED_MADE if raw == NULL else _convert_field(split_field(raw, STANDARD), convert, component, many)
        if len(memo) >= MEMO_LIMIT:
            memo.clear()
        if len(raw) <= LONGEST_SPLIT_KEPT:
            memo[raw] = made
        return made

    return Maker(make, memo)


CLEARED_MADE: Made = (None, CLEARED)


def _convert_field(field: Field, convert: Callable[[Repetition], Any], component: int, many: bool) -> Made:  # noqa: FBT001
    doubt: Doubt | None = None
    values: list[Any] = []
    for repetition in field if many else field[:1]:
        part = repetition if not component else repetition[component - 1 : component]
        if not any(any(component) for component in part):
            continue
        value, doubted = _parted(convert(part))
        doubt = _both(doubt, doubted) if doubt and doubted else doubted or doubt
        if value is not None:
            values += cast("list[Any]", value) if isinstance(value, list) and many else [value]
    if not many and len(field) > 1 and doubt is None:
        doubt = Doubt(None, "102", "only the first repetition fits the FHIR element", "repetition-left-out")
    return (values or None, doubt) if many else (values[0] if values else None, doubt)


def _both(one: Doubt, other: Doubt) -> Doubt:
    """The later doubt, with what both sent that has no row."""
    return replace(other, sent=one.sent + other.sent)


def several(convert: Callable[..., Any], *, many: bool) -> Maker:
    """A memoised converter of several raw fields at once."""
    memo: dict[tuple[str, ...], Made] = {}

    def make(raws: tuple[str, ...]) -> Made:
        value, doubt = _parted(convert(*[split_field(raw, STANDARD) if raw and raw != NULL else () for raw in raws]))
        if len(memo) >= MEMO_LIMIT:
            memo.clear()
        made = (_listed(value) if many else value, doubt)
        if len(raws[0]) <= LONGEST_SPLIT_KEPT:
            memo[raws] = made
        return made

    return Maker(make, memo)


def group(convert: Callable[[tuple[Segment, ...]], Any], *, many: bool) -> Maker:
    """A converter of all segments of one name in the group."""

    def make(segments: tuple[Segment, ...]) -> Made:
        value, doubt = _parted(convert(segments))
        return _listed(value) if many else value, doubt

    return Maker(make)


def _parted(converted: Any) -> Made:
    return (converted.value, converted) if isinstance(converted, Doubt) else (converted, None)


def _listed(value: Any) -> Any:
    return value if value is None or isinstance(value, list) else [value]  # pyright: ignore[reportUnknownVariableType]


def generate(segment_map: SegmentMap, site: Site, many: Callable[[Rule], bool], coded: Callable[[Rule], Any]) -> Build:
    """Write and compile the function that builds one resource from its slots.

    Args:
        segment_map: the rules.
        site: whose tables the converters are bound to.
        many: whether the target of a rule repeats.
        coded: the converter of a `codes:` rule.
    """
    slots = {slot: number for number, slot in enumerate(slot_order(segment_map))}
    lines = ["def build(S, out, doubts):"]
    lines += [f"    f{n} = S[{n}]; n{n} = len(f{n})" for slot, n in slots.items() if not slot[1]]
    names: dict[str, Any] = {}
    for number, rule in enumerate(segment_map.rules):
        if rule.refer or rule.is_default:
            continue
        lines += _Writer(number, rule, slots, names).lines(_convert(rule, site, coded), many=many(rule))
    lines.append("    return None")
    exec(compile("\n".join(lines), f"<{segment_map.name}>", "exec"), names)  # noqa: S102  (our own text)
    return names["build"]


def _convert(rule: Rule, site: Site, coded: Callable[[Rule], Any]) -> Any:
    if not rule.sources:
        return None
    if rule.codes:
        return coded(rule)
    return CONVERTERS[rule.converter].bind(site, tuple(str(path) for path in rule.sources))


class _Writer:
    """Writes the lines of one rule."""

    def __init__(self, number: int, rule: Rule, slots: Mapping[Slot, int], names: dict[str, Any]) -> None:
        self.number, self.rule, self.slots, self.names = number, rule, slots, names

    def lines(self, convert: Any, *, many: bool) -> list[str]:
        rule, number, pad = self.rule, self.number, "    "
        lines: list[str] = []
        if rule.unless:
            lines.append(f"{pad}if not ({self._raw(rule.unless)}):")
            pad += "    "
        if not rule.sources:
            self.names[f"V{number}"] = [rule.constant] if many else rule.constant
            return [*lines, *self._store(pad, f"V{number}", many=many)]
        maker, key = self._maker(convert, many=many)
        self.names[f"K{number}"], self.names[f"M{number}"] = maker.make, maker.memo
        lines.append(f"{pad}r = {key}")
        lines.append(f"{pad}if r{' != ' + repr(('',) * len(rule.sources)) if len(rule.sources) > 1 else ''}:")
        pad += "    "
        got = f"K{number}(r)" if maker.memo is None else f"M{number}.get(r) or K{number}(r)"
        lines.append(f"{pad}v, d = {got}")
        lines.append(f"{pad}if d is not None: doubts.append(({number}, d))")
        lines.append(f"{pad}if v is not None:")
        return [*lines, *self._store(pad + "    ", "v", many=many)]

    def _maker(self, convert: Any, *, many: bool) -> tuple[Maker, str]:
        first = self.rule.sources[0]
        if not first.field:
            return group(convert, many=many), f"S[{self.slots[first.segment, True]}]"
        if self.rule.whole:
            keys = ", ".join(self._raw(path) for path in self.rule.sources)
            return several(convert, many=many), f"({keys},)"
        return single(convert, first.component, many=many), self._raw(first)

    def _raw(self, path: Path2) -> str:
        slot = self.slots[path.segment, False]
        return f"f{slot}[{path.field}] if n{slot} > {path.field} else ''"

    def _store(self, pad: str, value: str, *, many: bool) -> list[str]:
        *parents, last = self.rule.target
        lines: list[str] = []
        holder = "out"
        for parent in parents:
            lines.append(f"{pad}p = {holder}.get({parent!r})")
            lines.append(f"{pad}if p is None: p = {holder}[{parent!r}] = {{}}")
            holder = "p"
        if last.endswith("[x]"):
            return [*lines, f"{pad}{holder}.update({value})"]
        if many:
            return [
                *lines,
                f"{pad}{holder}[{last!r}] = {holder}[{last!r}] + {value} if {last!r} in {holder} else {value}",
            ]
        return [*lines, f"{pad}{holder}[{last!r}] = {value}"]
