"""MLLP clients that others wrote, unchanged, against the real program: each understands our acknowledgement."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import hl7
import pytest
from hl7.client import MLLPClient

from adapter.hl7v2.parse import parse
from adapter.wire.mllp import encode
from tests.e2e.stand import Adapter, adapter
from tests.integration.intake_stand import OBR, OBX, PID, header, message

CLIENTS = Path(__file__).parent / "clients"
INSTALLED = Path(sys.prefix) / "mllp-clients"
MODES = {"original": ({"msh_15": "", "msh_16": ""}, "AA"), "enhanced": ({"msh_15": "AL", "msh_16": "NE"}, "CA")}
modes = pytest.mark.parametrize("mode", MODES)


def messages(mode: str, client: str) -> list[bytes]:
    """Five results with Chinese text, each with a control id of its own."""
    fields, _ = MODES[mode]
    return [message(header(msh_10=number, **fields), PID, OBR, OBX) for _, number in understood(mode, client)]


def understood(mode: str, client: str) -> list[tuple[str, str]]:
    """What a client must have read in our answers: MSA-1 and MSA-2."""
    return [(MODES[mode][1], f"{client}-{mode}-{number}") for number in range(5)]


def stored(it: Adapter, mode: str, client: str) -> list[bytes]:
    """What the database holds of a client, in the order of storing."""
    rows = it.rows("SELECT raw FROM message WHERE control_id LIKE ? ORDER BY id", f"{client}-{mode}-%")
    return [row["raw"] for row in rows]


@pytest.fixture(scope="module")
def it(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Adapter]:
    """The program."""
    with adapter(tmp_path_factory.mktemp("data")) as it:
        yield it


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """The clients of the lock file, from the registry, kept for the next run."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node or npm is not here")
    wanted = (CLIENTS / "package-lock.json").read_bytes()
    lock = INSTALLED / "package-lock.json"
    if not ((INSTALLED / "node_modules").is_dir() and lock.is_file() and lock.read_bytes() == wanted):
        INSTALLED.mkdir(exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(CLIENTS / name, INSTALLED)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--engine-strict=false"]
        done = subprocess.run(command, cwd=INSTALLED, capture_output=True, text=True, check=False, timeout=240)
        if done.returncode:
            shutil.rmtree(INSTALLED)
            pytest.skip(f"npm could not fetch the clients: {done.stderr.strip()[-200:]}")
    return INSTALLED / "node_modules"


@modes
def test_pypi_hl7_client_sends_over_one_connection(it: Adapter, mode: str) -> None:
    sent = messages(mode, "MLLPClient")
    with MLLPClient(*it.program.mllp) as client:
        answers = [hl7.parse(client.send_message(one.decode())[1:-2].decode()) for one in sent]
    assert [(str(ack["MSA.F1"]), str(ack["MSA.F2"])) for ack in answers] == understood(mode, "MLLPClient")
    assert stored(it, mode, "MLLPClient") == sent


@modes
@pytest.mark.parametrize("loose", [False, True], ids=["framed", "loose"])
def test_pypi_mllp_send_sends_a_file(it: Adapter, mode: str, tmp_path: Path, loose: bool) -> None:
    client = "loose" if loose else "framed"
    sent = messages(mode, client)
    file = tmp_path / "messages"
    file.write_bytes(b"".join(sent).replace(b"\r", b"\r\n") if loose else b"".join(map(encode, sent)))
    host, port = it.program.mllp
    command = [Path(sys.executable).with_name("mllp_send"), "--port", str(port), "--file", file]
    done = subprocess.run(
        [*command, *(["--loose"] if loose else []), host], capture_output=True, check=True, timeout=60
    )
    answers = [hl7.parse(one.decode().strip("\x0b\x1c\r\n") + "\r") for one in done.stdout.split(b"\x1c\r\n")[:-1]]
    assert [(str(ack["MSA.F1"]), str(ack["MSA.F2"])) for ack in answers] == understood(mode, client)
    # mllp_send strips the end of the last segment.
    assert stored(it, mode, client) == [one.rstrip(b"\r") for one in sent]


@modes
@pytest.mark.parametrize("client", ["simple-hl7", "node-hl7-client"])
def test_npm_client_sends_over_one_connection(
    it: Adapter, mode: str, client: str, node_modules: Path, tmp_path: Path
) -> None:
    sent = messages(mode, client)
    file = tmp_path / "messages.json"
    file.write_text(json.dumps([one.decode() for one in sent]))
    command = ["node", CLIENTS / f"{client}.js", str(it.program.mllp[1]), file, "2.5.1"]
    environment = {**os.environ, "NODE_PATH": str(node_modules)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr[-1000:]
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["code"], one["controlId"]) for one in answers] == understood(mode, client)
    # The clients write the message anew from what they have parsed.
    kept = [parse(raw) for raw in stored(it, mode, client)]
    assert [one.text("MSH-10") for one in kept] == [number for _, number in understood(mode, client)]
    assert {(one.text("OBR-4.2"), one.text("PID-5.1")) for one in kept} == {("血常规", "试")}
