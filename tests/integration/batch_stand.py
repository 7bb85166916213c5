"""Synthetic batches, and an intake whose sites answer them as a test wants."""

import shutil
from pathlib import Path

from adapter.data import data_folder
from adapter.mapper.catalog import Catalog, load_catalog
from tests.integration.intake_stand import result

HEAD = "BHS|^~\\&|LIS|FAHZU|HUB|CENTRAL|20180101080000+0800||||{}\r"


def numbered(count: int, *, first: int = 0, **changed: str) -> list[bytes]:
    """So many results, each with a control id of its own."""
    return [result(msh_10=f"M{number}", **changed) for number in range(first, first + count)]


def batch(*messages: bytes, said: int | str | None = None, control_id: str = "BATCH1", end: bool = True) -> bytes:
    """A batch of these messages; `said` is BTS-1, by default the truth."""
    trailer = f"BTS|{len(messages) if said is None else said}\r" if end else ""
    return HEAD.format(control_id).encode() + b"".join(messages) + trailer.encode()


def lines(answer: bytes | None, *names: str) -> list[str]:
    """The segments of these names in an answer."""
    assert answer is not None
    return [line for line in answer.decode().split("\r") if line[:3] in names]


def agreed(folder: Path, site: str, policy: str, *, processing: str = "[P]") -> Catalog:
    """The mappings of the project, where this site has this `intake:` and these processing ids."""
    copy = Path(shutil.copytree(data_folder("mappings"), folder / "mappings"))
    file = copy / "sites" / site.lower() / "site.yaml"
    said = file.read_text(encoding="utf-8").replace("processing: [P]", f"processing: {processing}")
    file.write_text(f"{said}\nintake: {policy}\n", encoding="utf-8")
    return load_catalog(copy)
