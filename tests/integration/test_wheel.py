"""The wheel, in an empty environment away from the checkout, is a whole program."""

import os
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from uv import find_uv_bin

PROJECT = Path(__file__).resolve().parents[2]
VERSION = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
SECONDS_TO_BE_READY = 30


def run(*command: str | Path, cwd: Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a program as somebody would who knows nothing of the checkout."""
    done = subprocess.run(command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done


OURS = ("ADAPTER_", "PYTHON", "VIRTUAL_ENV", "UV_PROJECT", "PYTEST_")
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}


@dataclass(frozen=True)
class Installation:
    """A wheel, the environment it is installed in, and a folder to work in."""

    wheel: Path
    bin: Path
    folder: Path

    def adapter(self, *arguments: str) -> str:
        return run(self.bin / "adapter", *arguments, cwd=self.folder).stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Build and install as docker/Dockerfile does: locked dependencies first, then the wheel alone."""
    folder = tmp_path_factory.mktemp("away")
    uv, python = find_uv_bin(), folder / "venv/bin/python"
    run(uv, "build", "--wheel", "--quiet", "--python", sys.executable, "--out-dir", folder / "dist", cwd=PROJECT)
    [wheel] = (folder / "dist").glob("*.whl")
    requirements = folder / "requirements.txt"
    run(
        uv, "export", "--frozen", "--no-dev", "--no-emit-project", "--quiet", "--output-file", requirements, cwd=PROJECT
    )  # fmt: skip
    run(uv, "venv", "--quiet", "--python", sys.executable, folder / "venv", cwd=folder)
    install = (uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python)
    run(*install, "--require-hashes", "--requirement", requirements, cwd=folder)
    run(*install, "--no-deps", wheel, cwd=folder)
    return Installation(wheel, folder / "venv/bin", folder)


def test_the_wheel_carries_the_whole_package_and_both_data_folders(installed: Installation) -> None:
    with zipfile.ZipFile(installed.wheel) as wheel:
        carried = set(wheel.namelist())
    assert carried >= {name for name in files("adapter") if "/_data/" not in name}
    assert carried >= {f"adapter/_data/{name}" for data in ("mappings", "profiles") for name in files(data)}
    assert f"hl7v2_fhir_adapter-{VERSION}.dist-info/licenses/LICENSE" in carried


def files(folder: str) -> set[str]:
    found = (path for path in (PROJECT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(PROJECT).as_posix() for path in found}


def test_the_installed_program_does_not_lean_on_the_checkout(installed: Installation) -> None:
    where = "from adapter.data import data_folder; print(data_folder('mappings'), data_folder('profiles'))"
    told = run(installed.bin / "python", "-c", where, cwd=installed.folder).stdout
    assert all(path.startswith(str(installed.folder)) for path in told.split()), told


def test_help_names_every_command(installed: Installation) -> None:
    told = installed.adapter("--help")
    assert {"serve", "convert", "send", "check", "demo"} <= set(told.split())


def test_check_finds_the_mappings_in_order(installed: Installation) -> None:
    installed.adapter("check")


def test_the_installed_server_becomes_ready_and_stops_when_asked(installed: Installation) -> None:
    mllp, http = free_port(), free_port()
    data = installed.folder / "data"
    command = [
        str(installed.bin / "adapter"), "serve", "--data", str(data),
        "--mllp", f"127.0.0.1:{mllp}", "--http", f"127.0.0.1:{http}",
    ]  # fmt: skip
    log = installed.folder / "log"
    with (
        log.open("w") as stderr,
        subprocess.Popen(command, cwd=installed.folder, env=ENVIRONMENT, stderr=stderr) as server,
    ):
        try:
            assert becomes_ready(server, http), log.read_text()
            socket.create_connection(("127.0.0.1", mllp), timeout=5).close()
            server.send_signal(signal.SIGTERM)
            assert server.wait(timeout=15) == 0, log.read_text()
        finally:
            server.kill()
    assert data.is_dir()


def becomes_ready(server: subprocess.Popen[bytes], port: int) -> bool:
    until = time.monotonic() + SECONDS_TO_BE_READY
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=2) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.05)
    return False


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]
