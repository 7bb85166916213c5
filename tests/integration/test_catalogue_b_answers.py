"""Group B of the fault catalogue, answers that wait for the worker: ack point, application acknowledgements."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme

from adapter import listeners
from adapter.errors import ConfigurationError
from adapter.intake.late import hold_once
from adapter.listeners import ReceiverTls
from adapter.replies.delivery import Deliveries
from adapter.settings import Address
from adapter.wire.mllp import Decoder, Frame, encode
from tests.integration.agreed_stand import Hospital, hospital
from tests.integration.certificate_stand import certificates
from tests.integration.intake_stand import OBR, OBX, PID, header, message, result, run, segments

ORIGINAL = {"msh_15": "", "msh_16": ""}
BOTH = {"msh_15": "AL", "msh_16": "AL"}
HELD = "H2F-3003"
OBR_PLAIN = OBR.replace("血常规", "CBC")


def suspect(**changed: str) -> bytes:
    """A message that the worker holds: declared GB 18030, and valid UTF-8 too (C4)."""
    raw = message(header(**changed, msh_18="GB 18030-2000"), PID.replace("试^九〇一", "试试^试九"), OBR_PLAIN, OBX)
    assert raw.decode("gb18030") != raw.decode()
    return raw


async def with_worker(it: Hospital, raw: bytes) -> Any:
    """The answer to a message while a worker works."""
    stop = asyncio.Event()

    async def work() -> None:
        while not stop.is_set():
            await asyncio.to_thread(it.convert)
            await asyncio.sleep(0.01)

    working = asyncio.create_task(work())
    try:
        return await it.receive(raw)
    finally:
        stop.set()
        await working


@pytest.mark.parametrize(
    ("raw", "code", "state"),
    [
        (result(**ORIGINAL), "AA", "mapped"),
        (result(), "CA", "mapped"),
        (result(msh_9="ADT^A01^ADT_A01", **ORIGINAL), "AE", "rejected"),
        (suspect(**ORIGINAL), "AE", "held"),
        (suspect(), "CE", "held"),
    ],
    ids=["mapped", "mapped, enhanced", "refused at once", "held", "held, enhanced"],
)
def test_site_that_agreed_on_mapped_hears_what_became_of_its_message(
    database_url: str, raw: bytes, code: str, state: str
):
    with hospital(database_url, ack_point="mapped") as it:

        async def scene() -> None:
            answer = await with_worker(it, raw)
            ack = segments(answer.ack)
            assert ack["MSA"][1] == code
            if state == "held":
                assert ack["ERR"][5].split("^")[0] == HELD
            again = await it.receive(raw)
            assert (again.ack, again.state) == (answer.ack, "duplicate")

        run(scene)
        (row,) = it.messages()
        assert (row["state"], row["ack_code"]) == (state, code)


def test_b55_message_that_is_not_mapped_in_time_is_not_answered_and_its_resend_is(
    database_url: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("adapter.intake.receive.BUDGET_SECONDS", 0.3)
    with hospital(database_url, ack_point="mapped") as it:

        async def scene() -> None:
            first = await it.receive(result())
            assert (first.ack, first.close) == (None, True)
            monkeypatch.undo()
            assert [(row["state"], row["ack_code"]) for row in it.messages()] == [("received", "")]
            await asyncio.to_thread(it.convert)
            assert segments((await it.receive(result())).ack)["MSA"][1] == "CA"

        run(scene)
        assert [(row["state"], row["ack_code"]) for row in it.messages()] == [("mapped", "CA")]


def test_message_behind_a_held_one_of_its_patient_is_answered_and_stops_no_line(database_url: str):
    with hospital(database_url, ack_point="mapped") as it:

        async def scene() -> None:
            await with_worker(it, suspect())
            answer = await with_worker(it, result(msh_10="2"))
            assert segments(answer.ack)["MSA"][1] == "CE"
            other = message(header(msh_10="3"), PID.replace("00A90001", "00A90002"), OBR, OBX)
            assert segments((await with_worker(it, other)).ack)["MSA"][1] == "CA"

        run(scene)
        assert it.states() == ["held", "received", "mapped"]


def test_many_resends_at_once_of_a_message_that_is_being_mapped_hear_the_same(database_url: str):
    with hospital(database_url, ack_point="mapped") as it:

        async def scene() -> None:
            asked = [asyncio.create_task(it.receive(result())) for _ in range(5)]
            await with_worker(it, result())
            assert len({(await one).ack for one in asked}) == 1

        run(scene)


def replies(it: Hospital) -> list[dict[str, Any]]:
    return it.rows("SELECT * FROM reply ORDER BY id")


@pytest.mark.parametrize(
    ("application", "good", "bad"),
    [("AL", "AA", "AE"), ("ER", "", "AE"), ("SU", "AA", ""), ("NE", "", "")],
    ids=["B27 always", "B27 on error", "B27 on success", "B26 never"],
)
def test_application_acknowledgement_is_written_when_the_message_has_ended(
    database_url: str, application: str, good: str, bad: str
):
    with hospital(database_url) as it:
        both = {"msh_15": "AL", "msh_16": application}
        raws = result(**both), suspect(**both, msh_10="2").replace(b"00A90001", b"00A90002")
        assert it.codes(*raws) == ["CA", "CA"]
        assert replies(it) == []
        it.convert()
        assert it.states() == ["mapped", "held"]
        assert [row["code"] for row in replies(it)] == [code for code in (good, bad) if code]


def test_b27_reply_is_a_message_of_its_own_that_asks_for_no_answer(database_url: str):
    with hospital(database_url) as it:
        it.give(suspect(**BOTH))
        it.convert()
        (reply,) = replies(it)
        told = segments(bytes(reply["payload"]), "gb18030")
        assert (reply["state"], told["MSH"][9]) == ("waiting", reply["control_id"])
        assert told["MSH"][14:16] == ["NE", "NE"]
        assert told["MSA"][1:3] == ["AE", "LIS18010100001"]
        assert told["ERR"][5].split("^")[0] == HELD
        assert reply["control_id"] not in bytes(it.messages()[0]["ack"]).decode("gb18030")


def test_b27_refusal_at_once_ends_it_and_an_ignored_message_is_answered_at_once(database_url: str):
    with hospital(database_url, ignored=frozenset({"BAR^P01"})) as it:
        ignored = message(header(msh_9="BAR^P01", **BOTH), PID)
        assert it.codes(ignored, ignored, message(header(msh_10="2", **BOTH), PID)) == ["CA", "CA", "CE"]
        assert [(row["code"], row["message_id"]) for row in replies(it)] == [("AA", it.messages()[0]["id"])]


def test_b27_message_converted_again_writes_the_same_reply(database_url: str):
    with hospital(database_url) as it:
        it.give(suspect(**BOTH))
        it.convert()
        (before,) = replies(it)
        with it.database.write() as connection:
            connection.exec_driver_sql("UPDATE message SET state = 'received', cause_code = ''")
        it.convert()
        (after,) = replies(it)
        assert (after["control_id"], after["code"]) == (before["control_id"], "AE")


def test_b38_late_fragments_are_answered_too(database_url: str):
    with hospital(database_url) as it:
        it.give(message(header(**BOTH), PID, OBR, "DSC|one|F"))
        assert replies(it) == []
        assert hold_once(it.database, ["FAHZU"]) == ["FAHZU"]
        assert [row["code"] for row in replies(it)] == ["AE"]


def test_b32_acknowledgement_of_a_reply_is_linked_to_its_message(database_url: str):
    with hospital(database_url) as it:
        it.give(result(**BOTH))
        it.convert()
        number = it.messages()[0]["id"]
        assert it.codes(message(header(msh_9="ACK"), f"MSA|AA|{replies(it)[0]['control_id']}")) == [""]
        assert it.incidents()["unexpected_acknowledgement"]["detail"] == f"answers the reply to message {number}"
        assert len(it.messages()) == 1


@dataclass
class Receiver:
    """A hospital's side: takes frames and says what it is told to say, or nothing."""

    answer: bytes = b""
    closes: bool = False
    frames: list[bytes] = field(default_factory=list[bytes])
    connections: int = 0

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        decoder = Decoder()
        while data := await reader.read(4096):
            if self.closes:
                break
            for event in decoder.feed(data):
                if isinstance(event, Frame):
                    self.frames.append(event.payload)
                    writer.write(encode(self.answer) if self.answer else b"")
        writer.close()


