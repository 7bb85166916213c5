"""The command line: `adapter`. Each command is a module of its own, imported only when it is asked for."""

import os
import sys
from importlib import import_module
from keyword import iskeyword

import typer

from adapter.errors import AdapterError, StorageBroken

COMMANDS = {
    "serve": "serve",
    "convert": "convert_files",
    "token": "token",
    "send": "send",
    "messages": "messages",
    "message": "message",
    "incidents": "incidents",
    "requeue": "requeue",
    "release": "release",
    "same-person": "same_person",
    "as-sent": "as_sent",
    "unmerge": "unmerge",
    "replay": "replay",
    "import": "import_file",
    "confirm": "confirm",
    "doctor": "doctor",
    "backup": "backup",
    "restore": "restore",
    "check": "check",
    "site": "site",
    "coverage": "coverage",
    "codes": "codes",
    "queries": "queries",
    "diff": "diff",
    "report": "report",
    "guide": "guide",
    "demo": "demo",
}
"""Name of the command, which is that of its module (`import_` for `import`), and its function there."""

HELP = (
    "HL7 v2 messages of a multi-centre cell-therapy trial in, FHIR R4 out.\n\n"
    "First steps: [bold]adapter demo[/] runs a small whole trial; [bold]adapter convert FILE[/] shows what one "
    "message becomes; [bold]adapter serve --data DIR[/] is the service itself."
)


def main() -> None:
    """Entry point: an error of the tree becomes one line that says what, and who mends it."""
    asked = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        _application([asked] if asked in COMMANDS else list(COMMANDS))()
    except AdapterError as error:
        print(
            f"adapter: {error.text}\n         {error.code}, to be mended by: {error.mender}",
            file=sys.stderr,
            flush=True,
        )
        if isinstance(error, StorageBroken):
            os._exit(2)  # an orderly end would let SQLite sync once more, and believe the answer
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


def _application(names: list[str]) -> typer.Typer:
    """The command line with these commands: `serve` must not wait for what the others import."""
    app = typer.Typer(
        no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich", help=HELP
    )
    app.callback()(_all_commands)
    for name in names:
        app.command(name)(getattr(import_module(f"adapter.cli.{_module(name)}"), COMMANDS[name]))
    return app


def _module(name: str) -> str:
    return f"{name}_" if iskeyword(name) else name.replace("-", "_")


def _all_commands() -> None:
    """Typer would otherwise take a single command for the whole program."""
