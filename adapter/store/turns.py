"""A lock that is taken in the order of asking.

`threading.Lock` may be taken again by the thread that has just released it: a busy worker would keep the intake
waiting for seconds, until hospitals give up.
"""

import threading
from collections import deque


class Turns:
    """Mutual exclusion, first come first served."""

    def __init__(self) -> None:
        """Nobody has the turn."""
        self._mutex = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Lock] = deque()

    def acquire(self, *, timeout: float) -> bool:
        """Wait for the turn, at most `timeout` seconds; return whether it came."""
        with self._mutex:
            if not self._taken:
                self._taken = True
                return True
            gate = threading.Lock()
            gate.acquire()
            self._waiting.append(gate)
        if gate.acquire(timeout=timeout):
            return True
        with self._mutex:
            if gate in self._waiting:
                self._waiting.remove(gate)
                return False
        return True  # handed over in the moment of giving up

    @property
    def wanted(self) -> bool:
        """Whether anybody waits."""
        return bool(self._waiting)

    def release(self) -> None:
        """Hand the turn to whoever has waited longest."""
        with self._mutex:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._taken = False