@asynccontextmanager
async def listening(receiver: Receiver, tls: ssl.SSLContext | None = None) -> AsyncGenerator[Address]:
    server = await asyncio.start_server(receiver.talk, "127.0.0.1", 0, ssl=tls)
    host, port = server.sockets[0].getsockname()[:2]
    try:
        yield Address(host, port)
    finally:
        server.close()
        await server.wait_closed()


def deliver(it: Hospital, receiver: Receiver, after: Callable[[Deliveries], Awaitable[None]] | None = None) -> None:
    """One turn of delivery to this receiver, and what comes after."""

    async def scene() -> None:
        async with listening(receiver) as address:
            deliveries = Deliveries(
                it.database, {"FAHZU": listeners.Receiver(address)}, it.intake.incidents, linger=0.5
            )
            await deliveries.turn()
            if after:
                await after(deliveries)

    run(scene)


def ended(it: Hospital, count: int) -> None:
    it.give(*[result(msh_10=str(number), **BOTH) for number in range(count)])
    it.convert()


@pytest.mark.parametrize("answer", [b"", message(header(msh_9="ACK"), "MSA|CA|x")], ids=["silent", "answers"])
def test_b27_replies_are_delivered_once_in_order_over_one_connection(database_url: str, answer: bytes):
    with hospital(database_url) as it:
        ended(it, 40)
        receiver = Receiver(answer)
        deliver(it, receiver, lambda deliveries: deliveries.turn())
        assert [segments(frame)["MSA"][2] for frame in receiver.frames] == [str(number) for number in range(40)]
        assert {row["state"] for row in replies(it)} == {"delivered"}
        assert receiver.connections <= 2


