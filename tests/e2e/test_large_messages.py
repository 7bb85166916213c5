"""A message with a document of 50 MB through the real program: kept whole, converted, served, in bounded memory."""

import base64
import hashlib
import re
from pathlib import Path

import httpx
import pytest

from adapter.wire.mllp import encode
from tests.e2e.bad_messages import fahzu, original
from tests.e2e.stand import Adapter, adapter
from tests.integration.intake_stand import OBR, OBX, PID

MEGABYTES = 37
MOST = 400 * 1024
"""Kilobytes of memory that the program may ever have taken."""

DOCUMENT = hashlib.shake_256(b"a document").digest(MEGABYTES * 1024 * 1024)


def with_document(number: str, patient: str) -> tuple[str, ...]:
    text = base64.b64encode(DOCUMENT).decode()
    told = f"OBX|2|ED|PDF^Report^L||^application^pdf^Base64^{text}||||||F"
    return PID.replace("00A90001", patient), OBR.replace("0001", number), OBX, told


def most_memory(it: Adapter) -> int:
    """VmHWM: the most that the process ever had, in kilobytes."""
    status = Path(f"/proc/{it.program.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found
    return int(found[1])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the memory of a process is read in /proc")
def test_a25_a28_document_of_50_mb_is_kept_whole_in_bounded_memory(tmp_path: Path):
    over_mllp = fahzu("A28", *with_document("0A28", "00A90A28"))
    over_http = original("A25", *with_document("0A25", "00A90A25"))
    assert len(over_mllp) > 49 * 1024 * 1024
    with adapter(tmp_path, stall_seconds="60") as it:
        (answer,) = it.converse(encode(over_mllp))
        assert b"MSA|CA|A28" in answer
        assert b"MSA|AA|A25" in it.post(over_http).content
        for number, raw in (("A28", over_mllp), ("A25", over_http)):
            row = it.settled(number)
            assert (row["state"], row["part_bytes"]) == ("mapped", len(raw))
            parts = it.rows("SELECT data FROM message_part WHERE message_id = ? ORDER BY number", row["id"])
            assert hashlib.sha256(b"".join(part["data"] for part in parts)).digest() == hashlib.sha256(raw).digest()
        name = hashlib.sha256(DOCUMENT).hexdigest()
        served = httpx.get(f"{it.program.base}/fhir/Binary/{name}", headers=it.headers, timeout=60)
        assert served.status_code == 200
        assert hashlib.sha256(served.content).hexdigest() == name
        assert most_memory(it) < MOST
