"""Intake behind a real listener: what hospitals send over sockets, and what they are answered."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from adapter.intake import listen
from adapter.settings import Address
from adapter.wire.listener import Limits, Listener
from adapter.wire.mllp import encode
from adapter.wire.sender import Delivery, send_mllp, send_mllp_per_message
from tests.integration.intake_stand import Stand, result, run, segments, stand

QUICK = Limits(end_block_seconds=0.02, noise_seconds=0.05, stall_seconds=0.05, max_length=20_000, max_drain=200_000)


@asynccontextmanager
async def line(it: Stand) -> AsyncGenerator[tuple[Listener, asyncio.StreamReader, asyncio.StreamWriter]]:
    listener = await listen(it.intake, Address("127.0.0.1", 0), limits=QUICK)
    reader, writer = await asyncio.open_connection(*listener.address)
    try:
        yield listener, reader, writer
    finally:
        writer.close()
        await listener.stop(grace=0.2)
        await it.intake.close()


def converse(folder: Path, sent: bytes) -> tuple[list[str], list[dict[str, object]], list[dict[str, object]]]:
    """Send bytes, half-close; return the MSA-1 and MSA-2 that come back, the messages and the connection events."""
    with stand(folder) as it:
        codes: list[str] = []

        async def scene() -> None:
            async with line(it) as (_, reader, writer):
                writer.write(sent)
                writer.write_eof()
                for frame in (await reader.read()).split(b"\x1c\r")[:-1]:
                    codes.append(" ".join(segments(frame.removeprefix(b"\x0b"))["MSA"][1:3]))

        run(scene)
        return codes, it.messages(), it.rows("SELECT * FROM connection_event ORDER BY id")


def test_a1_a2_noise_between_frames_is_recorded_and_the_message_stored(tmp_path: Path):
    codes, messages, events = converse(tmp_path, b"\n" + encode(result()) + b"hello" + encode(result(msh_10="2")))
    assert codes == ["CA LIS18010100001", "CA 2"]
    assert [row["raw"] for row in messages] == [result(), result(msh_10="2")]
    assert [(row["kind"], row["raw"]) for row in events] == [("noise", b"hello")]


@pytest.mark.parametrize("end", [b"\x1c", b"\x1c\n"])
def test_a7_a8_careless_end_blocks_are_accepted(tmp_path: Path, end: bytes):
    codes, messages, _ = converse(tmp_path, b"\x0b" + result() + end)
    assert codes == ["CA LIS18010100001"]
    assert messages[0]["raw"] == result()


def test_a9_a11_truncated_frame_is_kept_as_partial_and_never_as_a_message(tmp_path: Path):
    """A9; A11 for the one before it."""
    codes, messages, events = converse(tmp_path, b"\x0b" + result()[:90] + encode(result()) + b"\x0b" + result()[:50])
    assert codes == ["CA LIS18010100001"]
    assert len(messages) == 1
    assert [(row["kind"], row["raw"]) for row in events] == [("partial", result()[:90]), ("partial", result()[:50])]


@pytest.mark.parametrize("sent", [b"\x16\x03\x01\x02\x00\x01", b"GET / HTTP/1.1\r\n\r\n", b"x" * 5000])
def test_a3_a4_a6_what_is_not_mllp_is_kept_as_garbage(tmp_path: Path, sent: bytes):
    codes, messages, events = converse(tmp_path, sent)
    assert (codes, messages) == ([], [])
    assert [row["kind"] for row in events] == ["garbage"]


def test_a14_heartbeat_is_neither_stored_nor_answered(tmp_path: Path):
    assert converse(tmp_path, encode(b"") + encode(b"\r")) == ([], [], [])


def test_a26_message_above_the_limit_is_refused_and_the_next_one_taken(tmp_path: Path):
    large = result().replace(b"0.70", b"7" * 100_000)
    codes, messages, _ = converse(tmp_path, encode(large) + encode(result(msh_10="2")))
    assert codes == ["CE LIS18010100001", "CA 2"]
    assert [row["state"] for row in messages] == ["rejected", "received"]
    assert (messages[0]["raw"], messages[0]["cause_code"]) == (large[: 64 * 1024], "H2F-2106")


def test_a27_message_without_end_is_refused_and_the_connection_closed(tmp_path: Path):
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with line(it) as (_, reader, writer):
                writer.write(b"\x0b" + result())
                writer.write(b"x" * 300_000)
                assert b"MSA|CE|LIS18010100001" in await reader.read()

        run(scene)
        assert [row["state"] for row in it.messages()] == ["rejected"]


def test_a17_500_pipelined_messages_are_stored_and_answered_in_order(tmp_path: Path):
    sent = b"".join(encode(result(msh_10=str(number))) for number in range(500))
    codes, messages, _ = converse(tmp_path, sent)
    assert codes == [f"CA {number}" for number in range(500)]
    assert [row["control_id"] for row in messages] == [str(number) for number in range(500)]


def test_a19_answers_of_interleaved_connections_reach_the_right_one(tmp_path: Path):
    """A19; also one connection for every message, as Jinhua opens them."""
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with line(it) as (listener, _, _):

                async def send(name: str) -> list[Delivery]:
                    raws = [result(msh_10=f"{name}{number}") for number in range(40)]
                    many = send_mllp(raws, *listener.address, window=5)
                    single = send_mllp_per_message(raws[:5], *listener.address)
                    return [one async for one in many] + [one async for one in single]

                for name, deliveries in zip("ABCD", await asyncio.gather(*map(send, "ABCD")), strict=True):
                    assert all(segments(one.answer)["MSA"][2].startswith(name) for one in deliveries)
                    assert {one.code for one in deliveries} == {"CA"}

        run(scene)
        assert len(it.messages()) == 160


def test_f6_f10_failed_storage_closes_the_connection_without_an_answer(tmp_path: Path):
    """F6 to F10: the database is gone; after it is back the same bytes are taken."""
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with line(it) as (_, reader, writer):
                with it.database.write() as connection:
                    connection.exec_driver_sql("ALTER TABLE message RENAME TO hidden")
                writer.write(encode(result()))
                assert await reader.read() == b""
                with it.database.write() as connection:
                    connection.exec_driver_sql("ALTER TABLE hidden RENAME TO message")

        run(scene)
        assert it.messages() == []


def test_a30_graceful_stop_answers_what_is_committed(tmp_path: Path):
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with line(it) as (listener, reader, writer):
                frame = encode(result())
                writer.write(frame[:100])
                await asyncio.sleep(0.02)
                stopping = asyncio.create_task(listener.stop(grace=2))
                await asyncio.sleep(0.01)
                writer.write(frame[100:])
                assert b"MSA|CA|LIS18010100001" in await reader.read()
                assert (await stopping).cut == 0

        run(scene)
        assert len(it.messages()) == 1
