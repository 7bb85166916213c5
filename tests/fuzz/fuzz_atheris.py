"""The same laws with a fuzzer that is led by what code it reaches; for a machine where atheris is installed.

    pip install atheris; python -m tests.fuzz.fuzz_atheris -max_total_time=600 [CORPUS]

atheris is no dependency of the project. It begins with the examples, which it writes into a temporary corpus when none
is named; the options are libFuzzer's.
"""

import sys
import tempfile
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from zlib import crc32


def main() -> None:
    """Fuzz until libFuzzer has enough, or a law is broken."""
    atheris = import_module("atheris")
    with atheris.instrument_imports(include=["adapter"]):
        data, catalog, mllp = map(import_module, ("adapter.data", "adapter.mapper.catalog", "adapter.wire.mllp"))
        laws, streams = map(import_module, ("tests.fuzz.laws", "tests.fuzz.streams"))
    held = laws.Laws(catalog.load_catalog(data.data_folder("mappings")))
    with tempfile.TemporaryDirectory(prefix="adapter-fuzz-") as corpus:
        arguments = list(sys.argv)
        if all(one.startswith("-") for one in arguments[1:]):
            arguments.append(corpus)
            for raw in streams.examples():
                (Path(corpus) / sha256(raw).hexdigest()).write_bytes(mllp.encode(raw))
        atheris.Setup(arguments, lambda stream: held.hold(stream, crc32(stream)))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
