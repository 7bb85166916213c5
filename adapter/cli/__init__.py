"""The command line: `adapter`. Each command has its own file; this one puts them together."""

import sys

import typer

from adapter.cli import check, convert, demo, messages, send, serve
from adapter.errors import AdapterError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="HL7 v2 messages of a multi-centre cell-therapy trial in, FHIR R4 out.\n\n"
    "First steps: [bold]adapter demo[/] runs a small whole trial; [bold]adapter convert FILE[/] shows what one "
    "message becomes; [bold]adapter serve --data DIR[/] is the service itself.",
)
app.command("serve")(serve.serve)
app.command("convert")(convert.convert_files)
app.command("send")(send.send)
app.command("messages")(messages.messages)
app.command("check")(check.check)
app.command("demo")(demo.demo)


def main() -> None:
    """Entry point: an error of the tree becomes one line that says what, and who mends it."""
    try:
        app()
    except AdapterError as error:
        print(f"adapter: {error.text}\n         {error.code}, to be mended by: {error.mender}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
