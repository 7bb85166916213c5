"""`adapter diff`: what messages become under the present mappings and under another folder."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from adapter.cli import repairing as options
from adapter.cli.terminal import OUT, read_messages, shown
from adapter.data import data_folder
from adapter.fhir import json
from adapter.mapper.catalog import load_catalog
from adapter.operate.differing import Difference, differences


def diff(
    files: Annotated[list[Path], typer.Argument(help="Files with messages; - reads standard input.")],
    mappings: Annotated[Path, typer.Option(help="The other mappings folder.")],
    site: Annotated[str, typer.Option(help="Whose dialect it is; default: the site that MSH-3 and MSH-4 name.")] = "",
    *,
    as_json: options.AsJson = False,
) -> None:
    """Convert messages with two mappings folders and show what differs, by resource and element.

    Copy mappings/, edit the copy, and see what would become different before anything is. A line with - is what the
    present mappings say, one with + what the others say. The exit code is 1 when something differs. With --json one
    object for each difference and line.

    [dim]cp -r mappings new && adapter diff admission.hl7 --mappings new[/]
    """
    present, other = load_catalog(data_folder("mappings")), load_catalog(mappings)
    some = False
    for file, number, message in read_messages(files):
        found = differences(message, present, other, site=site)
        some = some or bool(found)
        for line in _json(file, number, found) if as_json else _lines(file, number, found):
            sys.stdout.buffer.write(line + b"\n") if isinstance(line, bytes) else OUT.print(line, soft_wrap=True)
    raise typer.Exit(1 if some else 0)


def _json(file: str, number: int, found: list[Difference]) -> list[bytes]:
    where = {"file": file, "message": number}
    return [
        json.dumps({**where, "resource": one.resource, "element": one.element, "-": one.before, "+": one.after})
        for one in found
    ]


def _lines(file: str, number: int, found: list[Difference]) -> list[str]:
    if not found:
        return []
    lines, resource = [f"[bold]{shown(file)} message {number}[/]"], ""
    for one in found:
        if one.resource != resource:
            resource = one.resource
            lines.append(f"  {shown(resource)}")
        lines += _sides(one)
    return lines


def _sides(one: Difference) -> list[str]:
    element = shown(one.element) or "the whole resource"
    sides = (("-", "red", one.before), ("+", "green", one.after))
    return [f"    [{colour}]{sign} {element}: {_value(value)}[/]" for sign, colour, value in sides if value is not None]


def _value(value: Any) -> str:
    return shown(json.dumps(value).decode())
