"""Group A of the fault catalogue behind a real listener: addresses, TLS, slow and lost peers, large messages.

What the framing alone decides is tested in test_intake_mllp.py, tests/unit/test_wire_mllp.py and test_wire_listener.py.
"""

import asyncio
import socket
import ssl
import struct
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.hashes import SHA256

from adapter.errors import ConfigurationError, MappingError
from adapter.hl7v2.slim import stored
from adapter.intake import listen
from adapter.intake.inventory import Inventory, entries
from adapter.intake.lines import Lines, Reload
from adapter.listeners import Channel, Listener, Plan, Tls, load_plan
from adapter.settings import Address, Settings
from adapter.store import parts
from adapter.store.database import Database
from adapter.wire.listener import Limits
from adapter.wire.listener import Listener as Line
from adapter.wire.mllp import encode
from tests.integration.certificate_stand import Certificates, certificates, loaded, serial
from tests.integration.intake_stand import OBR, PID, Stand, header, intake_on, message, result, run, segments, stand
from tests.mappings import catalog

NOT_HERE = 77

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
ANYWHERE = Address("127.0.0.1", 0)
PLAIN = Listener(Channel("fahzu", frozenset({"FAHZU"})), "mllp", ANYWHERE)


@dataclass
class Doors:
    """Listeners as the service opens them, on one intake."""

    stand: Stand
    lines: Lines
    inventory: Inventory
    writers: list[asyncio.StreamWriter]

    async def connect(self, context: ssl.SSLContext | None = None, number: int = 0) -> Connection:
        reader, writer = await asyncio.open_connection(*self.line(number).address, ssl=context)
        self.writers.append(writer)
        return reader, writer

    def line(self, number: int = 0) -> Line:
        return self.lines.listeners[number]

    async def ask(self, connection: Connection, raw: bytes) -> list[str]:
        """Send a message; MSA-1 and MSA-2 of its answer."""
        connection[1].write(encode(raw))
        async with asyncio.timeout(30):
            answer = (await connection[0].readuntil(b"\x1c\r"))[1:-2]
        return segments(answer)["MSA"][1:3]

    async def incident(self, kind: str, *, count: int = 1) -> dict[str, Any]:
        """The incident of this kind, once it has happened so often."""
        return await soon(lambda: self._incident(kind, count))

    def _incident(self, kind: str, count: int) -> dict[str, Any] | None:
        self.stand.intake.incidents.flush()
        found = self.stand.rows(f"SELECT * FROM incident WHERE kind = '{kind}'")
        return found[0] if found and found[0]["count"] >= count else None

    async def rows(self, sql: str) -> list[dict[str, Any]]:
        """What a query gives, as soon as it gives anything."""
        return await soon(lambda: self.stand.rows(sql))


async def soon(look: Callable[[], Any]) -> Any:
    """What is found, as soon as anything is."""
    async with asyncio.timeout(30):
        while True:
            if found := look():
                return found
            await asyncio.sleep(0.02)


@asynccontextmanager
async def doors(it: Stand, folder: Path, *wanted: Listener, quick: Limits | None = None) -> AsyncGenerator[Doors]:
    """Open listeners; `quick` changes what is not in the file."""
    settings = Settings(data=folder / "data")
    inventory = Inventory(settings.data, it.intake.incidents, it.intake._clock)
    lines = Lines(it.intake, catalog(), settings, inventory)
    await lines.open(Plan(wanted))
    for line in lines.listeners:
        line.limits = replace(quick or line.limits, room=line.limits.room)
    opened = Doors(it, lines, inventory, [])
    try:
        yield opened
    finally:
        for line in lines.listeners:
            await line.stop(grace=0)
        for writer in opened.writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
        await it.intake.close()


def secured(tls: Tls, name: str = "fahzu") -> Listener:
    return replace(PLAIN, channel=Channel(name, frozenset({"FAHZU"})), tls=tls)


async def refused(it: Doors, context: ssl.SSLContext) -> bool:
    """Whether the connection is closed without an answer."""
    try:
        reader, writer = await it.connect(context)
        writer.write(encode(result()))
        async with asyncio.timeout(20):
            return await reader.read() == b""
    except (ssl.SSLError, ConnectionError):
        return True


# Plain connections.


