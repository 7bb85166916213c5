"""Write adapter/demo/trial.zip: the streams of a few patients, taken from the reference cohort.

    python docs/make_demo_trial.py ../shared/cohort/messages

Every message of the chosen subjects (and their donors) is copied byte for byte, in the order of sending.
"""

import csv
import sys
import zipfile
from pathlib import Path

SUBJECTS = ("ATLI-02", "ATLI-04", "ATLI-07", "ATLI-18", "ATLI-20", "ATLI-21", "ATLI-25")
EPOCH = (1980, 1, 1, 0, 0, 0)


def main(cohort: Path, target: Path) -> None:
    """Read the cohort's manifest and streams, write the archive (same input, same bytes)."""
    files: dict[str, bytes] = {}
    streams: dict[str, bytearray] = {}
    with (cohort / "manifest.tsv").open(encoding="utf-8", newline="") as manifest:
        for row in csv.DictReader(manifest, delimiter="\t"):
            if row["subject"].split(" ")[0] not in SUBJECTS:
                continue
            start, length = int(row["offset"]), int(row["length"])
            if row["file"] not in files:
                files[row["file"]] = (cohort / row["file"]).read_bytes()
            content = files[row["file"]][start : start + length]
            streams.setdefault(row["file"], bytearray()).extend(content)
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in sorted(streams.items()):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, bytes(content), compresslevel=9)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parents[1] / "adapter" / "demo" / "trial.zip")
