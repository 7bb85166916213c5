"""The whole report: ask, recompute, compare, write."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile

from adapter.report.asking import ask_rows, ask_study, trial_of
from adapter.report.compared import Compared, compared
from adapter.report.definitions import Definitions, load_definitions, load_published
from adapter.report.drawing import draw
from adapter.report.recompute import recompute
from adapter.report.resting import Shelf
from adapter.report.server import FhirServer
from adapter.report.trial import Trial
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
    definitions, published = load_definitions(files[0]), load_published(files[1])
    trial = _asked(whom, definitions, terms, tell)
    with TemporaryFile() as file:
        results = list(compared(recompute(trial, Shelf(file)), published))
        write_results(out, results, whom[0])
        write_tables(out, results)
        write_page(out, results, draw(out, trial))
    return results


def _asked(
    whom: tuple[str, str, str], definitions: Definitions, terms: Terms, tell: Callable[[int, int], None]
) -> Trial:
    base, token, study = whom
    connect = partial(FhirServer, base, token)
    with connect() as server:
        known = ask_study(server, study, terms)
        total = len(known.registrations)
        rows = ask_rows(connect, known, definitions, terms, done=lambda ready: tell(ready, total))
        return trial_of(rows, server, known, definitions, terms)