def test_a18_answer_to_a_peer_that_has_closed_is_noted_with_its_message(tmp_path: Path):
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with doors(it, tmp_path, PLAIN) as opened:
                connection = socket.create_connection(opened.line().address)
                connection.sendall(encode(result()))
                connection.close()
                await opened.rows("SELECT 1 FROM message WHERE ack_outcome = 'undelivered'")
                assert (await opened.incident("acknowledgement_undelivered"))["peer"] == "127.0.0.1"

        run(scene)
        assert [(row["state"], row["ack_outcome"]) for row in it.messages()] == [("received", "undelivered")]


def test_a18_answer_that_a_half_closed_peer_reads_counts_as_delivered(tmp_path: Path):
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with doors(it, tmp_path, PLAIN) as opened:
                reader, writer = await opened.connect()
                writer.write(encode(result()))
                writer.write_eof()
                assert b"MSA|CA" in await reader.read()

        run(scene)
        assert [row["ack_outcome"] for row in it.messages()] == [""]


def test_a19_second_connection_on_a_listener_for_one_is_told_and_served(tmp_path: Path):
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with doors(it, tmp_path, replace(PLAIN, single_connection=True)) as opened:
                first, second = await opened.connect(), await opened.connect()
                assert await opened.ask(second, result(msh_10="2")) == ["CA", "2"]
                assert await opened.ask(first, result(msh_10="1")) == ["CA", "1"]
                await opened.incident("second_connection")

        run(scene)


def test_a20_thousand_connections_of_one_address_are_one_incident_and_others_have_their_places(tmp_path: Path):
    crowded, other = replace(PLAIN, connections_per_address=20), replace(PLAIN, channel=Channel("other"))
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with doors(it, tmp_path, crowded, other) as opened:
                kept = [await opened.connect() for _ in range(20)]
                for _ in range(980):
                    with socket.create_connection(opened.line().address):
                        await asyncio.sleep(0)
                found = await opened.incident("connections_of_address", count=980)
                assert (found["count"], found["peer"], found["channel"]) == (980, "127.0.0.1", "fahzu")
                assert await opened.ask(kept[0], result(msh_10="1")) == ["CA", "1"]
                assert await opened.ask(await opened.connect(number=1), result(msh_10="2")) == ["CA", "2"]

        run(scene)
        assert len(it.rows("SELECT 1 FROM incident")) == 1


def test_a20_a22_idle_and_slow_connections_do_not_stop_another_listener(tmp_path: Path):
    idle, other = replace(PLAIN, max_connections=400), replace(PLAIN, channel=Channel("other"))
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with doors(it, tmp_path, idle, other) as opened:
                connections = [await opened.connect() for _ in range(400)]
                for _, writer in connections[:50]:
                    writer.write(b"\x0bMSH|^~\\&|LIS|FAHZU|")
                busy = await opened.connect(number=1)
                for number in range(20):
                    for _, writer in connections[:50]:
                        writer.write(b"x")
                    assert await opened.ask(busy, result(msh_10=str(number))) == ["CA", str(number)]
                assert await opened.ask(connections[399], result(msh_10="late")) == ["CA", "late"]

        run(scene)


def test_a21_a22_keep_alive_drops_a_silent_line_only_where_the_peer_is_gone(tmp_path: Path):
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with doors(it, tmp_path, PLAIN) as opened:
                await opened.connect()
                (connection,) = await soon(lambda: tuple(opened.line().connections))
                assert connection.timer is None
                kept = connection.transport.get_extra_info("socket")
                idle, between, probes = (
                    kept.getsockopt(socket.IPPROTO_TCP, option)
                    for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
                )
                assert kept.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
                assert idle + between * probes == 60

        run(scene)


def test_a21_peer_that_vanished_is_told_and_its_place_is_free(tmp_path: Path):
    """In a network of its own, which is switched off while a connection is open."""
    program = Path(__file__).with_name("vanished_peer.py")
    done = subprocess.run([sys.executable, str(program), str(tmp_path)], capture_output=True, text=True, check=False)
    if done.returncode == NOT_HERE:
        pytest.skip("this system lets nobody make a network")
    assert done.stdout.strip() == "peer_vanished 127.0.0.1, 0 open", done.stderr


