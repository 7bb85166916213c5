"""Writes the Python that builds a resource: no YAML is interpreted, and no name looked up, while messages are mapped.

Of the segments that a map reads beside its own, neighbours read the same: all OBX of an order have one OBR. What
they alone give (`shared`) is therefore made once for all of them, the rest (`build`) for each. Most messages lack most
of these segments: `build` is written anew for those that are there, and asks nothing of the others.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import groupby
from types import CodeType
from typing import Any, NamedTuple

from adapter.fhir import r4
from adapter.fhir.r4 import Element
from adapter.mapper.compiled import Build, Details, components_read, slot_order
from adapter.mapper.datatypes import CONVERTERS, Bound
from adapter.mapper.datatypes.converter import Need
from adapter.mapper.datatypes.cwe import BY
from adapter.mapper.datatypes.doubt import Doubt, without_doubt
from adapter.mapper.makers import DEFAULTED, Maker, group, mixed, several, single
from adapter.mapper.paths import Path2
from adapter.mapper.rules import Rule, SegmentMap
from adapter.mapper.sites import Site

Elements = Mapping[tuple[str, ...], Element]
"""What the targets of a map are in FHIR."""


@dataclass(frozen=True, slots=True)
class Builders:
    """The two functions of a map, the second by the slots that are empty.

    It gives the name of an element that FHIR requires and that was not made.
    """

    shared: Build
    build: Callable[[frozenset[int]], Build]


def generate(segment_map: SegmentMap, site: Site, elements: Elements, coded: Callable[[Rule], Any]) -> Builders:
    """Write and compile the functions that build one resource from its slots.

    Args:
        segment_map: the rules.
        site: whose tables the converters are bound to.
        elements: the targets of the rules.
        coded: the converter of a `codes:` rule.

    Raises:
        MappingError: an element that FHIR requires is written by no rule.
    """
    rules = {n: rule for n, rule in enumerate(segment_map.rules) if not rule.refer and not rule.is_default}
    own = _own(rules, elements, segment_map.segment)
    writer = _Writer(segment_map, elements)
    for number, rule in rules.items():
        writer.bind(number, rule, _convert(rule, site, coded))
    given, end = {number: rules[number] for number in sorted(own)}, writer.end()

    @cache
    def build(absent: frozenset[int]) -> Build:
        return writer.function(given, end, absent)

    return Builders(writer.function({number: rule for number, rule in rules.items() if number not in own}), build)


def _own(rules: Mapping[int, Rule], elements: Elements, segment: str) -> set[int]:
    """The rules that are not shared: what they read, or what they write, has to do with the own segment.

    A shared rule writes before all others do. It may write an element together with others only where it stands before
    them, so that the order of the map is kept, and never a part of an element, which they would add to.
    """
    own: set[int] = set()

    def is_own(number: int, rule: Rule) -> bool:
        return (
            rule.target == ("identifier",)
            or _reads_own(rule, segment)
            or any(
                (other < number or len(rule.target) > 1 or len(rules[other].target) > 1)
                and _meet(rule, rules[other], elements)
                for other in own
            )
        )

    while more := {number for number, rule in rules.items() if number not in own and is_own(number, rule)}:
        own |= more
    return own


def _reads_own(rule: Rule, segment: str) -> bool:
    paths = (*rule.sources, *([rule.unless] if rule.unless else ()))
    return any(path.segment == segment or not path.field for path in paths)


def _meet(one: Rule, other: Rule, elements: Elements) -> bool:
    names = [{rule.target[0], *(elements[rule.target].names if len(rule.target) == 1 else ())} for rule in (one, other)]
    return bool(names[0] & names[1])


def _convert(rule: Rule, site: Site, coded: Callable[[Rule], Any]) -> Any:
    if not rule.sources:
        return None
    if not rule.converter:
        return coded(rule)
    suffix = f"{BY}{rule.codes}" if rule.codes else ""
    bound = CONVERTERS[rule.converter].bind(site, tuple(f"{path}{suffix}" for path in rule.sources))
    return _in_extension(bound, rule.urls, CONVERTERS[rule.converter].makes) if rule.urls else bound


def _in_extension(convert: Bound, urls: Sequence[str], makes: str) -> Bound:
    """The same converter, what it makes wrapped in an extension; the outermost url first."""
    name = f"value{makes[0].upper()}{makes[1:]}"

    def extension(*sources: Any) -> Any:
        made = convert(*sources)
        value = without_doubt(made)
        if value is None:
            return made
        wrapped: dict[str, Any] = {"url": urls[-1], name: value}
        for url in reversed(urls[:-1]):
            wrapped = {"url": url, "extension": [wrapped]}
        return replace(made, value=wrapped) if isinstance(made, Doubt) else wrapped

    return extension


def details(segment_map: SegmentMap, site: Site, unread: Mapping[str, frozenset[int]]) -> dict[int, Details]:
    """What the rules with refer: and as: are bound to, by the number of the rule."""
    found: dict[int, Details] = {}
    for number, rule in enumerate(segment_map.rules):
        if rule.refer and rule.converter:
            bound = CONVERTERS[rule.converter].bind(site, tuple(str(path) for path in rule.sources))
            read = dict.fromkeys((path.field for path in rule.sources), components_read(rule, unread))
            found[number] = Details(rule, several(bound, number, many=False), read)
    return found


def required(segment_map: SegmentMap, elements: Elements) -> list[tuple[str, ...]]:
    """The elements that FHIR requires, each with all its names where it is a choice.

    Raises:
        MappingError: no rule writes one of them.
    """
    resource = segment_map.resource
    found = [r4.element(f"{resource}.{name}").names for name in r4.required_elements(resource)]
    stated = {name for rule in segment_map.rules for name in (rule.target[0], *elements[rule.target].names)}
    if never := [names for names in found if not stated & {*names}]:
        raise segment_map.place.error(f"no rule writes {never[0][0]}, which FHIR requires")
    return found


def once(identifiers: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each number once, where a hospital sends it in two fields."""
    return list({(one.get("system"), one["value"]): one for one in reversed(identifiers)}.values())[::-1]


