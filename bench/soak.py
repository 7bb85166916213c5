"""Many messages through the real program: does it stay as it is, in memory, descriptors, answers?

    python bench/soak.py [--messages N] [--connections C] [--data FOLDER]

An endless mix of all kinds and hospitals over several connections, each with one message in flight: the golden cases as
production messages, each with a control id of its own. A line for each tenth of the messages, or for 10,000; at the end
the slope of the resident memory over the last half, which must be below 1 MB for 10,000 messages.
"""

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from adapter.demo.program import Program, running
from adapter.wire.mllp import encode

CASES = Path(__file__).parents[1] / "tests" / "cases"
SLOPE = 1.0  # MB for 10,000 messages
Sample = tuple[int, float, int, float, float, float, float]


def mixed(count: int) -> Iterator[bytes]:
    """Frames in an endless mix; control ids differ, so that nothing is a duplicate."""
    cases = [
        case.read_bytes() for case in sorted(CASES.glob("*/*/message.hl7")) if case.parent.name != "unknown-sender"
    ]
    for number in range(count):
        raw = cases[number % len(cases)]
        separator = raw[raw.index(b"MSH") + 3 :][:1]
        fields = raw.split(separator, 11)
        fields[9:11] = b"SOAK%09d" % number, b"P"
        yield encode(separator.join(fields))


async def client(program: Program, frames: Iterator[bytes], took: list[float], codes: dict[bytes, int]) -> None:
    """Send, wait for the answer, send the next."""
    reader, writer = await asyncio.open_connection(*program.mllp)
    for frame in frames:
        begun = time.perf_counter()
        writer.write(frame)
        answer = await reader.readuntil(b"\x1c\r")
        took.append(time.perf_counter() - begun)
        code = answer.partition(b"\rMSA")[2][1:3]
        codes[code] = codes.get(code, 0) + 1
    writer.close()


def sample(program: Program, took: list[float], begun: float, recent: int) -> Sample:
    """Where things stand: messages, MB of memory, descriptors, MB of database and WAL, p99 and rate since the last."""
    process = Path("/proc") / str(program.process.pid)
    memory = int((process / "status").read_text().split("VmRSS:")[1].split()[0]) / 1024
    files = len(list((process / "fd").iterdir()))
    database, wal = (_size(program.data / name) for name in ("adapter.db", "adapter.db-wal"))
    last = sorted(took[-recent:])
    rate = len(took) / (time.perf_counter() - begun)
    return len(took), memory, files, database, wal, 1000 * last[int(len(last) * 0.99)], rate


def _size(file: Path) -> float:
    return file.stat().st_size / 1e6 if file.exists() else 0.0


async def soak(folder: Path, options: argparse.Namespace) -> list[Sample]:
    """Send everything, sampling on the way."""
    console, step = Console(width=110), max(1, options.messages // max(10, options.messages // 10_000))
    console.print(f"{'messages':>10}{'memory MB':>11}{'files':>7}{'db MB':>9}{'wal MB':>8}{'p99 ms':>9}{'ACKs/s':>8}")
    took, codes, samples = list[float](), dict[bytes, int](), list[Sample]()
    async with running(folder) as program:
        begun = time.perf_counter()
        frames = mixed(options.messages)
        sending = [asyncio.create_task(client(program, frames, took, codes)) for _ in range(options.connections)]
        while not all(task.done() for task in sending):
            await asyncio.wait(sending, timeout=0.2)
            if len(took) >= step * (len(samples) + 1):
                samples.append(sample(program, took, begun, step))
                count, memory, files, db, wal, p99, rate = samples[-1]
                console.print(f"{count:10}{memory:11.1f}{files:7}{db:9.1f}{wal:8.1f}{p99:9.1f}{rate:8.0f}")
        await asyncio.gather(*sending)
    console.print(", ".join(f"{code.decode()}: {count}" for code, count in sorted(codes.items())))
    return samples


def main() -> None:
    """Soak, and say whether memory is flat."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--data", type=Path, help="an empty folder; by default a temporary one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="adapter-soak-") as name:
        samples = asyncio.run(soak(options.data or Path(name), options))
    half = samples[len(samples) // 2 :]
    slope = statistics.linear_regression([one[0] / 10_000 for one in half], [one[1] for one in half]).slope
    print(f"memory grows by {slope:.2f} MB for 10,000 messages over the last half; {SLOPE} MB is the bound")
    sys.exit(slope > SLOPE)


if __name__ == "__main__":
    main()
