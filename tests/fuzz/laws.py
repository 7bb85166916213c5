"""What must hold for any byte stream: framing, the checks before the acknowledgement, the answer, and converting."""

import itertools
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import FrameType

from adapter.convert import convert
from adapter.errors import Held, Refusal
from adapter.fhir import json
from adapter.hl7v2.ack import acknowledge
from adapter.intake.checks import read
from adapter.intake.marks import content, digest, lane
from adapter.intake.modes import acknowledgement
from adapter.listeners import Channel
from adapter.mapper.catalog import Catalog
from adapter.mapper.sites import Site
from adapter.wire.mllp import Decoder, Event, Frame, Garbage, encode

SECONDS = 2.0
"""Processor time that a stream may take, framed twice, from its first byte to its resources."""

MORE_SEGMENTS, MORE_BYTES = 5_000, 25_000_000
"""For each of these it may take as long again: a message may have 20,000 segments, each two resources, and 64 MB."""

SELDOM, LONG = 0.2, 20_000
"""How often the lineage is asked for, which the service itself never does, and of messages up to how many bytes."""

NOW = datetime(2018, 1, 1, 9, 0, tzinfo=UTC)


class Hang(BaseException):
    """A stream took longer than it may; no handler of ours may catch this."""


@dataclass
class Tried:
    """What has been tried: streams, bytes, how the frames ended, and the seconds and number of the slowest stream."""

    streams: int = 0
    bytes: int = 0
    ends: Counter[str] = field(default_factory=Counter[str])
    slowest: tuple[float, int] = (0.0, -1)


class Laws:
    """The laws with the mappings of the project and every site of theirs."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.sites: tuple[Site, ...] = (*catalog.sites, catalog.standard)
        self.tried = Tried()

    def hold(self, stream: bytes, number: int) -> None:
        """Raise whatever breaks a law; `number` decides how the stream is cut, and for which site it is converted."""
        chance = random.Random(number)
        begun = time.process_time()
        segments = stream.count(b"\r") + stream.count(b"\n")
        allowed = SECONDS * (1 + segments / MORE_SEGMENTS + len(stream) / MORE_BYTES)
        with limited(allowed):
            payloads = framed(stream, chance)
            for payload in payloads:
                self._answered(payload)
                self.tried.ends[self._converted(payload, None, trace=chance.random() < SELDOM)] += 1
        took = time.process_time() - begun
        with limited(allowed):
            for payload in payloads:
                if chance.random() < 0.5:
                    self._converted(payload, chance.choice(self.sites))
        self.tried.streams += 1
        self.tried.bytes += len(stream)
        self.tried.slowest = max(self.tried.slowest, (took, number))

    def _answered(self, payload: bytes) -> None:
        """Every message gets an answer that is one frame and one message, whatever it was itself."""
        reading = read(payload, self.catalog, Channel("mllp", frozenset()))
        lane(reading)
        digest(payload, reading)
        content(payload, reading)
        head = reading.head
        code, _ = acknowledgement(head, reading.refusal)
        ack = acknowledge(head, code=code, control_id="H2F1", now=NOW, error=reading.refusal, warnings=reading.warnings)
        assert Decoder().feed(encode(ack)) == [Frame(ack)], "the answer is not one frame"
        msh, msa, *_ = (line.split(head.delimiters.field) for line in ack.decode(head.encoding, "replace").split("\r"))
        assert msh[8].split(head.delimiters.component)[0] == "ACK", "the answer is no acknowledgement"
        assert msa[:2] == ["MSA", code], "the answer has no MSA"

    def _converted(self, payload: bytes, site: Site | None, *, trace: bool = False) -> str:
        """How converting ends, for this site or for the one that the message names."""
        try:
            made = convert(payload, catalog=self.catalog, site=site)
        except (Refusal, Held) as error:
            return type(error).__name__
        for mapped in made.resources:
            json.dumps(mapped.resource)
        made.ledger.unmapped()
        for line in made.ledger.lineage() if trace and len(payload) < LONG else ():
            assert 0 <= line.span[0] <= line.span[1] <= len(payload), "a span outside of the message"
        return "converted"


def framed(stream: bytes, chance: random.Random) -> list[bytes]:
    """The payloads of a stream, which must be the same however it is cut and whatever the limits are."""
    limit = chance.choice((64 * 1024 * 1024,) * 8 + (0, 100, 1000))
    whole = _events(stream, (), limit)
    assert whole == _events(stream, _places(stream, chance), limit), "the events depend on how the stream is cut"
    return [event.payload for event in whole if isinstance(event, Frame)]


def _events(stream: bytes, places: Sequence[int], limit: int) -> list[Event]:
    decoder = Decoder(max_length=limit, max_drain=limit + 5000)
    edges = itertools.pairwise((0, *places, len(stream)))
    events = [event for a, b in edges for event in decoder.feed(stream[a:b])] + decoder.close()
    # How much is shown of what is no MLLP depends on how much of it has come.
    return [Garbage(b"", event.reason) if isinstance(event, Garbage) else event for event in events]


def _places(stream: bytes, chance: random.Random) -> Sequence[int]:
    if len(stream) < 300 and chance.random() < 0.2:
        return range(1, len(stream))
    return sorted(chance.randrange(len(stream) + 1) for _ in range(chance.choice((1, 2, 5, 40))))


@contextmanager
def limited(seconds: float = 20.0) -> Generator[None]:
    """Raise `Hang` where processor time runs out, in the middle of what runs; by default what is surely a hang."""

    def expire(_number: int, _frame: FrameType | None) -> None:
        raise Hang(f"more than {seconds:.0f} s")

    before = signal.signal(signal.SIGPROF, expire)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def numbers(first: int, count: int, seconds: float) -> Iterator[int]:
    """Numbers of streams, until there were enough or the time is over."""
    due = time.monotonic() + seconds
    for number in range(first, first + count):
        if time.monotonic() > due:
            return
        yield number


def shrink(stream: bytes, breaks: Callable[[bytes], bool], trials: int = 400) -> bytes:
    """Leave out what the fault does not need: halves, quarters, and so on."""
    size = len(stream) // 2
    while size and trials > 0:
        at = 0
        while at < len(stream) and trials > 0:
            shorter = stream[:at] + stream[at + size :]
            trials -= 1
            if breaks(shorter):
                stream = shorter
            else:
                at += size
        size //= 2
    return stream
