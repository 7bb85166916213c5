"""Processor time of one message on its way to the inbox, step by step, without network and storage.

    python bench/receive.py [--messages N] [--rounds R]

The same ORU^R01 as in `intake.py`; for each step the best round, and how many messages a second one core could take if
that were all. The last line is `Intake.receive` as the listeners call it, with a writer that stores nothing: what it
takes no database can give back, so it bounds the rates of `intake.py`.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from typing import Any
from unittest.mock import patch

import load

from adapter.app import settle
from adapter.data import data_folder
from adapter.hl7v2.ack import acknowledge
from adapter.hl7v2.parse import header, parse
from adapter.intake import Intake
from adapter.intake.checks import read
from adapter.intake.draft import Arrival, Draft
from adapter.intake.marks import content, digest, lane
from adapter.intake.origin import Origin
from adapter.intake.storing import Stored
from adapter.intake.writer import Writer
from adapter.listeners import Channel
from adapter.mapper.catalog import Catalog, load_catalog
from adapter.store.database import open_database
from adapter.store.incidents import Incidents
from adapter.wire.mllp import Decoder

CHANNEL = Channel("mllp")
PEER = "127.0.0.1:50000"
WHOLE = "all of Intake.receive"


class _Stored:
    """What a writer without a disk answers at once."""

    def __init__(self, record: Any) -> None:
        self._record = record

    def __await__(self) -> Generator[None, None, Stored]:
        yield from ()
        return Stored(1, self._record.ack, ack_code=self._record.ack_code, message=self._record)


def steps(frames: Sequence[bytes], catalog: Catalog) -> dict[str, Callable[[int], object]]:
    """Each step for the message of a number."""
    raws = [frame[1:-2] for frame in frames]
    read_before = [read(raw, catalog, CHANNEL) for raw in raws]
    now, decoder, seen = datetime.now(UTC), Decoder(), "H2F00000000000001"
    arrival = Arrival(CHANNEL, "mllp", PEER, now)
    heads = [one.head for one in read_before]

    def draft(number: int) -> object:
        return Draft(raws[number], read_before[number], arrival, bytes(32), seen, catalog).message()

    return {
        "framing": lambda n: decoder.feed(frames[n]),
        "checks": lambda n: read(raws[n], catalog, CHANNEL),
        "  of them MSH": lambda n: header(raws[n]),
        "  of them parsing": lambda n: parse(raws[n], head=heads[n], default_encoding="utf-8"),
        "digest": lambda n: digest(raws[n], read_before[n]),
        "row and answer": draft,
        "  of them lane, content": lambda n: (lane(read_before[n]), content(raws[n], read_before[n])),
        "  of them the answer": lambda n: acknowledge(heads[n], code="CA", control_id=seen, now=now),
    }


def seconds(step: Callable[[int], object], messages: int) -> float:
    """Processor time for one message."""
    begun = time.process_time()
    for number in range(messages):
        step(number)
    return (time.process_time() - begun) / messages


async def whole(intake: Intake, frames: Sequence[bytes]) -> float:
    """The same for `Intake.receive`."""
    origin = Origin(CHANNEL, "mllp", PEER)
    begun = time.process_time()
    for frame in frames:
        await intake.receive(frame[1:-2], origin=origin)
    return (time.process_time() - begun) / len(frames)


async def measured(frames: Sequence[bytes], catalog: Catalog, folder: str, rounds: int) -> dict[str, float]:
    """The best of several rounds, in each of which every step has its turn: machines have fast and slow moments."""
    parts, clock = steps(frames, catalog), partial(datetime.now, UTC)
    took: dict[str, list[float]] = {name: [] for name in (*parts, WHOLE)}
    with closing(open_database(f"sqlite:///{folder}/adapter.db")) as database, patch.object(Writer, "put", _put):
        intake = Intake(catalog=catalog, database=database, clock=clock, incidents=Incidents(database, clock))
        for _ in range(rounds):
            for name, step in parts.items():
                took[name].append(seconds(step, len(frames)))
            took[WHOLE].append(await whole(intake, frames))
    return {name: min(some) for name, some in took.items()}


def _put(_writer: Writer, record: Any) -> _Stored:
    return _Stored(record)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    catalog = load_catalog(data_folder("mappings"))
    frames = [load.frame(1_000_000 + number) for number in range(options.messages)]
    settle()
    load_average = os.getloadavg()[0]
    print(f"{len(frames[0])} bytes a frame, load average {load_average:.2f} before, Python {sys.version.split()[0]}")
    with tempfile.TemporaryDirectory(prefix="adapter-bench-") as folder:
        for name, took in asyncio.run(measured(frames, catalog, folder, options.rounds)).items():
            print(f"{name:28}{took * 1e6:8.1f} µs{1 / took:12,.0f} a second")


if __name__ == "__main__":
    main()
