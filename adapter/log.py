"""The log: one JSON object a line on stderr, holding an event and ids, never the contents of a message."""

import json
import logging
import os
import select
import sys
from datetime import UTC, datetime
from types import TracebackType
from typing import TextIO

Scalar = str | int | float | bool | None

_LOGGER = logging.getLogger("adapter")
_LONGEST = 200
_LOST = {"name": _LOGGER.name, "msg": "log_lines_dropped", "levelno": logging.WARNING, "levelname": "WARNING"}


def configure(level: str = "INFO") -> None:
    """Send this process's events from `level` upwards, and the warnings of its libraries, to stderr."""
    handler = _Stderr()
    handler.setFormatter(_JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    _LOGGER.setLevel(level)


def event(name: str, *, level: int = logging.INFO, failure: BaseException | None = None, **ids: Scalar) -> None:
    """Log one event.

    Args:
        name: what happened, in the past tense: `message_stored`.
        level: a level of the standard library.
        failure: the exception behind it; only its type and place are logged, since its text may hold data.
        ids: numbers, codes and ids that say where. Of a text over 200 characters only the length is logged.

    Raises:
        TypeError: a value is not a scalar, so it could carry the contents of a message.
    """
    if _LOGGER.isEnabledFor(level):
        line = {key: _logged(key, value) for key, value in ids.items()}
        _LOGGER.log(level, name, exc_info=failure, extra={"ids": line})


def _logged(key: str, value: object) -> object:
    if not isinstance(value, Scalar):
        raise TypeError(f"{key} is a {type(value).__name__}; only scalars are logged")
    return f"<{len(value)} characters>" if isinstance(value, str) and len(value) > _LONGEST else value


def dropped() -> int:
    """How many lines of this process could not be written (F31)."""
    return sum(one.dropped for one in logging.getLogger().handlers if isinstance(one, _Stderr))


class _Stderr(logging.Handler):
    """Writes lines while they can be written: a full disk or a stuck reader must not hold a message up (F31)."""

    def __init__(self) -> None:
        super().__init__()
        self.dropped = 0
        self._told = 0

    def emit(self, record: logging.LogRecord) -> None:
        if not self._write(self.format(record)):
            self.dropped += 1
        elif self.dropped > self._told:
            missing, self._told = self.dropped - self._told, self.dropped
            lost = {"ids": {"count": missing}}
            self._write(self.format(logging.makeLogRecord(_LOST | lost)))

    def _write(self, line: str) -> bool:
        number = _file(sys.stderr)
        if number is None:
            sys.stderr.write(line + "\n")
            return True
        try:
            # Not through the stream: it would keep what could not be written, and try again and again.
            return _has_room(number) and os.write(number, f"{line}\n".encode()) > 0
        except OSError:
            return False


def _file(stream: TextIO) -> int | None:
    """The file descriptor; None for a stream in memory."""
    try:
        return stream.fileno()
    except OSError:
        return None


def _has_room(number: int) -> bool:
    """Whether a line can be written at once: a pipe that is full would wait for its reader."""
    poll = select.poll()
    poll.register(number, select.POLLOUT)
    return any(flags & select.POLLOUT for _, flags in poll.poll(0))


class _JsonLines(logging.Formatter):
    """Formats a record as one line of JSON. Of a library's record only the place is told: its text may hold data."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        ours = record.name == _LOGGER.name
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "event": record.getMessage() if ours else "library_warning",
        }
        line |= getattr(record, "ids", {}) if ours else {"logger": record.name, "line": record.lineno}
        if record.exc_info and record.exc_info[0]:
            line |= {"exception": record.exc_info[0].__name__, "raised_at": _place(record.exc_info[2])}
        return json.dumps(line, ensure_ascii=False)


def _place(trace: TracebackType | None) -> str:
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
