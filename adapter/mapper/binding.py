"""Binding: a segment map is checked against HL7 v2 and FHIR R4 and compiled for one site."""

from collections.abc import Callable, Mapping
from functools import partial
from operator import itemgetter
from typing import Any

from adapter.fhir import r4
from adapter.hl7v2 import grammar
from adapter.hl7v2.message import split_field
from adapter.mapper.compiled import HEADER_TIME, Compiled, Slots, reads, slot_order, told, width
from adapter.mapper.datatypes import CONVERTERS
from adapter.mapper.datatypes.doubt import without_doubt
from adapter.mapper.generate import details, generate
from adapter.mapper.ids import own_system
from adapter.mapper.makers import STANDARD, Memo
from adapter.mapper.paths import Path2
from adapter.mapper.rules import Choice, Rule, SegmentMap
from adapter.mapper.sites import Site
from adapter.mapper.suggest import nearest, nearest_path
from adapter.mapper.times import order_key


def bind(segment_map: SegmentMap, site: Site, unread: Mapping[str, frozenset[int]]) -> Compiled:
    """Check and compile one segment map for one site.

    Args:
        segment_map: as read.
        site: whose tables it is bound to.
        unread: per data type, the components that are left out on purpose.

    Raises:
        MappingError: an unknown v2 path, FHIR element, converter, code table or a type that does not fit.
    """
    elements = {rule.target: _checked(rule, segment_map, site) for rule in segment_map.rules}
    slots = slot_order(segment_map)
    for path in (*segment_map.order, *segment_map.when, *segment_map.ignored):
        _known_path(path, segment_map.place)
    for choice in (segment_map.only, segment_map.never):
        if choice:
            _checked_choice(choice, site)
    if segment_map.only and any(path.segment != segment_map.segment for path in segment_map.only.paths):
        raise segment_map.only.place.error(f"only: reads the segment that the map is about, {segment_map.segment}")
    identity = segment_map.identity
    for alternatives in identity.paths:
        for path in alternatives:
            _known_path(path, identity.place)
    builders = generate(segment_map, site, elements, _coded(elements, site))
    return Compiled(
        map=segment_map,
        slots=slots,
        width=width(segment_map),
        own=sum(1 for slot in slots if slot[1]) + 1,
        shared=builders.shared,
        build=builders.build,
        identify=_identify(segment_map, site, slots),
        event_time=_event_time(segment_map, site, slots),
        shares_event_time=all(path.segment != segment_map.segment for path in segment_map.order),
        names_identifier=not identity.converter and _has(segment_map.resource, "identifier"),
        told=tuple(told(rule, slots) for rule in segment_map.rules),
        reads=reads(segment_map, unread),
        repeats={
            rule.target: r4.element(f"{segment_map.resource}.{rule.target[0]}").many
            for rule in segment_map.rules
            if rule.refer
        },
        about=_about(segment_map.only, site),
        wanted=_wanted(segment_map, slots),
        dropped=_chosen(segment_map.never, site, slots),
        numbers=_has(segment_map.resource, "identifier") and r4.element(f"{segment_map.resource}.identifier").many,
        details=details(segment_map, site, unread),
    )


def _has(resource: str, name: str) -> bool:
    try:
        r4.element(f"{resource}.{name}")
    except r4.UnknownElement:
        return False
    return True


def _checked(rule: Rule, segment_map: SegmentMap, site: Site) -> r4.Element:
    path = f"{segment_map.resource}.{'.'.join(rule.target)}"
    element = _checked_target(rule, segment_map, path)
    for source in (*rule.sources, *([rule.unless] if rule.unless else [])):
        _known_path(source, rule.place)
    if rule.codes and not site.table(rule.codes):
        raise rule.place.error(f"codes: there is no table {rule.codes}{nearest(rule.codes, site.tables())}")
    if rule.codes and not rule.converter and not {*element.types} & {"code", "Coding", "CodeableConcept"}:
        raise rule.place.error(f"codes: {path} is {' or '.join(element.types)}, which holds no code")
    if rule.converter:
        _checked_converter(rule, path, element)
    return element