def test_a23_a_byte_now_and_then_is_cut_at_the_time_of_a_frame(tmp_path: Path):
    with stand(tmp_path) as it:

        async def scene() -> None:
            slow = Limits(frame_seconds=0.5, stall_seconds=10)
            async with doors(it, tmp_path, PLAIN, quick=slow) as opened:
                reader, writer = await opened.connect()
                writer.write(b"\x0b" + result()[:90])
                ended = asyncio.create_task(reader.read())
                while not ended.done():
                    writer.write(b"x")
                    await asyncio.wait({ended}, timeout=0.05)
                found = await opened.incident("frame_slow")
                assert (found["peer"], found["site"]) == ("127.0.0.1", "FAHZU")
                (event,) = await opened.rows("SELECT kind, raw FROM connection_event")
                assert event["kind"] == "partial"

        run(scene)
        assert it.messages() == []


def test_a23_a_long_message_on_a_slow_but_honest_line_gets_through(tmp_path: Path):
    long = result().replace(b"0.70", b"7" * 40_000)
    with stand(tmp_path) as it:

        async def scene() -> None:
            # In each tenth of a second 100 bytes are owed, and about 1,000 come.
            slow = Limits(frame_seconds=0.1, bytes_per_second=1000, stall_seconds=10)
            async with doors(it, tmp_path, PLAIN, quick=slow) as opened:
                reader, writer = await opened.connect()
                frame = encode(long)
                for start in range(0, len(frame), 400):
                    writer.write(frame[start : start + 400])
                    await asyncio.sleep(0.01)
                assert b"MSA|CA" in await reader.readuntil(b"\x1c\r")

        run(scene)
        assert [row["raw"] for row in it.messages()] == [long]


def test_a24_address_on_no_list_is_closed_at_accept(tmp_path: Path):
    with stand(tmp_path) as it:

        async def scene() -> None:
            far = replace(PLAIN, allow=(ip_network("192.0.2.0/24"),))
            async with doors(it, tmp_path, far) as opened:
                for _ in range(3):
                    reader, _ = await opened.connect()
                    with suppress(ConnectionResetError):
                        assert await reader.read() == b""
                found = await opened.incident("address_forbidden", count=3)
                assert found["peer"] == "127.0.0.1"

        run(scene)


def test_a7_a8_strict_framing_takes_nothing_but_fs_cr_for_an_end(tmp_path: Path):
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with doors(it, tmp_path, replace(PLAIN, strict_framing=True)) as opened:
                reader, writer = await opened.connect()
                writer.write(b"\x0b" + result() + b"\x1c\n" + encode(result(msh_10="2")))
                assert b"MSA|CA|2" in await reader.readuntil(b"\x1c\r")
                await opened.incident("frame_restarted")

        run(scene)
        assert [row["control_id"] for row in it.messages()] == ["2"]


@pytest.mark.parametrize(
    ("sent", "kind"),
    [
        pytest.param(b"\r\n" + encode(result()), "framing_noise", id="A1 blank bytes"),
        pytest.param(b"hello" + encode(result()), "framing_junk", id="A2 junk"),
        pytest.param(b"x" * 5000, "no_start_block", id="A3 no start block"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01", "wrong_protocol", id="A4 TLS"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", "wrong_protocol", id="A6 HTTP"),
        pytest.param(b"\x0b" + result() + b"\x1c", "end_block_lenient", id="A7 FS alone"),
        pytest.param(b"\x0b" + result() + b"\x1c\n", "end_block_lenient", id="A8 FS LF"),
        pytest.param(b"\x0b" + result()[:99], "frame_truncated", id="A9 closed inside a frame"),
        pytest.param(b"\x0b" + result()[:60] + encode(result()), "frame_restarted", id="A11 begun anew"),
    ],
)
def test_what_is_no_message_is_one_incident_of_its_peer(tmp_path: Path, sent: bytes, kind: str):
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with doors(it, tmp_path, PLAIN) as opened:
                for _ in range(2):
                    reader, writer = await opened.connect()
                    writer.write(sent)
                    writer.write_eof()
                    with suppress(ConnectionResetError):
                        await reader.read()
                found = await opened.incident(kind, count=2)
                assert (found["channel"], found["peer"], found["count"]) == ("fahzu", "127.0.0.1", 2)

        run(scene)


def test_a9_truncated_message_is_no_longer_an_incident_when_it_arrives_whole(tmp_path: Path):
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with doors(it, tmp_path, PLAIN) as opened:
                _, writer = await opened.connect()
                writer.write(b"\x0b" + result()[:200])
                writer.close()
                found = await opened.incident("frame_truncated")
                assert (found["site"], found["ended_at"]) == ("FAHZU", None)
                assert found["detail"] == "after 200 bytes, MSH-10 LIS18010100001"
                await opened.ask(await opened.connect(), result())
                assert (await opened.incident("frame_truncated"))["ended_at"]

        run(scene)


