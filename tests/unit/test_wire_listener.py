"""The listener over real sockets: order, back-pressure, time-outs, closing, graceful stop."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from adapter.wire.listener import (
    Close,
    Failed,
    Handle,
    Limits,
    Listener,
    Notice,
    Peer,
    Refused,
    Reply,
    Undelivered,
    serve,
)
from adapter.wire.mllp import Abandoned, Frame, Garbage, Heartbeat, Noise, encode
from adapter.wire.notices import FULL, Payload

QUICK = Limits(end_block_seconds=0.02, noise_seconds=0.05, stall_seconds=0.05)
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def message(number: int) -> bytes:
    return b"MSH|^~\\&|LIS|TEST|||20180101||ORU^R01|%d|P|2.5.1\r" % number


async def echo(payload: Payload, _peer: Peer) -> Reply:
    return b"answer to " + payload if isinstance(payload, bytes) else Close(b"too large")


class Stand:
    """A listener, what it was told, and connections to it."""

    def __init__(self, listener: Listener, notices: list[Notice]) -> None:
        self.listener, self.notices, self.writers = listener, notices, list[asyncio.StreamWriter]()

    async def connect(self) -> Connection:
        reader, writer = await asyncio.open_connection(*self.listener.address)
        self.writers.append(writer)
        return reader, writer

    async def noticed(self, kind: type[Notice]) -> Notice:
        async with asyncio.timeout(5):
            while True:
                for notice in self.notices:
                    if isinstance(notice, kind):
                        return notice
                await asyncio.sleep(0.005)


@asynccontextmanager
async def stand(handle: Handle = echo, limits: Limits = QUICK) -> AsyncGenerator[Stand]:
    notices: list[Notice] = []
    listener = await serve(
        "127.0.0.1", 0, handle=handle, notify=lambda notice, _: notices.append(notice), limits=limits
    )
    it = Stand(listener, notices)
    try:
        yield it
    finally:
        await listener.stop(grace=0)
        for writer in it.writers:
            writer.close()


def run(scene: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await scene()

    asyncio.run(bounded())


async def answers(reader: asyncio.StreamReader, count: int) -> list[bytes]:
    return [(await reader.readuntil(b"\x1c\r"))[1:-2] for _ in range(count)]


async def ended(connection: Connection) -> bool:
    """Whether the listener closes the connection without another byte."""
    with contextlib.suppress(ConnectionResetError):
        return await connection[0].read() == b""
    return True


def test_a17_pipelined_messages_are_answered_in_order_though_handled_out_of_order():

    async def slow_first(payload: Payload, _peer: Peer) -> Reply:
        assert isinstance(payload, bytes)
        await asyncio.sleep(0.05 if payload == message(0) else 0)
        return payload

    async def scene() -> None:
        async with stand(slow_first) as it:
            reader, writer = await it.connect()
            writer.write(b"".join(encode(message(number)) for number in range(500)))
            assert await answers(reader, 500) == [message(number) for number in range(500)]

    run(scene)


def test_a17_reading_stops_while_32_messages_are_unanswered():
    begun: list[bytes] = []
    gate = asyncio.Event()

    async def gated(payload: Payload, _peer: Peer) -> Reply:
        assert isinstance(payload, bytes)
        begun.append(payload)
        await gate.wait()
        return b"ok"

    async def scene() -> None:
        async with stand(gated) as it:
            reader, writer = await it.connect()
            writer.write(b"".join(encode(message(number)) for number in range(100)))
            await asyncio.sleep(0.1)
            assert len(begun) == 32
            gate.set()
            await answers(reader, 100)
            assert len(begun) == 100

    run(scene)


def test_a19_interleaved_connections_do_not_share_a_decoder():

    async def scene() -> None:
        async with stand() as it:
            (reader_1, writer_1), (reader_2, writer_2) = await it.connect(), await it.connect()
            for byte_1, byte_2 in zip(encode(message(1)), encode(message(2)), strict=True):
                writer_1.write(bytes([byte_1]))
                writer_2.write(bytes([byte_2]))
                await asyncio.sleep(0)
            assert await answers(reader_1, 1) == [b"answer to " + message(1)]
            assert await answers(reader_2, 1) == [b"answer to " + message(2)]

    run(scene)


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n\r\n", b"x" * 5000, b"a few bytes"])
def test_a3_a4_a6_peer_that_speaks_something_else_is_closed_without_an_answer(sent: bytes):
    """A3 (also by time), A4, A6."""

    async def scene() -> None:
        async with stand() as it:
            reader, writer = await it.connect()
            writer.write(sent)
            assert await reader.read() == b""
            assert isinstance(await it.noticed(Garbage), Garbage)

    run(scene)


def test_a1_a2_a14_noise_and_heartbeats_are_told_and_the_message_answered():

    async def scene() -> None:
        async with stand() as it:
            reader, writer = await it.connect()
            writer.write(b"\r\nhello" + encode(b"") + encode(message(1)))
            assert await answers(reader, 1) == [b"answer to " + message(1)]
            assert it.notices == [Noise(b"\r\nhello"), Heartbeat()]

    run(scene)


def test_a7_fs_without_cr_ends_the_frame_after_a_pause():

    async def scene() -> None:
        async with stand() as it:
            reader, writer = await it.connect()
            writer.write(encode(message(1))[:-1])
            assert await answers(reader, 1) == [b"answer to " + message(1)]
            assert it.notices == [Frame(message(1), lenient=True)]

    run(scene)


def test_a10_stalled_frame_is_recorded_and_the_connection_closed():

    async def scene() -> None:
        async with stand() as it:
            reader, writer = await it.connect()
            writer.write(encode(message(1)) + encode(message(2))[:20])
            assert await answers(reader, 1) == [b"answer to " + message(1)]
            assert await reader.read() == b""
            assert it.notices == [Abandoned(message(2)[:19], 19, "stalled")]

    run(scene)


def test_a9_connection_closed_inside_a_frame_is_recorded():

    async def scene() -> None:
        async with stand() as it:
            _, writer = await it.connect()
            writer.write(encode(message(1))[:20])
            writer.close()
            notice = await it.noticed(Abandoned)
            assert notice == Abandoned(message(1)[:19], 19, "connection closed")

    run(scene)


def test_a22_silent_connection_stays_open():

    async def scene() -> None:
        async with stand() as it:
            reader, writer = await it.connect()
            await asyncio.sleep(0.2)
            writer.write(encode(message(1)))
            assert await answers(reader, 1) == [b"answer to " + message(1)]

    run(scene)


def test_half_closed_peer_still_gets_its_answers():
    async def scene() -> None:
        async with stand() as it:
            reader, writer = await it.connect()
            writer.write(encode(message(1)) + encode(message(2)))
            writer.write_eof()
            assert await reader.read() == encode(b"answer to " + message(1)) + encode(b"answer to " + message(2))

    run(scene)


def test_a18_answer_to_a_peer_that_has_gone_is_told_as_undelivered():
    gate = asyncio.Event()

    async def gated(_payload: Payload, _peer: Peer) -> Reply:
        await gate.wait()
        return b"ok"

    async def scene() -> None:
        async with stand(gated) as it:
            _, writer = await it.connect()
            writer.write(encode(message(1)))
            await asyncio.sleep(0.05)
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.close()
            await asyncio.sleep(0.05)
            gate.set()
            assert await it.noticed(Undelivered) == Undelivered()

    run(scene)


def test_a26_a27_frame_above_the_limit_is_answered_and_the_connection_closed_if_the_handler_says_so():

    async def scene() -> None:
        async with stand(limits=Limits(max_length=1000)) as it:
            reader, writer = await it.connect()
            writer.write(encode(message(1)) + encode(b"MSH|" + b"x" * 5000))
            assert await reader.read() == encode(b"answer to " + message(1)) + encode(b"too large")

    run(scene)


def test_nothing_is_answered_after_close():
    async def close_at_two(payload: Payload, _peer: Peer) -> Reply:
        return Close() if payload == message(2) else b"ok"

    async def scene() -> None:
        async with stand(close_at_two) as it:
            reader, writer = await it.connect()
            writer.write(b"".join(encode(message(number)) for number in (1, 2, 3)))
            assert await reader.read() == encode(b"ok")

    run(scene)


def test_handler_that_fails_unexpectedly_closes_its_connection_only():
    async def broken(payload: Payload, _peer: Peer) -> Reply:
        if payload == message(1):
            raise ZeroDivisionError
        return b"ok"

    async def scene() -> None:
        async with stand(broken) as it:
            (reader_1, writer_1), (reader_2, writer_2) = await it.connect(), await it.connect()
            writer_1.write(encode(message(1)))
            writer_2.write(encode(message(2)))
            assert await reader_1.read() == b""
            assert await answers(reader_2, 1) == [b"ok"]
            assert isinstance(await it.noticed(Failed), Failed)

    run(scene)


def test_peer_that_reads_no_answers_is_cut_and_memory_stays_bounded():
    async def long_answer(_payload: Payload, _peer: Peer) -> Reply:
        return b"x" * 1_000_000

    async def scene() -> None:
        async with stand(long_answer) as it:
            _, writer = await it.connect()
            writer.write(b"".join(encode(message(number)) for number in range(100)))
            await it.noticed(Undelivered)
            async with asyncio.timeout(5):
                await it.listener.all_closed.wait()

    run(scene)


def test_a20_connection_above_the_limit_is_closed_at_accept_and_its_place_is_free_again():
    """A20; the place of one that ends is free again."""

    async def scene() -> None:
        async with stand(limits=replace(QUICK, max_connections=2)) as it:
            admitted = [await it.connect() for _ in range(2)]
            for _ in range(3):
                assert await ended(await it.connect())
            assert it.notices == [Refused(FULL, 2)] * 3
            reader, writer = admitted[0]
            writer.write(encode(message(1)))
            assert await answers(reader, 1) == [b"answer to " + message(1)]
            writer.write_eof()
            assert await ended(admitted[0])
            reader, writer = await it.connect()
            writer.write(encode(message(2)))
            assert await answers(reader, 1) == [b"answer to " + message(2)]

    run(scene)


def test_a30_graceful_stop_answers_open_frames_and_cuts_the_rest():

    async def scene() -> None:
        async with stand(limits=Limits()) as it:
            (reader_1, writer_1), (reader_2, writer_2), (reader_3, _) = [await it.connect() for _ in range(3)]
            frame = encode(message(1))
            writer_1.write(frame[:20])
            writer_2.write(frame[:20])
            await asyncio.sleep(0.05)
            stopping = asyncio.create_task(it.listener.stop(grace=0.3))
            await asyncio.sleep(0.05)
            writer_1.write(frame[20:])
            assert await reader_1.read() == encode(b"answer to " + message(1))
            assert await reader_3.read() == b""
            stopped = await stopping
            assert (stopped.drained, stopped.cut) == (2, 1)
            assert it.notices == [Abandoned(message(1)[:19], 19, "adapter stops")]
            assert await reader_2.read() == b""

    run(scene)
