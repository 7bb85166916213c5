"""The page of one profile: its rules, the rows of the mappings that fill its resources, and an example."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from adapter.fhir import json
from adapter.fhir.applies import Application
from adapter.guide import html
from adapter.guide.examples import Example
from adapter.guide.fields import name_of, said
from adapter.guide.shape import Resource
from adapter.mapper.catalog import Catalog
from adapter.mapper.rules import Rule, SegmentMap


def page(profile: Resource, application: Application, catalog: Catalog, example: Example | None) -> bytes:
    """The page.

    Args:
        profile: the StructureDefinition.
        application: which resources it is about.
        catalog: the mappings.
        example: a resource that it is about; None where no message and no file gives one.
    """
    address = f"../fhir/{application.search}"
    return html.page(
        profile["title"],
        html.paragraph(profile["description"]),
        f"<p>{html.code(profile['url'])}</p>",
        f"<p>Resources: {html.link(address, application.search)}</p>",
        html.section("rules", "Rules", _rules(profile)),
        html.section("mapping", "Mapping", *_mapping(profile, catalog)),
        html.section("example", "Example", _example(example)),
    )


def _rules(profile: Resource) -> str:
    rows = [
        (
            html.code(element["id"]),
            f"{element.get('min', '')}..{element.get('max', '')}".removesuffix("..").removeprefix(".."),
            _what(element),
        )
        for element in profile["differential"]["element"]
        if "slicing" not in element
    ]
    invariants = [
        (html.code(one["key"]), "", html.paragraph(one["human"]) + html.code(one["expression"]))
        for one in profile["differential"]["element"][0].get("constraint", ())
    ]
    return html.table(("element", "how many", "what it says"), [*rows, *invariants])


def _what(element: dict[str, Any]) -> str:
    words = [html.paragraph(element["short"])] if "short" in element else []
    for kind in element.get("type", ()):
        words += [html.code(url) for url in (*kind.get("profile", ()), *kind.get("targetProfile", ()))] or [
            html.code(kind["code"])
        ]
    if binding := element.get("binding"):
        name = binding["valueSet"].rpartition("/")[2]
        words.append(f"{binding['strength']}: {html.link(f'ValueSet-{name}.html', name)}")
    fixed = {name: value for name, value in element.items() if name.startswith(("fixed", "pattern"))}
    words += [html.code(value if isinstance(value, str) else json.dumps(value).decode()) for value in fixed.values()]
    return "<br>".join(words)


def _mapping(profile: Resource, catalog: Catalog) -> Iterator[str]:
    paths = [element["path"].split(".") for element in profile["differential"]["element"]]
    ruled = {path[1] for path in paths if len(path) > 1}
    maps = [one.map for one in catalog.site_maps[catalog.standard.code].compiled.values()]
    of_type = [one for one in maps if one.resource == profile["type"]]
    if not of_type:
        yield html.paragraph("No segment of a message gives it: it is a file of profiles/, or a fact that is derived.")
        return
    yield html.paragraph("Rows whose element the profile speaks of stand out. A hospital's own rows may replace some.")
    for segment_map in of_type:
        yield from _of_map(segment_map, ruled)


def _of_map(segment_map: SegmentMap, ruled: set[str]) -> Iterator[str]:
    file = segment_map.place.file
    yield f"<h3>{html.link(f'ConceptMap-{name_of(segment_map.name)}.html', segment_map.name)}</h3>"
    yield html.paragraph(_guide_row(file))
    rows = [_row(rule) for rule in segment_map.rules]
    marks = [_is_ruled(rule.target[0], ruled) for rule in segment_map.rules]
    yield html.table(("element", "HL7 v2", "how", "row"), rows, said=marks)


def _is_ruled(name: str, ruled: set[str]) -> bool:
    """Whether the profile speaks of this element: `performedPeriod` is one of the choices of `performed[x]`."""
    return name in ruled or any(one.endswith("[x]") and name.startswith(one[:-3]) for one in ruled)


def _row(rule: Rule) -> tuple[str, str, str, str]:
    paths = ", ".join(map(str, rule.sources)) or ("always" if rule.constant is not None else "")
    return html.code(".".join(rule.target)), html.code(paths), html.code(said(rule)), html.code(str(rule.place))


def _guide_row(file: Path) -> str:
    """What the file says of its origin, in the comment at its head: the guide's row, or the decision."""
    lines: list[str] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.lstrip("# "))
    return " ".join(lines)


def _example(example: Example | None) -> str:
    if example is None:
        return html.paragraph("No message gives it, and no example is kept here.")
    text = html.block(json.pretty(example.resource).decode(), "resource")
    return html.beside(html.block(example.message, "message"), text) if example.message else text
