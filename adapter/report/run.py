"""The whole report: ask, recompute, compare, write."""

from collections.abc import Callable
from pathlib import Path

from adapter.report.asking import ask_rows, ask_study, trial_of
from adapter.report.compared import Compared, compared
from adapter.report.definitions import load_definitions, load_published
from adapter.report.drawing import draw
from adapter.report.recompute import recompute
from adapter.report.server import FhirServer
from adapter.report.writing import write_page, write_results, write_tables
from adapter.trial.terms import Terms


def run(
    whom: tuple[str, str, str],
    out: Path,
    terms: Terms,
    files: tuple[Path, Path],
    *,
    tell: Callable[[int, int], None],
) -> list[Compared]:
    """Write the report into a folder.

    Args:
        whom: base URL of the server, bearer token (empty: none), the study (`ResearchStudy/id`).
        out: an existing folder.
        terms: what the trial's facts are called.
        files: the mappings folder with trial/report.yaml, and the table of published numbers.
        tell: told how many subjects are ready, and of how many.

    Returns:
        Every number beside the published one.

    Raises:
        NoAnswer: the server does not answer what is asked.
        MappingError: a file of the definitions is wrong.
    """
    base, token, study = whom
    definitions, published = load_definitions(files[0]), load_published(files[1])
    with FhirServer(base, token) as server:
        known = ask_study(server, study, terms)
        total = len(known.registrations)
        rows = ask_rows(server, known, definitions, terms, done=lambda ready: tell(ready, total))
        trial = trial_of(rows, server, known, definitions, terms)
    results = list(compared(recompute(trial), published))
    write_results(out, results, base)
    write_tables(out, results)
    write_page(out, results, draw(out, trial))
    return results
