"""Temporary files are kept in memory where there is room: thousands of commits would wait for the disk.

Loaded by pytest itself (`-p` in pyproject.toml), before anything asks where temporary files go. Whoever sets TMPDIR
decides. What a cut of power leaves is tried on a disk that remembers its writes (tests/durability/power.py).
"""

import os
import shutil
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")
_ROOM = 4 << 30

if "TMPDIR" not in os.environ and os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM:
    os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)
