"""The log: one JSON object a line on stderr, holding an event and ids, never the contents of a message."""

import json
import logging
import sys
from datetime import UTC, datetime
from types import TracebackType

Scalar = str | int | float | bool | None

_LOGGER = logging.getLogger("adapter")
_LONGEST = 200


def configure(level: str = "INFO") -> None:
    """Send this process's events from `level` upwards, and the warnings of its libraries, to stderr."""
    handler = logging.StreamHandler(sys.stderr)
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
