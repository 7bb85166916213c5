"""The independent validator of ../shared/tools: Medplum's, with required bindings, invariants and profiles."""

import json as plain_json
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from adapter.data import data_folder

TOOLS = Path(__file__).parents[2].parent / "shared" / "tools"
PROFILES = data_folder("profiles")
MINUTES = 60

_WITH_EXTENSION = "R4 lets a code carry extensions; the validator then takes it for a Coding without a code"
EXCEPTIONS: dict[str, str] = {
    "AllergyIntolerance.category[0]: none of '|' is in required": _WITH_EXTENSION,
    "AllergyIntolerance.criticality: none of '|' is in required": _WITH_EXTENSION,
    "address[0].use: none of '|' is in required": _WITH_EXTENSION,
    "address[1].use: none of '|' is in required": _WITH_EXTENSION,
    ".address.use: none of '|' is in required": _WITH_EXTENSION,
}
"""Findings that are wrong, or told on purpose: a text that the finding contains, and why it is let pass."""


def findings(validator: Path, file: Path) -> list[str]:
    """What the validator calls an error: `Type/id: text`."""
    command = ["node", "validate.mjs", "--modules", str(validator), "--def", str(PROFILES), "--json", str(file)]
    done = subprocess.run(command, cwd=validator, capture_output=True, text=True, timeout=4 * MINUTES, check=False)
    # Node ends with 1 where it cannot start, too: only the last line tells that everything was looked at.
    assert " resources (" in done.stdout.rstrip().rpartition("\n")[2], done.stderr
    lines = [plain_json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [f"{line['id']} {one['path']}: {one['message']}" for line in lines for one in line["issues"]]


def unexplained(validator: Path, resources: Iterable[bytes], folder: Path) -> Counter[str]:
    """The findings that no exception explains, counted; ids are left out of the text."""
    file = folder / "made.ndjson"
    file.write_bytes(b"\n".join(resources) + b"\n")
    found = findings(validator, file)
    return Counter(one.partition(" ")[2] for one in found if not any(text in one for text in EXCEPTIONS))
