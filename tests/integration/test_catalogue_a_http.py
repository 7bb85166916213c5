"""HL7 v2 over HTTP, rows A36 to A42 of the catalogue: the real listener, real sockets, a real database."""

import gzip
import socket
import ssl
import struct
from collections.abc import Generator
from dataclasses import dataclass, replace
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
import trustme

from adapter.api.rate import Rate
from adapter.errors import ConfigurationError
from adapter.http_connection import MAX_HEAD
from adapter.listeners import Tls
from tests.e2e.stand import command
from tests.integration.http_stand import MEDIA, Served, answered, listening, until
from tests.integration.intake_stand import OBR, OBX, PID, header, message, segments

LIMIT = 2_000_000


def original(control_id: str, *body: str) -> bytes:
    """A message in original mode."""
    return message(header(msh_10=control_id, msh_15="", msh_16=""), *(body or (PID, OBR, OBX)))


def head(raw: bytes, **headers: str) -> bytes:
    """The head of a POST."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    named = {"Host": "localhost", "Content-Length": str(len(raw)), **MEDIA, **given}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items() if value)
    return f"POST /hl7 HTTP/1.1\r\n{lines}\r\n".encode()


def pushed(line: socket.socket, piece: bytes) -> int:
    """Send a piece again and again until the other side has closed; return how many bytes left."""
    sent = 0
    try:
        while sent < 4_000_000_000:
            line.sendall(piece)
            sent += len(piece)
    except ConnectionError:
        return sent
    raise AssertionError("the connection is still open")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    settings = {"max_message_bytes": LIMIT, "stall_seconds": 1.0}
    with listening(tmp_path_factory.mktemp("http"), settings=settings) as it:
        yield it


def test_health_is_told_and_nothing_else_is_served(served: Served):
    assert httpx.get(f"{served.url}/health/live").status_code == 200
    assert [httpx.get(f"{served.url}/{path}").status_code for path in ("fhir/Patient", "status", "docs")] == [404] * 3


def test_a36_another_content_type_is_refused_and_nothing_stored(served: Served):
    answer = served.post(original("A36"), Content_Type="text/plain")
    assert (answer.status_code, answer.json()["resourceType"]) == (415, "OperationOutcome")
    assert served.row("A36") == []


def test_a36_content_coding_that_is_not_gzip_is_refused(served: Served):
    assert served.post(original("A36b"), Content_Encoding="br").status_code == 415
    assert served.row("A36b") == []


def test_a37_refusal_is_answered_200_with_the_acknowledgement(served: Served):
    answer = served.post(original("A37", PID.replace("00A90001", ""), OBR, OBX))
    assert (answer.status_code, segments(answer.content)["MSA"][1]) == (200, "AE")
    (row,) = served.row("A37")
    assert (row["state"], row["transport"], row["channel"]) == ("rejected", "http", "ward")


@pytest.mark.parametrize(
    ("sent", "msh_18", "told"),
    [
        ("application/hl7-v2; charset=utf-8", "UNICODE UTF-8", "application/hl7-v2; charset=utf-8"),
        ("x-application/hl7-v2+er7; charset=utf-8", "GB 18030-2000", "x-application/hl7-v2+er7; charset=gb18030"),
        ("application/hl7-v2", "8859/1", "application/hl7-v2; charset=iso-8859-1"),
        ('application/hl7-v2; charset="us-ascii"', "", "application/hl7-v2; charset=us-ascii"),
        ("application/hl7-v2+er7", "", "application/hl7-v2+er7"),
    ],
)
def test_a37_content_type_of_the_answer_says_the_characters_it_is_written_in(
    served: Served, sent: str, msh_18: str, told: str
):
    raw = message(
        header(msh_10=f"A37-{msh_18}", msh_18=msh_18), PID.replace("试^九〇一", "SHI^A"), OBR, OBX.replace("血", "")
    )
    answer = served.post(raw.decode("utf-8").encode("ascii", "ignore"), Content_Type=sent)
    assert (answer.status_code, answer.headers["content-type"]) == (200, told)


def test_a38_length_and_transfer_encoding_together_are_refused_and_the_connection_closed(served: Served):
    raw = original("A38")
    with served.connect() as line:
        line.sendall(head(raw, Transfer_Encoding="chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(raw), raw))
        assert answered(line).startswith(b"HTTP/1.1 400 ")
    assert served.row("A38") == []
    assert served.incidents("http_malformed")[0]["peer"] == "127.0.0.1"


def test_a38_chunks_without_end_are_refused_at_the_limit_and_the_connection_closed(served: Served):
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with served.connect() as line:
        line.sendall(head(b"", Content_Length="", Transfer_Encoding="chunked"))
        assert pushed(line, piece) > LIMIT
    assert served.incidents("body_refused")


def test_a38_body_that_pauses_too_long_is_told_so_and_the_connection_closed(served: Served):
    with served.connect() as line:
        line.sendall(head(b"", Content_Length="", Transfer_Encoding="chunked") + b"5\r\nMSH|^\r\n")
        assert answered(line).startswith(b"HTTP/1.1 408 ")


def test_a38_head_that_never_ends_is_cut_by_its_length(served: Served):
    with served.connect() as line:
        line.sendall(b"POST /hl7 HTTP/1.1\r\nX: " + b"x" * 2 * MAX_HEAD)
        assert answered(line)[:13] in {b"", b"HTTP/1.1 400 "}


@pytest.mark.parametrize("begun", [b"", b"POST /hl7 HTTP/1.1\r\nHost: "], ids=["silence", "half a head"])
def test_a38_head_that_never_ends_is_cut_by_its_time(served: Served, begun: bytes):
    with served.connect() as line:
        line.sendall(begun)
        assert answered(line) == b""


def test_a38_trailers_without_end_are_cut(served: Served):
    with served.connect() as line:
        line.sendall(head(b"", Content_Length="", Transfer_Encoding="chunked") + b"3\r\nMSH\r\n0\r\n")
        assert pushed(line, b"X: " + b"x" * 1000 + b"\r\n") > MAX_HEAD


def test_gzip_body_is_stored_as_it_was_before_it_was_packed(served: Served):
    raw = original("Z1")
    packed = gzip.compress(raw[:100]) + gzip.compress(raw[100:])
    answer = served.post(packed, Content_Encoding="gzip")
    assert segments(answer.content)["MSA"][1:3] == ["AA", "Z1"]
    assert served.row("Z1")[0]["raw"] == raw


@pytest.mark.parametrize("spoilt", ["cut", "no gzip", "empty"])
def test_gzip_body_that_is_broken_is_refused(served: Served, spoilt: str):
    packed = {"cut": gzip.compress(original("Z2"))[:-4], "no gzip": original("Z2"), "empty": b""}[spoilt]
    assert served.post(packed, Content_Encoding="gzip").status_code == 400
    assert served.row("Z2") == []


def test_a39_gzip_bomb_is_refused_at_the_limit(served: Served):
    bomb = gzip.compress(b"MSH|" + b"x" * 200_000_000, compresslevel=9)
    assert len(bomb) < LIMIT
    answer = served.post(bomb, Content_Encoding="gzip")
    assert answer.status_code == 413
    assert answer.json()["issue"][0]["code"] == "too-long"
    assert served.incidents("body_refused")[0]["channel"] == "ward"


def test_length_above_the_limit_is_refused_before_a_byte_of_the_body_is_asked_for(served: Served):
    with served.connect() as line:
        line.sendall(head(b"x" * (LIMIT + 1), Expect="100-continue"))
        line.settimeout(10)
        assert line.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_client_reads_413_though_it_sends_its_whole_body_first(served: Served):
    assert served.post(b"x" * (LIMIT + 500_000)).status_code == 413


def test_large_message_is_stored_byte_for_byte(served: Served):
    raw = original(
        "L1", PID, OBR, OBX, *(OBX.replace("OBX|1", f"OBX|{n}").replace("0.70", "7" * 900) for n in range(2, 1900))
    )
    assert 1_500_000 < len(raw) < LIMIT
    assert segments(served.post(raw).content)["MSA"][1:3] == ["AA", "L1"]
    assert served.stand.rows("SELECT sum(length(raw)) + sum(part_bytes) AS n FROM message WHERE control_id = 'L1'") == [
        {"n": len(raw)}
    ]


def test_a40_client_that_goes_before_its_answer_is_noted_and_gets_it_when_it_sends_again(served: Served):
    raw = original("A40")
    with served.stand.database.write(), served.connect() as line:  # the intake waits for its turn to write
        line.sendall(head(raw) + raw)
        assert until(lambda: [{}] if served.stand.intake._writer._idle else [])
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    (row,) = until(lambda: [one for one in served.row("A40") if one["ack_outcome"] == "undelivered"])
    again = served.post(raw)
    assert again.content == row["ack"]
    assert len(served.row("A40")) == 1


def test_a40_client_that_goes_within_its_message_leaves_a_partial_event(served: Served):
    raw = original("A40b")
    with served.connect() as line:
        line.sendall(head(raw) + raw[:-20])
    of_that_length = f"SELECT * FROM connection_event WHERE kind = 'partial' AND length = {len(raw) - 20}"
    (event,) = until(lambda: served.stand.rows(of_that_length))
    assert (event["raw"], event["transport"]) == (raw[:-20], "http")
    assert served.row("A40b") == []


def test_a41_missing_or_wrong_bearer_token_is_refused(tmp_path: Path):
    token = tmp_path / "token"
    token.write_text("correct horse\n")
    with listening(tmp_path, token=token) as it:
        for sent in ("", "Bearer wrong", "Basic correct horse"):
            answer = it.post(original("A41"), Authorization=sent)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")
        assert it.row("A41") == []
        assert it.incidents("login_refused")[0]["count"] == 3
        assert it.post(original("A41"), Authorization="Bearer correct horse").status_code == 200


def test_request_from_another_network_is_refused(tmp_path: Path):
    with listening(tmp_path, allow=(ip_network("192.0.2.0/24"),)) as it:
        assert it.post(original("N1")).status_code == 403
        assert it.incidents("address_forbidden")[0]["peer"] == "127.0.0.1"


@dataclass(frozen=True)
class Authorities:
    """Certificates that exist only in the test."""

    folder: Path
    ours: trustme.CA
    others: trustme.CA

    def tls(self, **wanted: object) -> Tls:
        server = self.ours.issue_cert("localhost", "127.0.0.1")
        certificate, key, clients = (self.folder / name for name in ("server.pem", "server.key", "clients.pem"))
        for number, blob in enumerate(server.cert_chain_pems):
            blob.write_to_path(certificate, append=number > 0)
        server.private_key_pem.write_to_path(key)
        self.ours.cert_pem.write_to_path(clients)
        return Tls(certificate, key, **{"clients": clients, **wanted})  # pyright: ignore[reportArgumentType]

    def client(self, name: str = "", *, by: trustme.CA | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context()
        self.ours.configure_trust(context)
        if name:
            (by or self.ours).issue_cert(name, common_name=name).configure_cert(context)
        return context


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Authorities:
    return Authorities(tmp_path_factory.mktemp("tls"), trustme.CA(), trustme.CA())


def test_a41_missing_client_certificate_is_refused(tmp_path: Path, authorities: Authorities):
    with listening(tmp_path, tls=authorities.tls()) as it:
        answer = it.post(original("A41c"), verify=authorities.client())
        assert answer.status_code == 401
        assert it.incidents("certificate_missing")[0]["peer"] == "127.0.0.1"
        assert it.row("A41c") == []
        assert it.post(original("A41c"), verify=authorities.client("lis.fahzu.test")).status_code == 200


def test_a41_certificate_of_another_authority_fails_the_handshake(tmp_path: Path, authorities: Authorities):
    with listening(tmp_path, tls=authorities.tls()) as it:
        foreign = authorities.client("lis.fahzu.test", by=authorities.others)
        with pytest.raises(httpx.TransportError):
            it.post(original("A41d"), verify=foreign)
        assert it.incidents("certificate_refused")
        assert it.row("A41d") == []


def test_a41_certificate_with_another_name_is_refused(tmp_path: Path, authorities: Authorities):
    with listening(tmp_path, tls=authorities.tls(subjects=frozenset({"lis.fahzu.test"}))) as it:
        assert it.post(original("A41e"), verify=authorities.client("lis.lishui.test")).status_code == 403
        assert it.incidents("certificate_foreign")
        assert it.post(original("A41e"), verify=authorities.client("lis.fahzu.test")).status_code == 200


def test_answers_over_http_are_counted_with_their_time(tmp_path: Path):
    with listening(tmp_path) as it:
        for number in range(3):
            assert it.post(original(f"M{number}")).status_code == 200
        tally = it.stand.intake.tally
        assert sum(tally.latency["ward"].counts) == 3
        assert tally.in_flight("ward") == 0


def test_a35_https_listener_takes_new_certificates_over_while_it_listens(tmp_path: Path):
    made = Authorities(tmp_path, trustme.CA(), trustme.CA())
    tls = made.tls()
    known = made.client("lis.fahzu.test")
    with listening(tmp_path / "data", tls=tls) as it:

        def shown() -> bytes:
            with it.connect() as line, known.wrap_socket(line, server_hostname="localhost") as secured:
                return secured.getpeercert(binary_form=True) or b""

        before = shown()
        assert it.post(original("R1"), verify=known).status_code == 200
        made.tls()
        made.others.cert_pem.write_to_path(tls.clients or tmp_path, append=True)
        assert shown() == before  # nothing was said yet
        assert it.renew(it.wanted) == []
        assert shown() != before
        assert it.post(original("R2"), verify=known).status_code == 200
        newcomer = made.client("lis.fahzu.test", by=made.others)
        assert it.post(original("R3"), verify=newcomer).status_code == 200
        assert it.renew(replace(it.wanted, rate=5.0)) == ["listener ward (HTTP)"]

        renewed = shown()
        made.tls()
        tls.key.write_text("no key")
        with pytest.raises(ConfigurationError, match=r"server\.key"):
            it.renew(it.wanted)
        assert shown() == renewed


def test_tls_before_1_2_is_not_spoken(tmp_path: Path, authorities: Authorities):
    with listening(tmp_path, tls=authorities.tls(clients=None)) as it:
        old = authorities.client()
        assert it.post(original("T1"), verify=old).status_code == 200
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(httpx.TransportError):
            it.post(original("T2"), verify=old)


def test_adapter_send_packs_and_shows_its_certificate(tmp_path: Path, authorities: Authorities):
    (tmp_path / "one.hl7").write_bytes(original("S1"))
    pair = authorities.ours.issue_cert("lis.fahzu.test", common_name="lis.fahzu.test").private_key_and_cert_chain_pem
    pair.write_to_path(tmp_path / "client.pem")
    tls = authorities.tls(subjects=frozenset({"lis.fahzu.test"}))
    with listening(tmp_path, tls=tls) as it:
        files = ("--certificate", str(tmp_path / "client.pem"), "--ca", str(tls.clients))
        printed = command("send", str(tmp_path / "one.hl7"), "--http", f"{it.url}/hl7", "--gzip", *files)
        assert "AA" in printed
        assert it.row("S1")[0]["raw"] == original("S1")


def test_a42_client_above_its_rate_is_told_to_wait_and_only_what_was_accepted_is_stored(tmp_path: Path):
    with listening(tmp_path, rate=2.0) as it, httpx.Client(timeout=30) as client:
        answers = [
            client.post(f"{it.url}/hl7", content=original(f"A42-{number}"), headers=MEDIA) for number in range(100)
        ]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
        accepted = [answer for answer in answers if answer.status_code == 200]
        assert len(accepted) + len(refused) == 100
        assert len(it.stand.messages()) == len(accepted) >= 2
        (incident,) = it.incidents("rate_exceeded")
        assert incident["count"] == len(refused)


def test_a42_rate_lets_a_burst_pass_and_then_its_steady_number():
    now = 1000.0
    rate = Rate(5, clock=lambda: now)
    assert [rate.wait("a") for _ in range(6)] == [0, 0, 0, 0, 0, 1]
    assert rate.wait("b") == 0
    now += 0.4
    assert [rate.wait("a") for _ in range(3)] == [0, 0, 1]


def test_a42_rate_forgets_idle_clients():
    now = 1000.0
    rate = Rate(5, clock=lambda: now)
    for number in range(25_000):
        now += 0.001
        rate.wait(str(number))
    assert len(rate._full_at) <= 10_000


def test_connections_above_the_limit_are_closed(tmp_path: Path):
    with listening(tmp_path, max_connections=2) as it:
        with it.connect() as one, it.connect() as two, it.connect() as three:
            assert answered(three) == b""
            assert it.incidents("connections_full")
            one.close()
            two.close()
        assert until(lambda: [{}] if it.post(original("M1")).status_code == 200 else []) == [{}]
