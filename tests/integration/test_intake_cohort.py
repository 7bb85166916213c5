"""The four hospitals' whole streams: every message is accepted, over its transport's own way of answering."""

import asyncio
from pathlib import Path

import pytest

from adapter.hl7v2.parse import header
from adapter.intake import EVERY_SITE, Origin, listen
from adapter.settings import Address
from adapter.wire.mllp import Decoder, Frame
from adapter.wire.sender import send_mllp, send_mllp_per_message
from tests.integration.intake_stand import SHARED, Stand, run, stand

STREAMS = SHARED / "cohort" / "messages"
ACCEPTED = {"01-fahzu": "CA", "02-yiwu": "AA", "03-jinhua": "AA", "04-lishui": "AA"}

pytestmark = pytest.mark.skipif(not STREAMS.is_dir(), reason="../shared/cohort is not beside the project")


def messages(stream: str) -> list[bytes]:
    events = Decoder().feed((STREAMS / f"{stream}.mllp").read_bytes())
    return [event.payload for event in events if isinstance(event, Frame)]


def assert_all_kept(it: Stand, raws: list[bytes]) -> None:
    rows = it.messages()
    assert [row["raw"] for row in rows] == raws
    assert {row["state"] for row in rows} == {"received"}
    assert {row["structure"] for row in rows}.isdisjoint({""})


@pytest.mark.parametrize("stream", ["01-fahzu", "02-yiwu"])
def test_stream_over_one_connection(tmp_path: Path, stream: str):
    raws = messages(stream)
    with stand(tmp_path) as it:

        async def scene() -> None:
            listener = await listen(it.intake, Address("127.0.0.1", 0))
            deliveries = [one async for one in send_mllp(raws, *listener.address, window=64)]
            await listener.stop()
            assert {one.code for one in deliveries} == {ACCEPTED[stream]}
            echoed = [header(one.answer).raw(5) for one in deliveries]
            assert echoed == [header(raw).raw(3) for raw in raws]

        run(scene)
        assert_all_kept(it, raws)


def test_stream_over_a_connection_for_every_message(tmp_path: Path):
    """Jinhua; the answers are in the version of the message and name no characters."""
    raws = messages("03-jinhua")
    with stand(tmp_path) as it:

        async def scene() -> None:
            listener = await listen(it.intake, Address("127.0.0.1", 0))
            parts = [raws[start::8] for start in range(8)]

            async def send(part: list[bytes]) -> None:
                async for one in send_mllp_per_message(part, *listener.address):
                    assert one.code == "AA"
                    answered = header(one.answer)
                    assert (answered.version, answered.raw(18)) == ("2.3.1", b"")

            await asyncio.gather(*map(send, parts))
            await listener.stop()

        run(scene)
        assert {row["raw"] for row in it.messages()} == set(raws)
        assert {row["state"] for row in it.messages()} == {"received"}


def test_stream_of_requests(tmp_path: Path):
    """Lishui: one request at a time, the answer in its body."""
    raws = messages("04-lishui")
    with stand(tmp_path) as it:

        async def scene() -> None:
            for raw in raws:
                answer = await it.intake.receive(raw, origin=Origin(EVERY_SITE, "http", "192.0.2.4:1"))
                assert answer.ack
                assert b"\rMSA|AA|" + header(raw).control_id in answer.ack

        run(scene)
        assert_all_kept(it, raws)
