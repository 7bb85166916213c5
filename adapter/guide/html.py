"""Pages as plain HTML: escaped text, tables, links; one style for all, no scripts."""

from collections.abc import Iterable, Sequence
from html import escape

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1f24; max-width: 96rem; margin: 0 auto; padding: 1rem 2rem; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.25rem; margin-top: 2rem; border-bottom: 1px solid #c8ccd0; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem; border-bottom: 1px solid #e3e6e9; }
th { background: #f3f5f7; } tr.said td:first-child { font-weight: 600; }
pre { background: #f6f8fa; padding: .7rem; overflow: auto; font-size: .8rem; margin: 0; white-space: pre-wrap; }
.beside { display: grid; grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 1rem; }
nav a { margin-right: 1rem; } code { font-size: .85em; overflow-wrap: anywhere; } a { color: #0b5cad; }
@media (max-width: 60rem) { .beside { grid-template-columns: minmax(0, 1fr); } }
"""


def page(title: str, *parts: str) -> bytes:
    """A whole page."""
    body = "\n".join(parts)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<nav><a href="index.html">Contents</a></nav>\n<h1>{escape(title)}</h1>\n{body}\n</body>\n</html>\n'
    ).encode()


def section(name: str, title: str, *parts: str) -> str:
    """A heading that can be linked to, and what stands below it."""
    return f'<h2 id="{escape(name)}">{escape(title)}</h2>\n' + "\n".join(parts)


def paragraph(text: str) -> str:
    """Text."""
    return f"<p>{escape(text)}</p>"


def link(address: str, text: str) -> str:
    """A link."""
    return f'<a href="{escape(address)}">{escape(text)}</a>'


def code(text: str) -> str:
    """A name or a path."""
    return f"<code>{escape(text)}</code>" if text else ""


def block(text: str, name: str = "") -> str:
    """Text whose lines stay as they are."""
    mark = f' id="{escape(name)}"' if name else ""
    return f"<pre{mark}>{escape(text)}</pre>"


def beside(*blocks: str) -> str:
    """Blocks side by side."""
    return '<div class="beside">' + "".join(f"<div>{one}</div>" for one in blocks) + "</div>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, said: Sequence[bool] = ()) -> str:
    """A table of cells that are HTML already; `said` says which rows stand out."""
    marks = list(said)
    lines = [
        f"<tr{_mark(marks, number)}>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>"
        for number, row in enumerate(rows)
    ]
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    return f"<table>\n<thead><tr>{top}</tr></thead>\n<tbody>\n" + "\n".join(lines) + "\n</tbody>\n</table>"


def _mark(marks: Sequence[bool], number: int) -> str:
    return ' class="said"' if number < len(marks) and marks[number] else ""
