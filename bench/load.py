"""A load generator in a process of its own: MLLP over raw asyncio, frames made beforehand; prints JSON at the end.

    python bench/load.py --port P --clients C --seconds S [--rate R] [--first N]
    python bench/load.py --port P --idle I --slow W --seconds S

Without a rate each client has one message in flight (closed loop). With a rate messages are due at equal intervals,
whatever the answers do (open loop), and an answer's latency counts from when its message was due. Idle clients say
nothing; slow ones send a byte a second.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any, cast

import uvloop
from convert import message

OBX = 8  # results in a message of about 1.5 kB


def frame(number: int) -> bytes:
    """One framed ORU^R01 with a control id, an order and a specimen of its own."""
    return _TEMPLATE % ((number,) * 4)


def _template() -> bytes:
    lines = message(1).split(b"\r")
    lines = [line for line in lines if not line.startswith(b"OBX|") or int(line.split(b"|")[1]) <= OBX]
    text = b"\r".join(lines).replace(b"%", b"%%")
    text = (
        text.replace(b"LIS%011d" % 1, b"LIS%011d", 1)
        .replace(b"L%09d^" % 1, b"L%09d^")
        .replace(b"L%09d&" % 1, b"L%09d&")
    )
    return b"\x0b" + text + b"\x1c\r"


_TEMPLATE = _template()


@dataclass
class Load:
    """What all clients share."""

    next: int
    until: float
    took: list[float] = field(default_factory=list[float])
    refused: int = 0


class Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, load: Load, *, closed: bool) -> None:
        """Send at once and after each answer (closed), or when told."""
        self.load, self.closed = load, closed
        self.due: deque[float] = deque()
        self.left = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:  # noqa: D102
        self.transport = cast("asyncio.Transport", transport)
        if self.closed:
            self.send(time.perf_counter())

    def send(self, due: float) -> None:
        """Send the next message."""
        self.due.append(due)
        self.transport.write(frame(self.load.next))
        self.load.next += 1

    def data_received(self, data: bytes) -> None:  # noqa: D102
        *answers, self.left = (self.left + data).split(b"\x1c\r")
        now = time.perf_counter()
        for answer in answers:
            self.load.took.append(now - self.due.popleft())
            self.load.refused += b"\rMSA|CA|" not in answer and b"\rMSA|AA|" not in answer
        if self.closed and answers and now < self.load.until:
            self.send(now)


async def run(options: argparse.Namespace) -> dict[str, Any]:
    """Put the load on, and say what came of it."""
    loop = asyncio.get_running_loop()
    begun = time.perf_counter()
    load = Load(options.first, begun + options.seconds)
    clients: list[Client] = []
    for _ in range(options.clients + options.idle + options.slow):
        closed = not options.rate and len(clients) < options.clients
        made = await loop.create_connection(
            lambda closed=closed: Client(load, closed=closed), "127.0.0.1", options.port
        )
        clients.append(made[1])
    sending = clients[: options.clients]
    slow = clients[len(clients) - options.slow :] if options.slow else []
    if slow:
        asyncio.get_running_loop().create_task(_drip(slow))
    sent = 0
    while options.rate and (due := begun + sent / options.rate) < load.until:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        sending[sent % len(sending)].send(due)
        sent += 1
    await asyncio.sleep(max(0.0, load.until - time.perf_counter()))
    end = time.perf_counter() + 10
    while any(client.due for client in clients) and time.perf_counter() < end:  # noqa: ASYNC110 (a protocol's answers)
        await asyncio.sleep(0.01)
    return _outcome(load, options, unanswered=sum(len(client.due) for client in clients))


async def _drip(clients: list[Client]) -> None:
    for at in range(10**6):
        for client in clients:
            client.transport.write(frame(at)[at % 1000 : at % 1000 + 1] if at else b"\x0b")
        await asyncio.sleep(1)


def _outcome(load: Load, options: argparse.Namespace, unanswered: int) -> dict[str, Any]:
    took = sorted(load.took)
    at = {name: 1000 * took[min(len(took) - 1, int(len(took) * part))] for name, part in PARTS.items()} if took else {}
    rate = len(took) / options.seconds
    return {"acks": len(took), "rate": rate, "refused": load.refused, "unanswered": unanswered, "next": load.next, **at}


PARTS = {"p50": 0.5, "p99": 0.99, "max": 1.0}


def start(port: int, **options: float) -> "subprocess.Popen[bytes]":
    """The generator as a process: `start(2575, clients=4, seconds=5)`."""
    arguments = [f"--{name}={value}" for name, value in {"port": port, **options}.items()]
    return subprocess.Popen([sys.executable, __file__, *arguments], stdout=subprocess.PIPE)


def outcome(process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    """What a generator says at its end."""
    printed = process.communicate()[0]
    if process.returncode:
        raise SystemExit("the load generator failed")
    return json.loads(printed)


def main() -> None:
    """Generate load."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rate", type=float, default=0.0)
    for name, default in (("clients", 0), ("idle", 0), ("slow", 0), ("first", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    print(json.dumps(uvloop.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