def test_a14_empty_frame_is_refused_where_the_one_site_of_a_listener_wishes(tmp_path: Path):
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with doors(it, tmp_path, PLAIN) as opened:
                line = await listen(it.intake, ANYWHERE, limits=Limits(heartbeats=False))
                reader, writer = await asyncio.open_connection(*line.address)
                writer.write(encode(b"") + encode(result()))
                answers = [await reader.readuntil(b"\x1c\r") for _ in range(2)]
                assert [b"MSA|AR" in answers[0], b"MSA|CA" in answers[1]] == [True, True]
                await opened.incident("empty_frame_refused")
                writer.close()
                await line.stop(grace=0)

        run(scene)
        assert len(it.messages()) == 1


# TLS.


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_message_over_tls_with_a_client_certificate_is_taken(tmp_path: Path, version: ssl.TLSVersion):
    made = certificates(tmp_path)
    client = made.client(made.issue("engine.fahzu.example"))
    client.minimum_version = client.maximum_version = version
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with doors(it, tmp_path, secured(made.tls("engine.fahzu.example"))) as opened:
                connection = await opened.connect(client)
                for number in range(5):
                    raw = result(msh_10=str(number)).replace(b"0.70", b"7" * 60_000)
                    assert await opened.ask(connection, raw) == ["CA", str(number)]
                connection[1].close()
                await connection[1].wait_closed()

        run(scene)
        assert len(it.messages()) == 5


def test_a5_plain_text_on_the_tls_port_is_kept_and_closed(tmp_path: Path):
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with doors(it, tmp_path, secured(certificates(tmp_path).tls())) as opened:
                reader, writer = await opened.connect()
                writer.write(encode(result()))
                with suppress(ConnectionResetError):
                    assert await reader.read() == b""
                assert "plain text on the TLS port" in (await opened.incident("wrong_protocol"))["detail"]
                (event,) = await opened.rows("SELECT kind, raw FROM connection_event")
                assert (event["kind"], event["raw"]) == ("garbage", encode(result()))

        run(scene)
        assert it.messages() == []


def test_a31_peer_without_a_certificate_is_named_by_its_address(tmp_path: Path):
    made = certificates(tmp_path)
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with doors(it, tmp_path, secured(made.tls())) as opened:
                assert await refused(opened, made.client())
                found = await opened.incident("certificate_missing")
                assert (found["peer"], found["detail"]) == ("127.0.0.1", "no client certificate")

        run(scene)
        assert it.messages() == []


def _expired(made: Certificates) -> trustme.LeafCert:
    return made.issue("engine", days=(-20, -1))


def _future(made: Certificates) -> trustme.LeafCert:
    return made.issue("engine", days=(2, 20))


def _unknown(_made: Certificates) -> trustme.LeafCert:
    return trustme.CA().issue_cert("engine", common_name="engine")


def _revoked(made: Certificates) -> trustme.LeafCert:
    revoked = made.issue("engine")
    made.revocation_list(revoked)
    return revoked


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        pytest.param(_expired, "expired", id="A32 expired"),
        pytest.param(_future, "not yet valid", id="A32 not yet valid"),
        pytest.param(_unknown, "unable to get local issuer", id="A32 unknown authority"),
        pytest.param(_revoked, "revoked", id="A32 revoked"),
    ],
)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_certificate_that_is_not_valid_is_refused_by_subject_and_number(
    tmp_path: Path, bad: Callable[[Certificates], trustme.LeafCert], words: str, version: ssl.TLSVersion
):
    made = certificates(tmp_path)
    shown = bad(made)
    revoked = tmp_path / "revoked.pem"
    client = made.client(shown)
    client.minimum_version = client.maximum_version = version
    with stand(tmp_path) as it:

        async def scene() -> None:
            tls = made.tls(revoked=revoked if revoked.exists() else None)
            async with doors(it, tmp_path, secured(tls)) as opened:
                assert await refused(opened, client)
                detail = (await opened.incident("certificate_refused"))["detail"]
                assert words in detail
                assert f"serial {serial(shown):x}" in detail
                assert loaded(shown).subject.rfc4514_string() in detail

        run(scene)
        assert it.messages() == []


