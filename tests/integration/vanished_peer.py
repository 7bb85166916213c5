"""A listener and its peer in a network of their own that is then switched off: what is told (A21)."""

import asyncio
import ctypes
import fcntl
import os
import socket
import struct
import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from adapter.intake import listen
from adapter.settings import Address
from adapter.store.database import open_database
from adapter.wire.listener import Limits
from adapter.wire.mllp import encode
from tests.integration.intake_stand import intake_on, result
from tests.mappings import catalog

NOT_HERE = 77
NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000
SET_FLAGS, UP, RUNNING = 0x8914, 0x1, 0x40


def network(*, on: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sh14x", b"lo", UP | RUNNING if on else 0))


async def main(folder: Path) -> None:
    database = open_database(f"sqlite:///{folder}/adapter.db")
    intake = intake_on(database, catalog(), lambda: datetime(2018, 1, 1, tzinfo=UTC))
    listener = await listen(intake, Address("127.0.0.1", 0), limits=Limits(keep_alive_seconds=4))
    reader, writer = await asyncio.open_connection(*listener.address)
    writer.write(encode(result()))
    await reader.readuntil(b"\x1c\r")
    network(on=False)
    async with asyncio.timeout(60):
        await listener.all_closed.wait()
    network(on=True)
    intake.incidents.flush()
    with database.read() as connection:
        ((kind, peer),) = connection.exec_driver_sql("SELECT kind, peer FROM incident").all()
    sys.stdout.write(f"{kind} {peer}, {len(listener.connections)} open\n")
    writer.transport.abort()
    await listener.stop(grace=0)
    await intake.close()
    database.close()


if ctypes.CDLL(None).unshare(NEW_NETWORK if os.getuid() == 0 else NEW_USER | NEW_NETWORK):
    sys.exit(NOT_HERE)
network(on=True)
asyncio.run(main(Path(sys.argv[1])))