def _checked_target(rule: Rule, segment_map: SegmentMap, path: str) -> r4.Element:
    try:
        element = r4.element(path)
        repeats = [
            depth
            for depth in range(1, len(rule.target))
            if r4.element(f"{segment_map.resource}.{'.'.join(rule.target[:depth])}").many
        ]
    except r4.UnknownElement as error:
        raise rule.place.error(str(error)) from error
    if rule.refer and (len(rule.target) > 2 or (len(rule.target) == 2 and repeats != [1])):
        raise rule.place.error("refer: writes elements of the resource, or one of each item of an element that repeats")
    if repeats and not rule.refer:
        raise rule.place.error(f"{'.'.join(rule.target[: repeats[0]])} repeats: a converter must make it whole")
    if rule.is_default and len(rule.target) > 2:
        raise rule.place.error("default: writes elements of the resource, or of one of its elements")
    return element


def _checked_converter(rule: Rule, path: str, element: r4.Element) -> None:
    converter = CONVERTERS.get(rule.converter)
    if converter is None:
        raise rule.place.error(f"as: there is no converter {rule.converter}{nearest(rule.converter, CONVERTERS)}")
    takes = len(rule.sources) if rule.whole or rule.sources[0].field else 0
    if converter.sources not in {takes, -1 if takes else 0} or (takes == 1 and rule.whole != converter.whole):
        raise rule.place.error(f"as: {rule.converter} does not take from: as it stands here")
    if rule.urls:
        _checked_extension(rule, converter.makes, path, element)
        return
    if rule.refer:
        path = path.rpartition(".")[0]
        element = r4.element(path)
    fits = converter.makes in {*element.types, path} or (
        converter.makes.endswith("[x]") and path.endswith(f".{converter.makes}")
    )
    if not fits:
        wanted = " or ".join(element.types)
        raise rule.place.error(f"as: {rule.converter} makes {converter.makes}, but {path} is {wanted}")


def _checked_extension(rule: Rule, makes: str, path: str, element: r4.Element) -> None:
    if element.types != ("Extension",):
        raise rule.place.error(f"url: {path} is no extension")
    if makes not in r4.element("Extension.value[x]").types:
        raise rule.place.error(f"as: {rule.converter} makes {makes}, which an extension cannot hold")


def _checked_choice(choice: Choice, site: Site) -> None:
    for path in choice.paths:
        _known_path(path, choice.place)
    if choice.table and choice.table not in site.tables():
        raise choice.place.error(f"codes: there is no table {choice.table}{nearest(choice.table, site.tables())}")


def _known_path(path: Path2, place: Any) -> None:
    if path.segment[0] != "Z" and not grammar.has_path(str(path)):
        raise place.error(f"{path} is in no version of HL7 v2{nearest_path(str(path))}")


def _coded(elements: dict[tuple[str, ...], r4.Element], site: Site) -> Callable[[Rule], Any]:
    """What a `codes:` rule is bound to: the look-up of the first component in its table."""

    def for_rule(rule: Rule) -> Any:
        kinds = elements[rule.target].types
        kind = next(kind for kind in ("code", "Coding", "CodeableConcept") if kind in kinds)
        return CONVERTERS[f"CWE-{kind}"].bind(site, (f"codes:{rule.codes}",))

    return for_rule


def _text_of(path: Path2, slots: tuple[tuple[str, bool], ...]) -> Callable[[Slots], str]:
    """What reads the text of a path from filled slots: one component, or a whole field with `^` between components."""
    slot, number, component = slots.index((path.segment, False)), path.field, path.component
    memo = Memo(lambda raw: _text(raw, component))

    def text(filled: Slots) -> str:
        return memo[filled[slot][number]]

    return text


def _text(raw: str, component: int) -> str:
    if not raw:
        return ""
    field = split_field(raw, STANDARD)
    if not component:
        return "^".join(one[0] for one in field[0]).rstrip("^")
    part = field[0][component - 1] if len(field[0]) >= component else ()
    return part[0] if part else ""


