"""The sending side: HL7 v2 over MLLP, as the hospitals do it. Of an answer only MSA-1 is read."""

import asyncio
import contextlib
import itertools
import re
import ssl
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

from adapter.wire.mllp import Decoder, Frame, encode

NO_ANSWER = "no answer in time"
Complete = Callable[[bytes, bytes], bool]
"""Whether what came answers all of what was sent: several frames may answer one batch."""

Send = Callable[[Iterable[bytes]], AsyncIterator["Delivery"]]

LONGEST_PAUSE = 30.0
_CHUNK = 256 * 1024
_MSA = re.compile(rb"[\r\n]MSA(.)([A-Z]{2})(?=\1|[\r\n]|$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one message: the answer and its code (MSA-1), or why there is none."""

    message: bytes
    code: str
    answer: bytes
    seconds: float
    failure: str = ""

    @property
    def codes(self) -> list[str]:
        """MSA-1 of every acknowledgement in the answer; of a batch there is one for each message."""
        return [found[2].decode("ascii") for found in _MSA.finditer(self.answer)]

    @property
    def accepted(self) -> bool:
        """Whether the receiver took over everything that it answered (AA, CA)."""
        answered = self.code or self.answer.startswith((b"BHS", b"FHS"))
        return bool(answered) and not self.failure and set(self.codes) <= {"AA", "CA"}


def acknowledgement_code(answer: bytes) -> str:
    """MSA-1 of an answer, whatever its delimiters; empty when there is none."""
    found = _MSA.search(answer)
    return found[2].decode("ascii") if found else ""


def client_context(certificate: Path | None, key: Path | None, ca: Path | None) -> ssl.SSLContext:
    """TLS of the sending side.

    Args:
        certificate: our own, in PEM, for receivers that ask for one.
        key: its key; None where it stands in the same file.
        ca: the authorities of the receiver; None for those of the system.

    Raises:
        OSError: a file cannot be read or does not fit.
    """
    context = ssl.create_default_context(cafile=ca)
    if certificate:
        context.load_cert_chain(certificate, key)
    return context


async def persist(
    send: Send, messages: Iterable[bytes], *, retries: int, pause: float = 1.0
) -> AsyncIterator[Delivery]:
    """Send again what got no answer, before anything that follows it, and yield what became of each, in order.

    Args:
        send: sends messages in their order.
        messages: to be sent.
        retries: how often one message is sent again.
        pause: seconds before the first; each next one is twice as long, up to half a minute.

    Raises:
        OSError: the receiver could not be reached, as often as that.
    """
    left, tried = deque(messages), 0
    while left:
        failed: OSError | None = None
        try:
            async with contextlib.aclosing(cast("AsyncGenerator[Delivery]", send(tuple(left)))) as deliveries:
                async for delivery in deliveries:
                    if delivery.failure and tried < retries:
                        break
                    tried = 0
                    left.popleft()
                    yield delivery
        except OSError as error:
            failed = error
        if not left:
            return
        if failed and tried >= retries:
            raise failed
        await asyncio.sleep(min(pause * 2 ** min(tried, 9), LONGEST_PAUSE))
        tried += 1


async def send_mllp(  # noqa: PLR0913 - the address and how to send, all named by the caller
    messages: Iterable[bytes],
    host: str,
    port: int,
    *,
    window: int = 1,
    seconds: float = 30.0,
    tls: ssl.SSLContext | None = None,
    complete: Complete = lambda _message, _answer: True,
) -> AsyncIterator[Delivery]:
    """Send over one connection, at most `window` messages unanswered, and yield what became of each, in order.

    When an answer does not come within `seconds`, or the connection breaks, every unanswered message is yielded with
    its failure, nothing is sent twice, and the rest goes over a new connection. Raises OSError when none can be opened.
    """
    left = iter(messages)
    for first in left:
        line = await _Line.open(host, port, tls, complete)
        try:
            async for delivery in line.exchange(itertools.chain((first,), left), window=window, seconds=seconds):
                yield delivery
        finally:
            await line.close()


async def one_by_one(send: Send, messages: Iterable[bytes]) -> AsyncIterator[Delivery]:
    """Send each message for itself, over a connection of its own, and yield what became of each."""
    for message in messages:
        async for delivery in send((message,)):
            yield delivery


def send_mllp_per_message(
    messages: Iterable[bytes], host: str, port: int, *, seconds: float = 30.0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Delivery]:
    """Send each message over an MLLP connection of its own, one after the other, and yield what became of each."""
    return one_by_one(partial(send_mllp, host=host, port=port, seconds=seconds, tls=tls), messages)


@dataclass(slots=True)
class _Line:
    """One connection of the sender."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    complete: Complete
    answer: bytes = b""
    decoder: Decoder = field(default_factory=Decoder)
    unanswered: deque[tuple[bytes, float]] = field(default_factory=deque[tuple[bytes, float]])

    @classmethod
    async def open(cls, host: str, port: int, tls: ssl.SSLContext | None, complete: Complete) -> "_Line":
        return cls(*await asyncio.open_connection(host, port, ssl=tls), complete)

    async def close(self) -> None:
        self.writer.close()
        # The peer may have gone first: there is nothing left to lose on this connection.
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    async def exchange(self, left: Iterator[bytes], *, window: int, seconds: float) -> AsyncIterator[Delivery]:
        """Send from `left` until it is empty or the connection is of no more use."""
        failure = ""
        while not failure:
            failure = await self._fill(left, window)
            if not self.unanswered:
                return
            data = b"" if failure else await self._read(seconds)
            if data is None:
                failure = NO_ANSWER
            elif not data:
                failure = "connection closed without an answer"
            for event in self.decoder.feed(data or b""):
                if isinstance(event, Frame) and self._answers(event.payload):
                    yield self._delivery()
        while self.unanswered:
            yield self._delivery(failure)

    def _answers(self, payload: bytes) -> bool:
        """Whether the oldest message is answered now."""
        if not self.unanswered:
            return False
        self.answer += payload
        return self.complete(self.unanswered[0][0], self.answer)

    async def _fill(self, left: Iterator[bytes], window: int) -> str:
        now = asyncio.get_running_loop().time()
        for message in itertools.islice(left, window - len(self.unanswered)):
            self.unanswered.append((message, now))
            self.writer.write(encode(message))
        try:
            await self.writer.drain()
        except OSError:
            return "connection closed without an answer"
        return ""

    async def _read(self, seconds: float) -> bytes | None:
        """The next bytes; none at the end of the connection, None when the oldest message has waited too long."""
        due = self.unanswered[0][1] + seconds
        try:
            async with asyncio.timeout_at(due):
                return await self.reader.read(_CHUNK)
        except TimeoutError:
            return None
        except OSError:
            return b""

    def _delivery(self, failure: str = "") -> Delivery:
        message, sent = self.unanswered.popleft()
        answer, self.answer = self.answer, b""
        seconds = asyncio.get_running_loop().time() - sent
        return Delivery(message, acknowledgement_code(answer), answer, seconds, failure)
