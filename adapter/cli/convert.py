"""`adapter convert`: messages to FHIR without a server."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from adapter.cli import accounts
from adapter.cli.terminal import ERR, OUT, read_messages, shown
from adapter.convert import Converted, convert
from adapter.data import data_folder
from adapter.errors import AdapterError
from adapter.fhir import json
from adapter.fhir.outcome import outcome
from adapter.mapper.catalog import load_catalog
from adapter.operate.dialects import named, sender
from adapter.operate.explain import account


def convert_files(
    files: Annotated[list[Path], typer.Argument(help="Files with messages; - reads standard input.")],
    site: Annotated[str, typer.Option(help="Whose dialect it is; default: the site that MSH-3 and MSH-4 name.")] = "",
    *,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show where each element came from, and what became of each field.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --explain: a line of JSON, with the Bundle.")] = False,
) -> None:
    """Convert messages: one transaction Bundle a line (NDJSON).

    A file may hold one message or many: MLLP frames, or messages one after the other, with CR, LF or CRLF. A sender
    that no site of mappings/ names is read by the standard alone. A message that cannot be converted gives an
    OperationOutcome in its place; the exit code is then 1.

    [dim]adapter convert --explain admission.hl7[/]
    """
    catalog = load_catalog(data_folder("mappings"))
    chosen = named(catalog, site) if site else None
    failed = 0
    for file, number, message in read_messages(files):
        try:
            made = convert(message, catalog=catalog, site=chosen or sender(catalog, message))
        except AdapterError as error:
            failed += 1
            ERR.print(f"{file} message {number}: {error.text} ({error.code}; mended by: {error.mender})", markup=False)
            line: dict[str, Any] = outcome("invalid", f"{error.text} ({error.code})")
        else:
            if explain and not as_json:
                OUT.print(f"[bold]{shown(file)} message {number}[/]: {made.structure} of {made.site}")
                accounts.show(account(made))
                continue
            line = {"bundle": bundle(made), **account(made)} if explain else bundle(made)
        sys.stdout.buffer.write(json.dumps(line) + b"\n")
    sys.stdout.buffer.flush()
    raise typer.Exit(1 if failed else 0)


def bundle(converted: Converted) -> dict[str, Any]:
    """The resources of one message as a transaction Bundle of updates (FHIR R4, http.html#transaction)."""
    # A transaction holds a resource once, whatever the message repeats.
    by_url = {f"{mapped.resource['resourceType']}/{mapped.resource['id']}": mapped for mapped in converted.resources}
    entries = [
        {
            "fullUrl": f"urn:uuid:{mapped.resource['id']}",
            "resource": mapped.resource,
            "request": {"method": "PUT", "url": url},
        }
        for url, mapped in by_url.items()
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}