def test_a32_certificates_are_listed_and_told_30_7_and_1_days_before_their_end(tmp_path: Path):
    made = certificates(tmp_path)
    with stand(tmp_path) as it:

        async def scene() -> None:
            wanted = secured(made.tls())
            certificate, key = made.server()
            leaf = made.issue("adapter.example", days=(-100, 6))
            certificate.write_bytes(leaf.cert_chain_pems[0].bytes())
            key.write_bytes(leaf.private_key_pem.bytes())
            async with doors(it, tmp_path, wanted) as opened:
                assert await opened.ask(await opened.connect(_unchecked(made)), result()) == ["CA", "LIS18010100001"]
                now = loaded(leaf).not_valid_after_utc
                listed = {one.role: one for one in entries(Plan((wanted,)), tmp_path / "data")}
                assert listed["own certificate"].days_left(now) == 0
                assert listed["peer's certificate"].channel == "fahzu"
                assert "authority of clients" in listed
                told = Inventory(tmp_path / "data", it.intake.incidents, lambda: now.replace(microsecond=0))
                told.look(Plan((wanted,)))
                found = await opened.incident("certificate_expires")
                assert (found["channel"], found["peer"]) == ("fahzu", "own certificate")
                assert f"serial {serial(leaf):x}" in found["detail"]
                made.server()
                told.look(Plan((wanted,)))
                assert await soon(lambda: (opened._incident("certificate_expires", 1) or {}).get("ended_at"))

        run(scene)


def _unchecked(made: Certificates) -> ssl.SSLContext:
    context = made.client(made.issue("engine"))
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


@pytest.mark.parametrize("by_fingerprint", [False, True])
def test_a33_valid_certificate_of_another_site_is_closed_after_the_handshake(tmp_path: Path, by_fingerprint: bool):
    made = certificates(tmp_path)
    ours, theirs = made.issue("engine.fahzu.example"), made.issue("engine.lsch.example")
    subject = trusted(ours) if by_fingerprint else "engine.fahzu.example"
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with doors(it, tmp_path, secured(made.tls(subject))) as opened:
                assert await refused(opened, made.client(theirs))
                found = await opened.incident("certificate_foreign")
                assert "engine.lsch.example" in found["detail"]
                assert found["channel"] == "fahzu"
                connection = await opened.connect(made.client(ours))
                assert await opened.ask(connection, result()) == ["CA", "LIS18010100001"]

        run(scene)
        assert len(it.messages()) == 1


def trusted(made: trustme.LeafCert) -> str:
    return loaded(made).fingerprint(SHA256()).hex(":").upper()


def _hello(version: int) -> bytes:
    """A ClientHello of an old program, without extensions: TLS 1.0 is 1, 1.1 is 2."""
    body = bytes([3, version]) + bytes(32) + b"\x00" + struct.pack(">H3H", 6, 0x002F, 0x0035, 0x000A) + b"\x01\x00"
    shake = b"\x01" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x01" + struct.pack(">H", len(shake)) + shake


@pytest.mark.parametrize(("version", "name"), [(1, "TLS 1.0"), (2, "TLS 1.1")], ids=["A34 TLS 1.0", "A34 TLS 1.1"])
def test_outdated_version_is_refused_by_its_name(tmp_path: Path, version: int, name: str):
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with doors(it, tmp_path, secured(certificates(tmp_path).tls())) as opened:
                reader, writer = await opened.connect()
                writer.write(_hello(version))
                with suppress(ConnectionResetError):
                    assert (await reader.read())[:1] in {b"", b"\x15"}
                assert (await opened.incident("handshake_failed"))["detail"].endswith(name)

        run(scene)


def test_a34_cipher_without_forward_secrecy_is_refused(tmp_path: Path):
    made = certificates(tmp_path)
    client = made.client(made.issue("engine"))
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers("AES128-SHA256")
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with doors(it, tmp_path, secured(made.tls())) as opened:
                assert await refused(opened, client)
                assert "no shared cipher" in (await opened.incident("handshake_failed"))["detail"]

        run(scene)


def test_a34_nothing_is_compressed_resumed_or_renegotiated(tmp_path: Path):
    made = certificates(tmp_path)
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with doors(it, tmp_path, secured(made.tls())) as opened:
                tls = opened.line().door.tls
                assert tls
                forbidden = ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
                assert tls.options & forbidden == forbidden
                assert (tls.minimum_version, tls.num_tickets) == (ssl.TLSVersion.TLSv1_2, 0)
                _, writer = await opened.connect(made.client(made.issue("engine")))
                assert writer.get_extra_info("ssl_object").version() == "TLSv1.3"
                assert writer.get_extra_info("compression") is None

        run(scene)


