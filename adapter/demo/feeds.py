"""The hospitals' streams in trial.zip, and each hospital's own way of sending (interface specification §6)."""

import asyncio
import zipfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from adapter.demo.program import Program
from adapter.hl7v2 import batch
from adapter.wire.http_sender import send_http
from adapter.wire.sender import Delivery, send_mllp, send_mllp_per_message

TRIAL = Path(__file__).with_name("trial.zip")


@dataclass(frozen=True, slots=True)
class Feed:
    """One hospital: what it sends and how."""

    file: str
    hospital: str
    way: str
    send: Callable[[Sequence[bytes], Program], AsyncIterator[Delivery]]

    def messages(self) -> list[bytes]:
        """Its stream, in the order of sending."""
        with zipfile.ZipFile(TRIAL) as archive:
            return list(batch.messages(archive.read(self.file)))


def _one_line(messages: Sequence[bytes], program: Program) -> AsyncIterator[Delivery]:
    return send_mllp(messages, *program.mllp)


def _line_per_message(messages: Sequence[bytes], program: Program) -> AsyncIterator[Delivery]:
    return send_mllp_per_message(messages, *program.mllp)


def _post(messages: Sequence[bytes], program: Program) -> AsyncIterator[Delivery]:
    return send_http(messages, f"{program.base}/hl7")


FEEDS = (
    Feed("01-fahzu.mllp", "FAHZU", "2.5.1 UTF-8, MLLP, enhanced mode (CA)", _one_line),
    Feed("02-yiwu.mllp", "YWCH", "2.4 GB 18030, MLLP, original mode (AA)", _one_line),
    Feed("03-jinhua.mllp", "JHAH", "2.3.1 GBK undeclared, MLLP, a connection per message", _line_per_message),
    Feed("04-lishui.mllp", "LSCH", "2.6 UTF-8, HTTP POST", _post),
)


async def send_all(program: Program, advance: Callable[[Feed], None]) -> dict[str, Counter[str]]:
    """Send all streams at once, each over its own transport and in its own order.

    Args:
        program: where to.
        advance: called after each answer.

    Returns:
        Per hospital, how often each answer came.
    """

    async def one(feed: Feed) -> tuple[str, Counter[str]]:
        answers: Counter[str] = Counter()
        async for delivery in feed.send(feed.messages(), program):
            answers[delivery.code or delivery.failure] += 1
            advance(feed)
        return feed.hospital, answers

    return dict(await asyncio.gather(*[one(feed) for feed in FEEDS]))
