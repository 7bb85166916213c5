"""`adapter demo`: see the main job done."""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from adapter.cli.terminal import OUT
from adapter.demo.play import play


def demo(
    data: Annotated[Path | None, typer.Option(help="Keep the data here; default: a folder that is removed.")] = None,
) -> None:
    """Run a small whole trial: four hospitals send, FHIR answers.

    Starts the real program on free ports of this machine, sends seven patients' messages, each hospital over its own
    transport, waits until all are converted, and asks the FHIR API what a central site would ask. In a terminal it
    then keeps serving until Ctrl-C; elsewhere it ends, with exit code 0 when every message was accepted.
    """
    with tempfile.TemporaryDirectory(prefix="adapter-demo-") as folder:
        try:
            fine = asyncio.run(play(data or Path(folder), OUT, keep_serving=sys.stdout.isatty()))
        except KeyboardInterrupt:
            fine = True
    raise typer.Exit(0 if fine else 1)
