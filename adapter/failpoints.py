"""Places where a test may kill the process, as `kill -9` would, between two steps of a message.

`ADAPTER_FAILPOINT=NAME[:N]` names one; the N-th time it is reached, the process ends at once. Without it nothing
happens. In the order of a message: before_commit, after_commit (intake), before_ack, after_ack (listener), claimed,
converted, before_write (all is written, nothing committed), after_write (worker).
"""

import os
import signal

VARIABLE = "ADAPTER_FAILPOINT"
POINTS = frozenset("before_commit after_commit before_ack after_ack claimed converted before_write after_write".split())

_armed: dict[str, int] = {}


def arm(text: str) -> None:
    """Choose the place: `after_commit`, `after_commit:3`, or nothing at all.

    Raises:
        ValueError: there is no such place.
    """
    _armed.clear()
    if not text:
        return
    name, _, times = text.partition(":")
    if name not in POINTS:
        raise ValueError(f"no such failpoint: {name}")
    _armed[name] = int(times or 1)


def reach(name: str) -> None:
    """Say that the process is here."""
    if _armed and name in _armed:
        _armed[name] -= 1
        if not _armed[name]:
            os.kill(os.getpid(), signal.SIGKILL)


arm(os.environ.get(VARIABLE, ""))
