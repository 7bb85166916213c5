"""`adapter report`: the paper's tables and figures, recomputed from what a FHIR server answers."""

import gc
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from adapter.cli.terminal import OUT, progress
from adapter.data import data_folder
from adapter.errors import ConfigurationError
from adapter.trial.terms import load_terms

if TYPE_CHECKING:
    from adapter.report.compared import Compared

OBJECTS = 100_000
"""So many new objects before the collector of cycles looks at them: JSON makes millions, and none in cycles."""

MISSING = "adapter report needs the libraries of statistics: pip install 'hl7v2-fhir-adapter[report]'"


def report(
    base: Annotated[str, typer.Option(metavar="URL", help="Base URL of the FHIR R4 server.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the files; made when it is missing.")],
    token: Annotated[str, typer.Option(envvar="ADAPTER_REPORT_TOKEN", help="Bearer token for the server.")] = "",
    study: Annotated[str, typer.Option(metavar="ResearchStudy/ID", help="Which study.")] = "ResearchStudy/tli-trial",
    mappings: Annotated[Path | None, typer.Option(help="Another mappings folder than the one installed.")] = None,
    published: Annotated[Path | None, typer.Option(metavar="CSV", help="Other published numbers.")] = None,
) -> None:
    """Recompute every table and figure of the trial's paper from a FHIR server alone.

    Writes report.html, Tables 1 to 4 as CSV, HTML and Markdown, Figures 2 to 6 as SVG and PNG, and results.json: each
    number beside the published one, with the resources that it rests on. What the report shows is data:
    mappings/trial/report.yaml and published.csv.

    [dim]adapter report --base http://127.0.0.1:8080/fhir --out report[/]
    """
    try:
        from adapter.report.run import run  # noqa: PLC0415  (heavy libraries, for this command alone)
    except ModuleNotFoundError as error:
        raise ConfigurationError(MISSING) from error
    gc.freeze()
    gc.set_threshold(OBJECTS)
    folder = mappings or data_folder("mappings")
    terms = load_terms(folder)
    out.mkdir(parents=True, exist_ok=True)
    with progress() as bars:
        task = bars.add_task("asking for subjects", total=None)
        results = run(
            (base, token, study),
            out,
            terms,
            (folder, published or folder / "trial" / "published.csv"),
            tell=lambda ready, of: bars.update(task, completed=ready, total=of),
        )
    _show(results, out)


def _show(results: "list[Compared]", out: Path) -> None:
    from adapter.report.writing import summary  # noqa: PLC0415

    table = Table("comparison with the paper", "numbers", title=f"{len(results)} numbers recomputed")
    for word, count in summary(results):
        table.add_row(word, str(count))
    OUT.print(table)
    OUT.print(f"written: {out / 'report.html'}")