@lru_cache(maxsize=1_000)
def _code(text: str, name: str) -> CodeType:
    """Python, compiled: the sites share the text of a map, and bind it to their own tables."""
    return compile(text, name, "exec")


class _Writer:
    """Writes functions; what they need stands in `names`."""

    def __init__(self, segment_map: SegmentMap, elements: Elements) -> None:
        self._map, self._elements = segment_map, elements
        self._slots = {slot: number for number, slot in enumerate(slot_order(segment_map))}
        self._names: dict[str, Any] = {"NEW": object()}

    def bind(self, number: int, rule: Rule, convert: Any) -> None:
        """Make what a rule needs when it runs: V, a constant; K, what converts; G, what was converted before."""
        many = self._elements[rule.target].many
        if not rule.sources:
            self._names[f"V{number}"] = [rule.constant] if many else rule.constant
            return
        maker = self._maker(number, rule, convert, many=many)
        self._names[f"K{number}"] = maker.make
        if maker.known is not None:
            self._names[f"G{number}"] = maker.known.get

    def _maker(self, number: int, rule: Rule, convert: Any, *, many: bool) -> Maker:
        if rule.whole and not all(path.field for path in rule.sources):
            return mixed(convert, number, many=many)
        if not rule.sources[0].field:
            return group(convert, number, many=many)
        if rule.whole:
            known = CONVERTERS[rule.converter]
            return several(convert, number, many=many, clears=known.clears, parts=known.parts)
        return single(convert, rule.sources[0].component, number, many=many)

    def end(self) -> list[str]:
        """What comes last: each number once, defaults, and the question for what FHIR requires."""
        lines: list[str] = []
        if any(rule.target == ("identifier",) and self._elements[rule.target].many for rule in self._map.rules):
            self._names["once"] = once
            lines.append(
                " if 'identifier' in out and len(out['identifier']) > 1: out['identifier'] = once(out['identifier'])"
            )
        for number, rule in enumerate(self._map.rules):
            if rule.is_default:
                self._names[f"D{number}"] = rule.constant, (number, DEFAULTED)
                lines += self._default(number, rule)
        return lines + [
            f" if {' and '.join(f'{name!r} not in out' for name in names)}: return {names[0]!r}"
            for names in required(self._map, self._elements)
        ]

    def _default(self, number: int, rule: Rule) -> list[str]:
        *parents, last = rule.target
        if parents:
            return [
                f" p = out.get({parents[0]!r})",
                f" if p is not None and {last!r} not in p: p[{last!r}] = D{number}[0]",
            ]
        # `_end` stands beside `end`: a reason for its absence, where nobody stated it
        absent = " and ".join(f"{name!r} not in out" for name in dict.fromkeys((last, last.removeprefix("_"))))
        return [f" if {absent}: out[{last!r}] = D{number}[0]; doubts.append(D{number}[1])"]

    def function(
        self, rules: Mapping[int, Rule], end: Iterable[str] = (), absent: frozenset[int] = frozenset()
    ) -> Build:
        """The function that follows these rules where the slots `absent` are empty."""
        lines = [f" f{n} = S[{n}]" for n in self._read(rules.values()) if n not in absent]
        for condition, some in groupby(rules.items(), key=_condition):
            sources = condition.sources
            if sources and absent.issuperset(map(self._slot, sources)):
                continue
            lines.append(self._when(condition, absent))
            lines += [f"  r = {self._value(sources, absent, whole=condition.whole)}"] if sources else []
            for number, rule in some:
                lines += self._made("  ", number, rule)
        text = "\n".join(["def build(S, out, doubts):", *lines, *end, " return None"])
        made: dict[str, Build] = {}
        exec(_code(text, f"<{self._map.name}>"), self._names, made)  # noqa: S102  (our own text)
        return made["build"]

    def _read(self, rules: Iterable[Rule]) -> list[int]:
        paths = [path for rule in rules for path in (*rule.sources, *([rule.unless] if rule.unless else ()))]
        return sorted(set(map(self._slot, paths)))

    def _when(self, condition: "_Condition", absent: frozenset[int]) -> str:
        """The question whether there is something to convert."""
        sources, unless, needs = condition.sources, condition.unless, condition.needs
        asked = [needs.value.format(self._raw(sources[0], absent))] if needs else []
        if given := [self._raw(path, absent) for path in sources if self._slot(path) not in absent]:
            asked.append(f"({' or '.join(given)})")
        if unless and self._slot(unless) not in absent:
            asked.append(f"not {self._raw(unless, absent)}")
        return f" if {' and '.join(asked) or True}:"

    def _value(self, sources: Sequence[Path2], absent: frozenset[int], *, whole: bool) -> str:
        raws = [self._raw(path, absent) for path in sources]
        return f"({', '.join(raws)},)" if whole or len(raws) != 1 else raws[0]

    def _slot(self, path: Path2) -> int:
        return self._slots[path.segment, not path.field]

    def _made(self, pad: str, number: int, rule: Rule) -> Iterator[str]:
        if not rule.sources:
            yield from self._store(pad, f"V{number}", rule)
            return
        if f"G{number}" in self._names:
            yield f"{pad}v = G{number}(r, NEW)"
            yield f"{pad}if v is NEW: v = K{number}(r, doubts)"
        else:
            yield f"{pad}v = K{number}(r, doubts)"
        yield f"{pad}if v is not None:"
        yield from self._store(pad + " ", "v", rule)

    def _store(self, pad: str, value: str, rule: Rule) -> Iterator[str]:
        *parents, last = rule.target
        holder = "out"
        for depth, parent in enumerate(parents):
            yield f"{pad}p{depth} = {holder}.get({parent!r})"
            yield f"{pad}if p{depth} is None: p{depth} = {holder}[{parent!r}] = {{}}"
            holder = f"p{depth}"
        if last.endswith("[x]"):
            yield f"{pad}{holder}.update({value})"
        elif self._elements[rule.target].many:
            yield f"{pad}{holder}[{last!r}] = {holder}[{last!r}] + {value} if {last!r} in {holder} else {value}"
        else:
            yield f"{pad}{holder}[{last!r}] = {value}"

    def _raw(self, path: Path2, absent: frozenset[int]) -> str:
        slot = self._slot(path)
        if slot in absent:
            return "''" if path.field else "()"
        return f"f{slot}[{path.field}]" if path.field else f"f{slot}"


class _Condition(NamedTuple):
    """What rules that follow each other have to agree in to ask and to read once."""

    sources: tuple[Path2, ...]
    unless: Path2 | None
    whole: bool
    needs: Need | None


def _condition(numbered: tuple[int, Rule]) -> _Condition:
    rule = numbered[1]
    converter = CONVERTERS.get(rule.converter)
    return _Condition(rule.sources, rule.unless, rule.whole, converter.needs if converter else None)
