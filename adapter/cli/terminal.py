"""What the commands share with the terminal: consoles, progress bars, files with messages."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from adapter.errors import ConfigurationError, TooLarge
from adapter.hl7v2 import batch
from adapter.hl7v2.units import units

OUT = Console()
ERR = Console(stderr=True)
_LARGEST = 1024**3


def shown(text: str) -> str:
    """What a sender wrote, as it is: no markup, and nothing that a terminal would obey."""
    return escape("".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text))


def progress() -> Progress:
    """A progress bar on stderr; silent where stderr is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=ERR, disable=not sys.stderr.isatty())


def read_units(files: Iterable[Path]) -> Iterator[tuple[str, int, bytes]]:
    """As `read_messages`; a batch comes whole, with its envelope."""
    for file in files:
        try:
            with sys.stdin.buffer if str(file) == "-" else file.open("rb") as content:
                for number, unit in enumerate(units(content.read, limit=_LARGEST), 1):
                    yield str(file), number, unit
        except OSError as error:
            raise ConfigurationError(f"{file} cannot be read: {error.strerror}") from error
        except TooLarge as error:
            raise ConfigurationError(f"{file}: {error.text}") from error


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
