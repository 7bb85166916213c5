"""ConceptMaps of fields, as the v2-to-FHIR guide writes its own: of each segment map, and of each message structure."""

from collections.abc import Iterator

from adapter.guide.shape import Resource, group, resource
from adapter.mapper.catalog import Catalog
from adapter.mapper.message_maps import MessageMap, Part
from adapter.mapper.rules import Rule, SegmentMap


def concept_maps(catalog: Catalog) -> Iterator[Resource]:
    """`tli-v2-obx-observation` for each segment map that all hospitals share, `tli-v2-oru-r01` for each structure."""
    for compiled in catalog.site_maps[catalog.standard.code].compiled.values():
        yield _of_segment(compiled.map)
    structures: dict[str, list[MessageMap]] = {}
    for message_map in catalog.messages.values():
        structures.setdefault(message_map.place.file.stem, []).append(message_map)
    for name, maps in sorted(structures.items()):
        yield _of_structure(name, maps)


def name_of(map_name: str) -> str:
    """The id of a map's ConceptMap."""
    return f"tli-v2-{map_name.lower().replace('_', '-')}"


def said(rule: Rule) -> str:
    """What a row of a map says beside its source and its target, in the words of the grammar."""
    words = [f"as {rule.converter}"] if rule.converter else []
    words += [f"codes {rule.codes}"] if rule.codes else []
    words += [f"extension {rule.urls[0]}"] if rule.urls else []
    words += [f"unless {rule.unless}"] if rule.unless else []
    words += [f"refer {rule.refer}"] if rule.refer else []
    if rule.constant is not None:
        words.append("default" if rule.is_default else "value")
    return ", ".join(words)


def _of_segment(segment_map: SegmentMap) -> Resource:
    made = resource(
        "ConceptMap",
        name_of(segment_map.name),
        title=f"HL7 v2 {segment_map.segment} to {segment_map.resource}",
        description=f"Which field fills which element: mappings/segments/{segment_map.name}.yaml.",
    )
    elements: dict[str, Resource] = {}
    for rule in segment_map.rules:
        for path in rule.sources or ("",):
            code = str(path) or segment_map.segment
            target = {"code": ".".join((segment_map.resource, *rule.target)), "equivalence": "relatedto"}
            comment = said(rule)
            elements.setdefault(code, {"code": code, "target": []})["target"].append(
                {**target, "comment": comment} if comment else target
            )
    made["group"] = [group("", "", elements.values())]
    return made


def _of_structure(name: str, maps: list[MessageMap]) -> Resource:
    events = sorted({event for one in maps for event in one.events})
    made = resource(
        "ConceptMap",
        name_of(name),
        title=f"HL7 v2 {name} to resources",
        description=f"Which segment gives which resource: mappings/messages/{name}.yaml, for {', '.join(events)}.",
    )
    parts = dict.fromkeys(part for one in maps for part in one.parts)
    elements: dict[str, Resource] = {}
    for part in parts:
        segment, _, kind = part.map.partition("-")
        target = {"code": kind, "equivalence": "relatedto", "comment": _comment(part)}
        targets = elements.setdefault(segment, {"code": segment, "target": []})["target"]
        if target not in targets:
            targets.append(target)
    made["group"] = [group("", "", elements.values())]
    return made


def _comment(part: Part) -> str:
    words = [f"by ConceptMap/{name_of(part.map)}"]
    words += [f"in {', '.join(sorted(part.groups))}"] if part.groups else []
    words += [f"without {', '.join(sorted(part.without))}"] if part.without else []
    words += [f"on {', '.join(sorted(part.events))}"] if part.events else []
    return "; ".join(words)
