"""The sender against real listeners: order, windows, missing answers, HTTP."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from adapter.wire.http_sender import send_http
from adapter.wire.listener import Close, Handle, Peer, Reply, serve
from adapter.wire.notices import Payload
from adapter.wire.sender import Delivery, acknowledgement_code, send_mllp, send_mllp_per_message

MESSAGES = [b"MSH|^~\\&|LIS|TEST|||20180101||ORU^R01|%d|P|2.5.1\r" % number for number in range(50)]
ACK = b"MSH|^~\\&|||||20180101||ACK|9|P|2.5.1\rMSA|AA|"


def control_id(message: Payload) -> bytes:
    assert isinstance(message, bytes)
    return message.split(b"|")[9]


async def accept(message: Payload, _peer: Peer) -> Reply:
    return ACK + control_id(message)


def send(handle: Handle, deliver: Callable[[str, int], Awaitable[list[Delivery]]]) -> list[Delivery]:
    async def scene() -> list[Delivery]:
        listener = await serve("127.0.0.1", 0, handle=handle)
        try:
            async with asyncio.timeout(20):
                return await deliver(*listener.address)
        finally:
            await listener.stop(grace=0)

    return asyncio.run(scene())


@pytest.mark.parametrize("window", [1, 7, 64])
def test_every_message_meets_its_own_answer(window: int):
    async def deliver(host: str, port: int) -> list[Delivery]:
        return [one async for one in send_mllp(iter(MESSAGES), host, port, window=window)]

    deliveries = send(accept, deliver)
    assert [one.message for one in deliveries] == MESSAGES
    assert [one.answer for one in deliveries] == [ACK + control_id(message) for message in MESSAGES]
    assert all(one.accepted and one.code == "AA" and one.seconds > 0 for one in deliveries)


def test_a_connection_for_each_message():
    peers: set[int] = set()

    async def count(message: Payload, peer: Peer) -> Reply:
        peers.add(peer.port)
        return ACK + control_id(message)

    async def deliver(host: str, port: int) -> list[Delivery]:
        return [one async for one in send_mllp_per_message(MESSAGES[:5], host, port)]

    assert len(send(count, deliver)) == len(peers) == 5


def test_message_without_answer_is_told_and_the_rest_still_sent():
    async def silent_at_two(message: Payload, _peer: Peer) -> Reply:
        return None if control_id(message) == b"2" else ACK + control_id(message)

    async def deliver(host: str, port: int) -> list[Delivery]:
        return [one async for one in send_mllp(MESSAGES[:5], host, port, seconds=0.1)]

    deliveries = send(silent_at_two, deliver)
    assert [one.message for one in deliveries] == MESSAGES[:5]
    assert [one.code for one in deliveries] == ["AA", "AA", "", "AA", "AA"]
    assert deliveries[2].failure == "no answer in time"


def test_closed_connection_is_told_for_every_unanswered_message():
    async def close_at_two(message: Payload, _peer: Peer) -> Reply:
        return Close() if control_id(message) == b"2" else ACK + control_id(message)

    async def deliver(host: str, port: int) -> list[Delivery]:
        return [one async for one in send_mllp(MESSAGES[:5], host, port, window=2)]

    deliveries = send(close_at_two, deliver)
    assert [one.message for one in deliveries] == MESSAGES[:5]
    assert [one.code for one in deliveries] == ["AA", "AA", "", "", "AA"]
    assert deliveries[2].failure == deliveries[3].failure == "connection closed without an answer"


def test_receiver_that_does_not_listen_is_an_os_error():
    async def deliver() -> None:
        async for _ in send_mllp(MESSAGES[:1], "127.0.0.1", 1):
            pass

    with pytest.raises(OSError, match="1"):
        asyncio.run(deliver())


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"MSH|^~\\&|A\rMSA|AA|1\r", "AA"),
        (b"MSH|^~\\&|A\nMSA|CE|1\n", "CE"),
        (b"MSH$%*@#$A\rMSA$AR$1\r", "AR"),
        (b"MSH|^~\\&|A\rMSA|AR", "AR"),
        (b"MSH|^~\\&|A\rNTE|1||MSA|AA|\r", ""),
        (b"", ""),
    ],
)
def test_answer_code_is_msa_1_whatever_the_delimiters(answer: bytes, code: str):
    assert acknowledgement_code(answer) == code


def http(status: str, body: Callable[[bytes], bytes]) -> list[Delivery]:
    """Post three messages to a small HTTP server that answers `status` and `body(posted)`."""
    heads: list[bytes] = []

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        heads.append(head.lower())
        length = next(int(line[15:]) for line in head.lower().splitlines() if line.startswith(b"content-length:"))
        answer = body(await reader.readexactly(length))
        writer.write(b"HTTP/1.1 %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (status.encode(), len(answer)))
        writer.write(answer)
        await writer.drain()
        writer.close()

    async def scene() -> list[Delivery]:
        server = await asyncio.start_server(serve_one, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            return [one async for one in send_http(MESSAGES[:3], f"http://127.0.0.1:{port}/hl7")]

    deliveries = asyncio.run(scene())
    assert all(b"content-type: application/hl7-v2; charset=utf-8" in head for head in heads)
    return deliveries


def test_http_posts_each_message_and_reads_the_answer_from_the_body():
    deliveries = http("200 OK", lambda posted: ACK + control_id(posted))
    assert [one.message for one in deliveries] == MESSAGES[:3]
    assert [one.answer for one in deliveries] == [ACK + control_id(message) for message in MESSAGES[:3]]
    assert [one.code for one in deliveries] == ["AA"] * 3


def test_http_error_is_told():
    deliveries = http("503 Service Unavailable", lambda _: b"")
    assert [(one.code, one.failure) for one in deliveries] == [("", "HTTP 503")] * 3
