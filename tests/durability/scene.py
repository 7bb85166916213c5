"""The program whose disk is recorded: senders, intake, writer and worker in one process.

python -m tests.durability.scene DATA TRACE SYNCHRONOUS CHECKPOINT MESSAGES
"""

import asyncio
import os
import sys
import threading
from hashlib import sha256
from pathlib import Path

from adapter.app import now
from adapter.convert import Converted, convert
from adapter.stock import Stock
from adapter.store import sqlite_file
from adapter.store.lanes import Claimed
from adapter.worker import Worker
from tests.durability import disk
from tests.durability.feed import numbered
from tests.integration.intake_stand import Stand, segments, stand

SENDERS = 8


def main() -> None:
    """Receive and convert; every acknowledgement is noted in the trace."""
    data, trace, synchronous, checkpoint, messages = sys.argv[1:]
    sqlite_file.WRITER = tuple(
        pragma.replace("synchronous = FULL", f"synchronous = {synchronous}").replace("= 4000", f"= {checkpoint}")
        for pragma in sqlite_file.WRITER
    )
    marks = os.open(trace, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    stock = Stock.load()

    def converted(claimed: Claimed) -> Converted:
        return convert(claimed.raw, catalog=stock.catalog, site=stock.catalog.sites[claimed.site])

    with stand(Path(data)) as it:
        stop = threading.Event()
        worker = Worker(it.database, name="w", convert=converted, rules=stock.rules, clock=now)
        thread = threading.Thread(target=worker.run, args=(stop,))
        thread.start()
        asyncio.run(_send(it, marks, int(messages)))
        stop.set()
        thread.join()
        os.close(marks)
        # The last connection's orderly end is not of interest, and not recorded: cuts come before it.
        os._exit(0)


async def _send(it: Stand, marks: int, messages: int) -> None:
    async def sender(mine: int) -> None:
        for number in range(mine, messages, SENDERS):
            raw = numbered(number, patients=SENDERS)
            answer = await it.receive(raw)
            if segments(answer.ack)["MSA"][1] == "CA":
                disk.acknowledged(marks, sha256(raw).digest())

    await asyncio.gather(*map(sender, range(SENDERS)))
    await it.intake.close()


if __name__ == "__main__":
    main()
