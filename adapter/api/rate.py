"""How often one client may come: so many times a second, and after a pause that many at once."""

import math
import time
from collections.abc import Callable

_MOST = 10_000  # clients in memory: a flood from many addresses must not fill it
_ROUNDING = 1e-6  # seconds


class Rate:
    """A token bucket for each client, kept as the one number that it needs: when it will be full again."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        """Let every client come `per_second` times a second."""
        self._pause, self._clock = 1 / per_second, clock
        self._burst = max(1.0, self._pause)
        self._full_at: dict[str, float] = {}

    def wait(self, client: str) -> int:
        """Count one request of a client.

        Returns:
            0 when it may go on; else the seconds after which it may come again, and it is not counted.
        """
        now = self._clock()
        full_at = max(self._full_at.get(client, now), now) + self._pause
        early = full_at - now - self._burst
        if early > _ROUNDING:
            return math.ceil(early)
        if client not in self._full_at and len(self._full_at) >= _MOST:
            self._forget(now)
        self._full_at[client] = full_at
        return 0

    def _forget(self, now: float) -> None:
        """Whoever's bucket is full is as a new client; if all have come just now, the first is forgotten."""
        self._full_at = {client: at for client, at in self._full_at.items() if at > now}
        if len(self._full_at) >= _MOST:
            del self._full_at[next(iter(self._full_at))]
