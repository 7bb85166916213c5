"""`adapter site new`: a draft of a hospital's folder from sample messages."""

import re
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from adapter.cli.terminal import OUT, read_messages, shown
from adapter.data import data_folder
from adapter.mapper.catalog import Catalog, load_catalog
from adapter.operate.coverage import Coverage, share
from adapter.operate.onboarding import Plan, draft, write
from adapter.operate.survey import survey
from adapter.request_errors import BadParameter

_NAME = re.compile(r"[a-z][a-z0-9-]{1,30}")


def site(
    action: Annotated[str, typer.Argument(help="What to do: new.")],
    name: Annotated[str, typer.Argument(help="Short name of the hospital: small letters, digits, hyphens.")],
    files: Annotated[list[Path], typer.Argument(help="Files with sample messages; - reads standard input.")],
    timezone: Annotated[str, typer.Option(help="Its time zone, where no sample has a time with an offset.")] = "",
    out: Annotated[Path | None, typer.Option(help="Where to write; default: the installed mappings/sites.")] = None,
    mappings: Annotated[Path | None, typer.Option(help="Another mappings folder than the one installed.")] = None,
) -> None:
    """Draft the folder of a hospital that nobody has described, from its messages.

    Writes site.yaml (sender, characters, time zone, fixes for the quirks that were seen), identifiers.csv, empty
    codes.csv and units.csv, and proposals.csv: every local code and unknown unit with its count, an example, and what
    other hospitals have for the same words. Nothing reads proposals.csv: who has confirmed a row copies it into
    codes.csv or units.csv with its source. The draft loads as it is.

    [dim]adapter site new fifth-hospital samples/*.hl7 --timezone Asia/Shanghai --out drafts[/]
    """
    if action != "new" or not _NAME.fullmatch(name):
        raise BadParameter("it is: adapter site new NAME FILE…, NAME in small letters, digits and hyphens")
    base = mappings or data_folder("mappings")
    catalog = load_catalog(base)
    samples = [(f"{file} message {number}", raw) for file, number, raw in read_messages(files)]
    found = survey(samples)
    plan = Plan(name, timezone)
    content = draft(found, catalog, plan)
    with tempfile.TemporaryDirectory() as copy:
        tried = Path(shutil.copytree(base, Path(copy) / "mappings"))
        write(content, tried / "sites" / name)
        after = load_catalog(tried)
    folder = (out or base / "sites") / name
    write(content, folder)
    OUT.print(f"{folder}: from {found.messages} messages", markup=False)
    for one in found.unreadable:
        OUT.print(f"not read: {shown(one)}")
    before_share, after_share = _share(samples, catalog, ""), _share(samples, after, plan.code)
    OUT.print(f"coverage: {before_share} by the standard alone, {after_share} with the draft")
    OUT.print("next: read proposals.csv, confirm with the hospital, then adapter check and adapter coverage")


def _share(samples: list[tuple[str, bytes]], catalog: Catalog, code: str) -> str:
    counted = Coverage(catalog)
    for name, raw in samples:
        counted.add(raw, site=catalog.sites[code] if code else catalog.standard, example=name)
    found, failed = share(counted.tallies.values()), sum(count for count, _ in counted.failed.values())
    text = "nothing" if found is None else f"{found:.1%}"
    return f"{text} ({failed} not converted)" if failed else text