def test_b27_replies_go_over_tls_to_the_hospital_that_its_authority_vouches_for(database_url: str, tmp_path: Path):
    trusted = certificates(tmp_path)
    ours = trusted.issue("hub.example")
    certificate = trusted.file("hub.pem", ours.private_key_and_cert_chain_pem.bytes())
    known = ReceiverTls(trusted.file("ca.pem", trusted.authority.cert_pem.bytes()), certificate, certificate)
    strange = ReceiverTls(trusted.file("strange.pem", trustme.CA().cert_pem.bytes()), certificate, certificate)
    receiver = Receiver()
    key, server = trusted.tls(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(key.certificate, key.key)
    server.load_verify_locations(key.clients)
    server.verify_mode = ssl.CERT_REQUIRED

    with hospital(database_url) as it:
        ended(it, 1)

        async def scene() -> None:
            async with listening(receiver, server) as address:
                for tls in (strange, known):
                    to = {"FAHZU": listeners.Receiver(address, tls)}
                    await Deliveries(it.database, to, it.intake.incidents, linger=0.5).turn()
                    seen.append(replies(it)[0])
                    due_now(it)

        seen: list[dict[str, Any]] = []
        run(scene)
        assert [(row["state"], row["failure"]) for row in seen] == [
            ("waiting", "no connection: SSLCertVerificationError"),
            ("delivered", ""),
        ]
        assert len(receiver.frames) == 1


def test_replies_whose_certificate_cannot_be_read_are_told_at_the_start(database_url: str, tmp_path: Path):
    to = listeners.Receiver(Address("127.0.0.1", 1), ReceiverTls(tmp_path / "none.pem"))
    with hospital(database_url) as it, pytest.raises(ConfigurationError, match="replies of FAHZU"):
        Deliveries(it.database, {"FAHZU": to}, it.intake.incidents)


def due_now(it: Hospital) -> None:
    with it.database.write() as connection:
        connection.exec_driver_sql("UPDATE reply SET due_at = 0")


def test_b27_reply_that_is_not_taken_is_tried_again_later_and_keeps_the_others_behind_it(database_url: str):
    with hospital(database_url) as it:
        ended(it, 3)
        pauses: list[float] = []
        head, second, third = replies(it)
        for _ in range(8):
            deliver(it, Receiver(closes=True))
            head = replies(it)[0]
            pauses.append((head["due_at"] - head["made_at"]) / 1e6)
            due_now(it)
        head, second, third = replies(it)
        assert (head["state"], head["attempts"], head["failure"]) == ("waiting", 8, "connection closed")
        assert (second["attempts"], third["attempts"]) == (0, 0)
        assert 10 <= pauses[0] < 70
        assert 600 <= pauses[7] < 700
        receiver = Receiver()
        deliver(it, receiver)
        assert [segments(frame)["MSA"][2] for frame in receiver.frames] == ["0", "1", "2"]


def test_reply_that_is_not_due_is_not_tried(database_url: str):
    with hospital(database_url) as it:
        ended(it, 1)
        deliver(it, Receiver(closes=True), lambda deliveries: deliveries.turn())
        assert replies(it)[0]["attempts"] == 1


def test_f36_hospital_that_is_down_for_a_day_leaves_a_dead_letter_and_an_incident(database_url: str):
    with hospital(database_url) as it:
        ended(it, 2)
        with it.database.write() as connection:
            connection.exec_driver_sql(f"UPDATE reply SET made_at = made_at - {25 * 3600 * 1_000_000}")

        async def scene() -> None:
            async with listening(Receiver()) as address:
                pass
            await Deliveries(it.database, {"FAHZU": listeners.Receiver(address)}, it.intake.incidents).turn()

        run(scene)
        first, second = replies(it)
        assert (first["state"], first["failure"]) == ("failed", "no connection: ConnectionRefusedError")
        assert bytes(first["payload"])
        assert second["state"] == "waiting"
        assert it.incidents()["reply_undeliverable"]["detail"] == "no connection: ConnectionRefusedError"


def test_reply_that_the_hospital_refuses_is_not_sent_again(database_url: str):
    with hospital(database_url) as it:
        ended(it, 1)
        receiver = Receiver(message(header(msh_9="ACK"), "MSA|AE|x"))
        deliver(it, receiver, lambda deliveries: deliveries.turn())
        assert [(row["state"], row["failure"]) for row in replies(it)] == [("failed", "answered AE")]
        assert len(receiver.frames) == 1
        assert "reply_undeliverable" in it.incidents()


def test_reply_to_a_site_without_an_address_waits_and_is_told_once(database_url: str):
    with hospital(database_url) as it:
        ended(it, 2)

        async def scene() -> None:
            for _ in range(3):
                await Deliveries(it.database, {}, it.intake.incidents).turn()

        run(scene)
        assert [(row["state"], row["failure"]) for row in replies(it)] == [("waiting", "no address")] * 2
        assert it.incidents()["reply_without_address"]["count"] == 1
        receiver = Receiver()
        deliver(it, receiver)
        assert len(receiver.frames) == 2
