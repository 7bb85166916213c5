"""Room on the disk that holds the SQLite file: when there is none, intake stops before the disk does."""

import os
from pathlib import Path

CLOSED_BELOW = 0.01
OPEN_AGAIN_AT = 0.05
"""Shares of the disk: below the first nothing is received, until the second is free again (F6)."""


class Space:
    """Watches the disk of one folder."""

    def __init__(self, folder: Path) -> None:
        """Begin with the room there is."""
        self._folder, self._full = folder, False

    def note_full(self) -> None:
        """A write found no room, whatever the figures say."""
        self._full = True

    @property
    def enough(self) -> bool:
        """Whether messages may be received: the disk can be written (F9), and is not full (F6)."""
        try:
            disk = os.statvfs(self._folder)
        except OSError:
            return False
        if disk.f_flag & os.ST_RDONLY:
            return False
        self._full = disk.f_bavail / max(disk.f_blocks, 1) < (OPEN_AGAIN_AT if self._full else CLOSED_BELOW)
        return not self._full
