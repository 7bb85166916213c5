"""A message as a tree for people: every populated field by its path, its name in the standard, its components."""

from collections.abc import Sequence
from typing import Any

from adapter.hl7v2.grammar import ComponentDef, datatype_components, segment_fields
from adapter.hl7v2.message import Component, Field, Message, Segment

_LONGEST = 4096
"""Characters of one value that are shown; what is longer is a document."""

_VARIES = "varies"


def tree(message: Message) -> list[dict[str, Any]]:
    """The segments, each with its populated fields.

    Returns:
        For each segment `segment`, `occurrence` and `fields`; for each field `path`, `name`, `type` and either
        `value` or `parts`, which are like fields. Empty fields and components are left out.
    """
    seen: dict[str, int] = {}
    made: list[dict[str, Any]] = []
    for segment in message.segments:
        seen[segment.name] = seen.get(segment.name, 0) + 1
        made.append(
            {
                "segment": segment.name,
                "occurrence": seen[segment.name],
                "fields": _fields(segment, seen[segment.name], message.version),
            }
        )
    return made


def _fields(segment: Segment, occurrence: int, version: str) -> list[dict[str, Any]]:
    known = {field.number: field for field in segment_fields(segment.name, version)}
    place = segment.name if occurrence == 1 else f"{segment.name}[{occurrence}]"
    made: list[dict[str, Any]] = []
    for number in range(1, len(segment.fields)):
        if not segment.raw(number):
            continue
        defined = known.get(number)
        datatype = defined.datatype if defined else ""
        if datatype == _VARIES and segment.name == "OBX":
            datatype = segment.raw(2)
        path = f"{place}-{number}"
        node = {"path": path, "name": defined.name if defined else "", "type": datatype}
        made += _repetitions(node, segment.field(number), datatype_components(datatype, version))
    return made


def _repetitions(node: dict[str, Any], field: Field, components: Sequence[ComponentDef]) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for number, repetition in enumerate(field, start=1):
        path = node["path"] if number == 1 else f"{node['path']}[{number}]"
        if len(repetition) == 1 and len(repetition[0]) == 1 and not components:
            made.append({**node, "path": path, **_value(repetition[0][0])})
            continue
        names = {one.number: one for one in components}
        parts = [
            _component(f"{path}.{place}", names.get(place), component)
            for place, component in enumerate(repetition, start=1)
            if any(component)
        ]
        if parts:
            made.append({**node, "path": path, "parts": parts})
    return made


def _component(path: str, defined: ComponentDef | None, component: Component) -> dict[str, Any]:
    node: dict[str, Any] = {"path": path, "name": defined.name if defined else ""}
    if len(component) == 1:
        return {**node, **_value(component[0])}
    parts = [
        {"path": f"{path}.{number}", "name": "", **_value(text)} for number, text in enumerate(component, 1) if text
    ]
    return {**node, "parts": parts}


def _value(text: str) -> dict[str, Any]:
    return {"value": text} if len(text) <= _LONGEST else {"value": text[:_LONGEST], "characters": len(text)}
