"""HL7 v2 over HTTP: the acknowledgement comes back in the form the message came in."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from adapter.api.body import Body
from adapter.store.database import open_database
from tests.integration.api_stand import served

MESSAGE = "MSH|^~\\&|LIS|LSCH|||20190627||ORU^R01|1|P|2.6\rPID|1||X1||试^甲\r".encode()


@dataclass(frozen=True)
class Answer:
    ack: bytes | None
    close: bool = False
    message_id: int | None = 1


ANSWERS = {b"GOOD": Answer(b"MSH|^~\\&|\rMSA|AA|1\r"), b"FAIL": Answer(None, close=True), b"MUTE": Answer(None)}
RECEIVED: list[bytes] = []


class Entrance:
    """An intake that keeps what it is given."""

    async def receive(self, raw: bytes, *, peer: str) -> Answer:
        RECEIVED.append(raw)
        assert peer.partition(":")[0] == "127.0.0.1"
        return ANSWERS.get(raw[-4:], ANSWERS[b"GOOD"])

    async def receive_large(self, body: Body, *, peer: str) -> Answer:
        return await self.receive(body.read(), peer=peer)

    async def undelivered(self, message_id: int, *, peer: str) -> None:
        raise AssertionError(message_id, peer)

    async def partial(self, head: bytes, *, peer: str) -> None:
        raise AssertionError(head, peer)

    def refused(self, kind: str, address: str) -> None:
        assert (kind, address) == ("body_refused", "127.0.0.1")

    def charset(self, ack: bytes) -> str | None:
        assert ack
        return None


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    database = open_database(f"sqlite:///{tmp_path_factory.mktemp('hl7')}/adapter.db")
    with served(database, entrance=Entrance()) as running:
        yield running
    database.close()


@pytest.mark.parametrize("kind", ["application/hl7-v2; charset=utf-8", "x-application/hl7-v2+er7"])
def test_a_message_is_handed_on_byte_for_byte_and_acknowledged(client: httpx.Client, kind: str) -> None:
    answer = client.post("/hl7", content=MESSAGE, headers={"Content-Type": kind})
    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
    assert answer.content == ANSWERS[b"GOOD"].ack
    assert RECEIVED[-1] == MESSAGE


def test_another_media_type_is_refused_and_nothing_is_stored(client: httpx.Client) -> None:
    before = len(RECEIVED)
    answer = client.post("/hl7", content=MESSAGE, headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json()["resourceType"]) == (415, "OperationOutcome")
    assert len(RECEIVED) == before


def test_when_the_message_could_not_be_stored_the_sender_is_told_to_send_again(client: httpx.Client) -> None:
    answer = client.post("/hl7", content=MESSAGE + b"FAIL", headers={"Content-Type": "application/hl7-v2"})
    assert (answer.status_code, answer.content) == (503, b"")


def test_a_message_that_wants_no_acknowledgement_gets_none(client: httpx.Client) -> None:
    answer = client.post("/hl7", content=MESSAGE + b"MUTE", headers={"Content-Type": "application/hl7-v2"})
    assert (answer.status_code, answer.content) == (204, b"")


def test_a_message_that_is_too_long_is_refused(client: httpx.Client) -> None:
    answer = client.post("/hl7", content=b"x" * (16 * 1024 * 1024 + 1), headers={"Content-Type": "application/hl7-v2"})
    assert answer.status_code == 413
