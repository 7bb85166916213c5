"""The report's files: results.json, and tables as CSV, Markdown and HTML."""

import csv
import html
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from adapter.fhir import json
from adapter.report.compared import Compared, Status

TABLES = ("Table 1", "Table 2", "Table 3", "Table 4")
COLUMNS = ("what", "computed", "published", "", "note", "resources")
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #1a1a1a }
table { border-collapse: collapse; width: 100%; margin: 1rem 0 2rem }
th, td { border-bottom: 1px solid #ddd; padding: .3rem .6rem; text-align: left; vertical-align: top }
td.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
tr.differs td { background: #fdecea } tr.none td { color: #666 }
details { max-width: 30rem } details code { font-size: 11px; word-break: break-all }
figure { margin: 2rem 0 } img { max-width: 100% }
"""


def write_results(folder: Path, results: Sequence[Compared], base: str) -> None:
    """Write results.json: the form of the independent analysis, with the resources that each number rests on."""
    counts = {str(status): sum(one.status is status for one in results) for status in Status}
    head = json.dumps({"base": base, "total": len(results), "counts": counts})
    with (folder / "results.json").open("wb") as file:
        file.write(head.removesuffix(b"}") + b',"results":[')
        for place, one in enumerate(results, 1):
            file.write((b"," if place > 1 else b"") + json.dumps(_result(place, one)))
        file.write(b"]}")


def _result(place: int, one: Compared) -> dict[str, Any]:
    return {
        "id": place,
        "where": one.number.where,
        "label": one.number.label,
        "computed": one.number.computed,
        "published": one.published,
        "status": str(one.status),
        "note": one.note,
        "resources": one.number.resources.listed(),
    }


def write_tables(folder: Path, results: Sequence[Compared]) -> None:
    """Write each table in three forms, and every other number in `text-and-figures.*`."""
    parts = {table: [one for one in results if one.number.where.startswith(table)] for table in TABLES}
    rest = [one for one in results if not one.number.where.startswith(TABLES)]
    for name, part in (*parts.items(), ("Text and figures", rest)):
        stem = name.lower().replace(" ", "-")
        _write_csv(folder / f"{stem}.csv", part)
        (folder / f"{stem}.md").write_text(_markdown(name, part), "utf-8")
        _write_page(folder / f"{stem}.html", name, _table(part))


def write_page(folder: Path, results: Sequence[Compared], figures: Sequence[tuple[str, str]]) -> None:
    """Write report.html: a summary, every table and figure (file and caption), the resources of each number folded."""
    _write_page(folder / "report.html", "The trial's report", _everything(results, figures))


def _everything(results: Sequence[Compared], figures: Sequence[tuple[str, str]]) -> Iterator[str]:
    counts = ", ".join(f"{count} {word}" for word, count in summary(results) if count)
    yield f"<p>{len(results)} numbers: {html.escape(counts)}.</p>"
    for table in TABLES:
        yield f"<h2>{table}</h2>"
        yield from _table([one for one in results if one.number.where.startswith(table)])
    for file, caption in figures:
        image = f'<img src="{html.escape(file)}" alt="{html.escape(caption)}">'
        yield f"<figure>{image}<figcaption>{html.escape(caption)}</figcaption></figure>"
    yield "<h2>Text and figures</h2>"
    yield from _table([one for one in results if not one.number.where.startswith(TABLES)])


def summary(results: Sequence[Compared]) -> list[tuple[str, int]]:
    """How many numbers agree, differ, are not printed, are not computable: words and counts."""
    words = dict.fromkeys(one.word for one in results)
    return [(word, sum(one.word == word for one in results)) for word in words]


def _row(one: Compared) -> tuple[str, str, str, str, str]:
    place = "" if one.number.where in TABLES else f"{one.number.where}: "
    return f"{place}{one.number.label}", one.number.computed, one.published or "", one.word, one.note


def _write_csv(file: Path, part: Sequence[Compared]) -> None:
    with file.open("w", encoding="utf-8") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(("what", "computed", "published", "comparison", "note", "resources"))
        writer.writerows((*_row(one), one.number.resources.joined(" ")) for one in part)


def _markdown(name: str, part: Sequence[Compared]) -> str:
    lines = [f"# {name}", "", "| What | Computed | Published | | Note | Resources |", "|---|--:|--:|---|---|--:|"]
    for one in part:
        cells = [*_row(one), str(one.number.resources.count)]
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join([*lines, ""])


def _table(part: Sequence[Compared]) -> Iterator[str]:
    head = "".join(f"<th>{column}</th>" for column in COLUMNS)
    yield f"<table><thead><tr>{head}</tr></thead><tbody>"
    yield from map(_line, part)
    yield "</tbody></table>"


def _line(one: Compared) -> str:
    what, computed, published, word, note = map(html.escape, _row(one))
    refs = one.number.resources
    all_of_them = html.escape(refs.joined("\n")).replace("\n", "<br>")
    listed = f"<details><summary>{refs.count}</summary><code>{all_of_them}</code></details>"
    mark = {Status.DIFFERS: "differs", Status.NONE: "none"}.get(one.status, "agrees")
    return (
        f'<tr class="{mark}"><td>{what}</td><td class="n">{computed}</td><td class="n">{published}</td>'
        f"<td>{word}</td><td>{note}</td><td>{listed}</td></tr>"
    )


def _write_page(file: Path, title: str, parts: Iterable[str]) -> None:
    """Part by part: of thousands of subjects, what the numbers rest on is long."""
    head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
    with file.open("w", encoding="utf-8") as text:
        text.write(f'<!doctype html><html lang="en"><head>{head}</head><body><h1>{title}</h1>')
        text.writelines(parts)
        text.write("</body></html>\n")