def _identify(
    segment_map: SegmentMap, site: Site, slots: tuple[tuple[str, bool], ...]
) -> Callable[[Slots], tuple[str, str] | None]:
    identity = segment_map.identity
    if identity.converter:
        return _identify_by_converter(segment_map, site, slots)
    system = identity.system or own_system(site.code, segment_map.resource)
    names: dict[str, Any] = {}
    lines: list[str] = []
    for number, alternatives in enumerate(identity.paths):
        texts: list[str] = []
        for place, path in enumerate(alternatives):
            name = f"M{number}_{place}"
            names[name] = Memo(partial(_text, component=path.component))
            texts.append(f"{name}[S[{slots.index((path.segment, False))}][{path.field}]]")
        lines.append(f" t = {' or '.join(texts)}")
        lines.append(" v = f'{v}/{t}' if v and t else v or t" if number else " v = t")
        lines.append(" if not v: return None")
    names["system"] = system
    text = "\n".join(["def identify(S):", *lines, " return system, v"])
    exec(compile(text, f"<{segment_map.name} identity>", "exec"), names)  # noqa: S102  (our own text)
    return names["identify"]


def _identify_by_converter(
    segment_map: SegmentMap, site: Site, slots: tuple[tuple[str, bool], ...]
) -> Callable[[Slots], tuple[str, str] | None]:
    path, name = segment_map.identity.paths[0][0], segment_map.identity.converter
    if name not in CONVERTERS:
        raise segment_map.identity.place.error(f"as: there is no converter {name}{nearest(name, CONVERTERS)}")
    convert = CONVERTERS[name].bind(site, (str(path),))
    slot, number = slots.index((path.segment, False)), path.field

    def first(raw: str) -> tuple[str, str] | None:
        made = without_doubt(convert(split_field(raw, STANDARD)[0])) if raw else None
        return (made["system"], made["value"]) if made and made.get("value") else None

    memo = Memo(first)

    def identify(filled: Slots) -> tuple[str, str] | None:
        return memo[filled[slot][number]]

    return identify


def _about(only: Choice | None, site: Site) -> Callable[[tuple[str, ...]], bool] | None:
    """What says of the fields of a segment whether the map is about it; asked of every segment, so it is remembered."""
    if only is None:
        return None
    table, paths = site.table(only.table), only.paths

    def in_table(raws: str) -> bool:
        texts = [_text(raw, path.component) for raw, path in zip(raws.split(STANDARD.field), paths, strict=True)]
        return "/".join(texts) in table

    known, number = Memo(in_table), paths[0].field
    if len(paths) == 1:
        return lambda fields: known[fields[number]]
    get = itemgetter(*(path.field for path in paths))
    return lambda fields: known[STANDARD.field.join(get(fields))]


def _wanted(segment_map: SegmentMap, slots: tuple[tuple[str, bool], ...]) -> Callable[[Slots], bool] | None:
    if not segment_map.when:
        return None
    texts = [_text_of(path, slots) for path in segment_map.when]

    def wanted(filled: Slots) -> bool:
        return any(text(filled) for text in texts)

    return wanted


def _chosen(choice: Choice | None, site: Site, slots: tuple[tuple[str, bool], ...]) -> Callable[[Slots], bool] | None:
    if choice is None:
        return None
    table, texts = site.table(choice.table), [_text_of(path, slots) for path in choice.paths]

    def chosen(filled: Slots) -> bool:
        return "/".join([text(filled) for text in texts]) in table

    def empty(filled: Slots) -> bool:
        return not any(text(filled) for text in texts)

    return chosen if choice.table else empty


def _event_time(segment_map: SegmentMap, site: Site, slots: tuple[tuple[str, bool], ...]) -> Callable[[Slots], str]:
    texts = [_text_of(path, slots) for path in (*segment_map.order, HEADER_TIME)]
    keys = Memo(lambda text: order_key(text, site.timezone))

    def event_time(filled: Slots) -> str:
        for one in texts:
            text = one(filled)
            if text:
                return keys[text]
        return ""

    return event_time
