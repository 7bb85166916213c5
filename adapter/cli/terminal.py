"""What the commands share with the terminal: consoles, progress bars, files with messages."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from adapter.errors import ConfigurationError
from adapter.hl7v2 import batch

OUT = Console()
ERR = Console(stderr=True)


def shown(text: str) -> str:
    """What a sender wrote, as it is: no markup, and nothing that a terminal would obey."""
    return escape("".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text))


def progress() -> Progress:
    """A progress bar on stderr; silent where stderr is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=ERR, disable=not sys.stderr.isatty())


def read_messages(files: Iterable[Path]) -> Iterator[tuple[str, int, bytes]]:
    """Every message of the files (`-` is standard input), with the file's name and its number there.

    Raises:
        ConfigurationError: a file cannot be read.
    """
    for file in files:
        try:
            content = sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()
        except OSError as error:
            raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from error
        for number, message in enumerate(batch.messages(content), 1):
            yield str(file), number, message