def test_slow_handshake_is_given_up_and_stops_nobody_else(tmp_path: Path):
    made = certificates(tmp_path)
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with doors(it, tmp_path, secured(made.tls()), quick=Limits(handshake_seconds=1.5)) as opened:
                slow = [await opened.connect() for _ in range(30)]
                for _, writer in slow:
                    writer.write(b"\x16\x03\x01")
                connection = await opened.connect(made.client(made.issue("engine")))
                assert await opened.ask(connection, result()) == ["CA", "LIS18010100001"]
                for reader, _ in slow:
                    assert await reader.read() == b""
                found = await opened.incident("handshake_failed", count=30)
                assert found["detail"] == "handshake broken off: it took too long"

        run(scene)


TLS_LISTENER = """listeners:
  - name: fahzu
    mllp: 127.0.0.1:0
    sites: [FAHZU]
    tls: {certificate: server.pem, key: server.key, clients: ca.pem}
"""


@asynccontextmanager
async def reloading(it: Stand, folder: Path) -> AsyncGenerator[tuple[Doors, Reload]]:
    """A TLS listener from a file, and what SIGHUP does."""
    file = folder / "listeners.yaml"
    file.write_text(TLS_LISTENER)

    def plan() -> Plan:
        return load_plan(file, sites=["FAHZU"])

    async with doors(it, folder, *plan().listeners) as opened:
        yield opened, Reload(plan, (opened.lines,), opened.inventory, it.intake.incidents)


def certificate_of(connection: Connection) -> bytes:
    return connection[1].get_extra_info("ssl_object").getpeercert(binary_form=True)


def test_a35_new_connections_get_the_new_certificate_and_old_ones_live_on(tmp_path: Path):
    made = certificates(tmp_path)
    made.tls()
    client = made.client(made.issue("engine"))
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with reloading(it, tmp_path) as (opened, reload):
                old = await opened.connect(client)
                made.server("renewed")
                more = "    max_connections: 7\n    allow: [127.0.0.0/8]\n"
                (tmp_path / "listeners.yaml").write_text(TLS_LISTENER + more)
                reload()
                new = await opened.connect(client)
                assert certificate_of(old) != certificate_of(new)
                assert opened.line().limits.max_connections == 7
                assert await opened.ask(old, result(msh_10="1")) == ["CA", "1"]
                assert await opened.ask(new, result(msh_10="2")) == ["CA", "2"]

        run(scene)


def test_f34_broken_file_leaves_the_old_configuration_and_is_told_with_line_and_reason(tmp_path: Path):
    made = certificates(tmp_path)
    made.tls()
    client = made.client(made.issue("engine"))
    file = tmp_path / "listeners.yaml"
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with reloading(it, tmp_path) as (opened, reload):
                file.write_text(TLS_LISTENER + "    max_connections: none\n")
                reload()
                found = await opened.incident("reload_refused")
                assert found["detail"] == f"{file}:6: max_connections: is a whole number above 0"
                assert opened.line().limits.max_connections == 256
                connection = await opened.connect(client)
                assert await opened.ask(connection, result()) == ["CA", "LIS18010100001"]
                file.write_text(TLS_LISTENER)
                reload()
                assert await soon(lambda: (opened._incident("reload_refused", 1) or {}).get("ended_at"))

        run(scene)


def test_f33_key_that_cannot_be_read_at_a_reload_leaves_the_old_certificate(tmp_path: Path):
    made = certificates(tmp_path)
    made.tls()
    client = made.client(made.issue("engine"))
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with reloading(it, tmp_path) as (opened, reload):
                before = await opened.connect(client)
                made.server("renewed")
                (tmp_path / "server.key").unlink()
                reload()
                assert "server.key" in (await opened.incident("reload_refused"))["detail"]
                after = await opened.connect(client)
                assert certificate_of(before) == certificate_of(after)
                assert await opened.ask(after, result()) == ["CA", "LIS18010100001"]

        run(scene)


