"""What several integration tests share, because it takes a minute to make."""

import asyncio
import fcntl
import pickle
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.cohort_world import World, play
from tests.integration.validator_stand import MINUTES, TOOLS


@pytest.fixture(scope="session")
def played_cohort(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> World:
    """The reference cohort after all four streams were sent; played by one of pytest's workers for all of them."""
    own = tmp_path_factory.getbasetemp()
    shared = own if worker_id == "master" else own.parent
    kept = shared / "cohort.pickle"
    with (shared / "cohort.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not kept.exists():
            (shared / "cohort").mkdir()
            kept.write_bytes(pickle.dumps(asyncio.run(play(shared / "cohort"))))
    return pickle.loads(kept.read_bytes())


@pytest.fixture(scope="session")
def validator(request: pytest.FixtureRequest) -> Path:
    """The folder with the validator and what it needs; installed once, then kept in pytest's cache."""
    if not TOOLS.is_dir():
        pytest.skip("the independent validator (../shared/tools) is not here")
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed: the independent validator cannot run")
    assert request.config.cache is not None
    folder = Path(request.config.cache.mkdir("validator"))
    shutil.copytree(TOOLS, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("node_modules"))
    if not (folder / "node_modules").is_dir():
        command = ["npm", "install", "--engine-strict=false", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=4 * MINUTES, check=False)
        if done.returncode:
            shutil.rmtree(folder / "node_modules", ignore_errors=True)
            pytest.skip("npm could not install what the independent validator needs")
    return folder
