"""`adapter guide`: the implementation guide as a folder of files."""

from pathlib import Path
from typing import Annotated

import typer

from adapter.cli.terminal import OUT
from adapter.data import data_folder
from adapter.fhir import json
from adapter.fhir.search_params import load as load_search_parameters
from adapter.guide.guide import Guide
from adapter.mapper.catalog import load_catalog


def guide(
    out: Annotated[Path, typer.Option(help="The folder to write; it is made where it is not there.")],
    mappings: Annotated[Path | None, typer.Option(help="Another mappings folder than the one installed.")] = None,
    profiles: Annotated[Path | None, typer.Option(help="Another profiles folder than the one installed.")] = None,
) -> None:
    """Write the implementation guide: its pages, and below definitions/ every definition as a file of FHIR.

    [dim]adapter guide --out site[/]
    """
    maps, files = mappings or data_folder("mappings"), profiles or data_folder("profiles")
    written = Guide(maps, files, load_catalog(maps), load_search_parameters(files))
    (out / "definitions").mkdir(parents=True, exist_ok=True)
    names = list(written.names())
    for name in names:
        (out / name).write_bytes(written.page(name) or b"")
    for name, resource in written.resources.items():
        (out / "definitions" / f"{name}.json").write_bytes(json.pretty(resource))
    OUT.print(f"{out / 'index.html'}: {len(names)} pages, {len(written.resources)} definitions", markup=False)