def test_f33_start_with_a_key_that_cannot_be_read_is_refused(tmp_path: Path):
    tls = certificates(tmp_path).tls()
    tls.key.write_text("no key")
    with stand(tmp_path) as it:

        async def scene() -> None:
            with pytest.raises(ConfigurationError, match=r"server\.(pem|key)"):
                async with doors(it, tmp_path, secured(tls)):
                    pass
            await it.intake.close()

        run(scene)


def test_f34_mistake_of_any_shape_is_told_with_its_line(tmp_path: Path):
    file = tmp_path / "listeners.yaml"
    for line in ("sites: FAHZU", "allow: 5", "tls: yes", "max_connections: [1]", "mllp: 5"):
        file.write_text(f"listeners:\n  - name: a\n    http: h:1\n    {line}\n")
        with pytest.raises(MappingError, match=line.partition(":")[0]):
            load_plan(file, sites=["FAHZU"])


# Large messages.

DOCUMENT = "QUJD" * 500_000  # base64 of 1.5 MB


def large(control_id: str = "BIG", *, document: str = DOCUMENT) -> bytes:
    obx = f"OBX|1|ED|18842-5^Discharge summary^LN||^application^pdf^Base64^{document}||||||F"
    return message(header(msh_10=control_id), PID, OBR, obx)


def test_a25_a28_large_message_is_stored_byte_for_byte_before_its_answer(tmp_path: Path, database: Database):
    raw = large()
    it = Stand(database, _intake(database))

    async def scene() -> None:
        async with doors(it, tmp_path, PLAIN) as opened:
            connection = await opened.connect()
            assert await opened.ask(connection, result(msh_10="0")) == ["CA", "0"]
            assert await opened.ask(connection, raw) == ["CA", "BIG"]
            assert await opened.ask(connection, result(msh_10="1")) == ["CA", "1"]
            assert await opened.ask(connection, raw) == ["CA", "BIG"]

    run(scene)
    rows = {row["control_id"]: row for row in it.messages()}
    assert set(rows) == {"0", "BIG", "1"}
    kept = rows["BIG"]
    assert kept["part_bytes"] == len(raw)
    assert len(kept["raw"]) < 2000
    assert [cut.length for cut in stored(bytes(kept["raw"])).documents] == [len(DOCUMENT)]
    with database.read() as connection:
        assert b"".join(parts.read(connection, kept["id"])) == raw
    assert it.rows("SELECT count(DISTINCT message_id) AS n FROM message_part") == [{"n": 1}]
    assert it.rows("SELECT message_id FROM message_attempt") == [{"message_id": kept["id"]}]


def _intake(database: Database) -> Any:
    return intake_on(database, catalog(), lambda: datetime(2018, 1, 1, tzinfo=UTC))


def test_a25_message_pipelined_behind_a_large_one_comes_after_it(tmp_path: Path):
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with doors(it, tmp_path, PLAIN) as opened:
                reader, writer = await opened.connect()
                writer.write(encode(large()) + b"".join(encode(result(msh_10=str(n))) for n in range(40)))
                answers = [segments((await reader.readuntil(b"\x1c\r"))[1:-2])["MSA"][2] for _ in range(41)]
                assert answers == ["BIG", *map(str, range(40))]

        run(scene)
        assert it.rows("SELECT control_id FROM message ORDER BY id")[0]["control_id"] == "BIG"


def test_a25_parts_that_belong_to_no_message_are_swept_at_the_next_start(tmp_path: Path):
    with stand(tmp_path) as it:
        with it.database.write() as connection:
            number = parts.reserve(connection)
            parts.write(connection, number, 0, [b"left"])
        assert parts.sweep(it.database, it.intake._clock()) == 1
        assert it.rows("SELECT * FROM message_part") == []

        async def scene() -> None:
            await it.receive(result())

        run(scene)
        assert it.messages()[0]["id"] > number


def test_f7_no_room_for_a_large_message_closes_without_an_answer(tmp_path: Path):
    with stand(tmp_path) as it:

        async def scene() -> None:
            async with doors(it, tmp_path, PLAIN) as opened:
                (tmp_path / "data" / "spool").rmdir()
                reader, writer = await opened.connect()
                writer.write(encode(large()))
                with suppress(ConnectionResetError):
                    assert await reader.read() == b""
                await opened.incident("spool_full")
                (tmp_path / "data" / "spool").mkdir()
                assert await opened.ask(await opened.connect(), large()) == ["CA", "BIG"]

        run(scene)
        assert len(it.messages()) == 1
