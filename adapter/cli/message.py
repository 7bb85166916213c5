"""`adapter message NUMBER`: everything that is known of one message."""

import sys
from typing import Annotated, Any

import typer

from adapter.cli import accounts
from adapter.cli import repairing as options
from adapter.cli.running import recorded
from adapter.cli.terminal import OUT
from adapter.data import data_folder
from adapter.fhir import json
from adapter.mapper.catalog import load_catalog
from adapter.operate.explain import Explanation, hex_dump, offending, visible
from adapter.operate.messages import Wanted
from adapter.operate.messages import message as everything
from adapter.request_errors import NotFound
from adapter.settings import load_settings
from adapter.store import record
from adapter.store.database import look_into

HEX_AROUND = 512
HEX_WHOLE = 64 * 1024
HEAD = (
    *("site", "state", "cause_code", "cause", "mender", "ack_code", "ack_outcome", "received_at", "finished_at"),
    *("channel", "transport", "peer", "control_id", "message_type", "event", "structure", "version", "encoding"),
    *("lane", "attempts", "flags", "length", "sha256", "lease_owner", "lease_until", "mapping"),
)


def message(
    number: Annotated[int, typer.Argument(help="The message's number, as `adapter messages` shows it.")],
    data: options.Data = None,
    database_url: options.Url = None,
    *,
    hexadecimal: Annotated[bool, typer.Option("--hex", help="The bytes as they came; marks the one at fault.")] = False,
    explained: Annotated[
        bool,
        typer.Option("--explain", help="Convert it; show where each element came from, what became of each field."),
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Show one message: state, cause, text, fields with their names, answer, attempts, what belongs to it.

    Shows the contents of the message; that you do is in the access audit first. Works beside the running program.

    [dim]adapter message 4711 --hex[/]
    """
    explain = Explanation(load_catalog(data_folder("mappings")))
    settings = load_settings(data=data, database_url=database_url)
    database = look_into(settings.database)
    try:
        recorded(settings, database, number)
        with database.read() as connection:
            found = everything(connection, number, explain=explain, wanted=Wanted(contents=True, ledger=explained))
            if found is None:
                raise NotFound(f"there is no message {number}")
            dump = _dump(connection, found) if hexadecimal else []
    finally:
        database.close()
    if as_json:
        sys.stdout.buffer.write(json.dumps(found | ({"hex": dump} if dump else {})) + b"\n")
    else:
        _show(found, dump)


def _dump(connection: Any, found: dict[str, Any]) -> list[str]:
    """All bytes of a message of usual length; of a long one those around the byte that is wrong."""
    length = found["length"]
    raw = record.content(connection, found["id"], length=HEX_WHOLE)
    mark = offending(found["cause"], raw)
    if length <= HEX_WHOLE:
        return hex_dump(raw, mark=mark)
    first = max(0, (mark or 0) - HEX_AROUND) // 16 * 16
    some = record.content(connection, found["id"], start=first, length=2 * HEX_AROUND)
    return [*hex_dump(some, first=first, mark=mark), f"… of {length} bytes"]


def _show(found: dict[str, Any], dump: list[str]) -> None:
    _say(f"message {found['id']}")
    for name in HEAD:
        value = " ".join(found[name]) if isinstance(found[name], list) else found[name]
        if value not in {None, ""}:
            _say(f"  {name:<14} {value}")
    _part("bytes" if dump else "text", dump or str(found.get("text", "")).splitlines())
    if why := found.get("unreadable"):
        _part("cannot be read", [f"{why['code']} {why['text']}", f"to be mended by: {why['mender']}"])
    _part("as it would read", [_reading(one) for one in found.get("readings", ())])
    _part("fields", [line for segment in found.get("tree", ()) for line in _segment(segment)])
    _part("answer", str(found["ack"] or "none").splitlines())
    for name in ("resent", "actions", "replay", "reply", "resources"):
        _part(name, [_row(one) for one in found[name]])
    for name, some in found["linked"].items():
        _part(name, [_row(one) for one in some])
    if "ledger" in found:
        accounts.show(found["ledger"])


def _reading(one: dict[str, Any]) -> str:
    fits = "every byte fits" if one["fits"] else f"not byte {one['first_bad_byte']}, {one['at']}"
    return f"{one['encoding']:<8} ({one['reason']}) {fits}: {one['preview']}"


def _segment(segment: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for field in segment["fields"]:
        lines += _node(field, 0)
    return lines


def _node(node: dict[str, Any], depth: int) -> list[str]:
    head = f"{'  ' * depth}{node['path']:<14} {node['name']}"
    if "parts" not in node:
        return [f"{head}: {visible(node['value'])}"]
    return [head, *(line for part in node["parts"] for line in _node(part, depth + 1))]


def _row(one: dict[str, Any]) -> str:
    return "  ".join(f"{name}={value}" for name, value in one.items() if value not in {None, ""})


def _part(title: str, lines: list[str]) -> None:
    if lines:
        _say("")
        _say(title)
        for line in lines:
            _say(f"  {line}")


def _say(text: str) -> None:
    # What is shown was written by a sender: nothing that a terminal would obey gets through.
    safe = "".join(sign if sign.isprintable() or sign == "\t" else "·" for sign in text)
    OUT.print(safe, markup=False, highlight=False, soft_wrap=True)
