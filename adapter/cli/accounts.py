"""The account of a conversion as tables for people: issues, elements with their source, what became of each field."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from adapter.cli.terminal import OUT, shown


def show(account: Mapping[str, Any]) -> None:
    """Print what `operate/explain.py` says of one conversion."""
    if why := account.get("failure"):
        OUT.print(f"not converted: {why['code']} {why['text']}", markup=False)
        return
    _table("Doubts", ("path", "severity", "text", "rule"), account["issues"])
    _table("Where each element came from", ("resource", "element", "path", "rule", "bytes"), account["lineage"])
    fields = [{**one, "what": _said(one)} for one in account["fields"]]
    _table("What became of each field", ("path", "became", "what"), fields)


def _said(field: Mapping[str, Any]) -> str:
    if field["became"] == "ignored":
        return field["reason"]
    parts = list(field["to"])
    if field["left"]:
        parts.append(f"no rule reads {', '.join(field['left'])}")
    return ", ".join(parts) or "read, and nothing was made of it"


def _table(title: str, columns: tuple[str, ...], lines: list[dict[str, Any]]) -> None:
    if not lines:
        return
    table = Table(*columns, title=title)
    for one in lines:
        table.add_row(*(shown(_text(one[name])) for name in columns))
    OUT.print(table)


def _text(value: Any) -> str:
    return f"{value[0]}–{value[1]}" if isinstance(value, list) else str(value)  # pyright: ignore[reportUnknownVariableType]
