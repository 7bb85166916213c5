"""Worker processes: whoever dies is buried and replaced, under the same name, so that its leases are the next one's."""

import logging
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess

from adapter.log import event
from adapter.store.incidents import Incidents

PAUSE_SECONDS = 1.0
"""Between a death and the next life: a worker that cannot start must not keep a core busy."""


class Crew:
    """Keeps one process alive for each name."""

    def __init__(self, names: Sequence[str], start: Callable[[str], SpawnProcess], incidents: Incidents) -> None:
        """Start them, and a thread that looks after them and notes who died."""
        self._start, self._incidents = start, incidents
        self._stopping = threading.Event()
        self._alive = {name: start(name) for name in names}
        self._thread = threading.Thread(target=self._look_after, name="crew", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask all to end, and return when they have."""
        self._stopping.set()
        for process in self._alive.values():
            process.terminate()
        self._thread.join()
        for process in self._alive.values():
            process.terminate()  # one that was started meanwhile
            process.join()

    def _look_after(self) -> None:
        while not self._stopping.is_set():
            wait([process.sentinel for process in self._alive.values()])
            if self._stopping.wait(PAUSE_SECONDS):
                return
            for name, process in self._alive.items():
                if not process.is_alive():
                    event("worker_died", level=logging.ERROR, worker=name, exit_code=process.exitcode)
                    self._incidents.note("worker_died", detail=f"exit code {process.exitcode}")
                    self._alive[name] = self._start(name)
