"""Acknowledgements: layout by version, echo of what the sender wrote."""

from datetime import datetime, timedelta, timezone

import pytest

from adapter.errors import Location, MissingField, Refusal, TooLarge, UndecodableBytes, UnknownCharset, UnsupportedEvent
from adapter.hl7v2.ack import CONDITIONS, acknowledge
from adapter.hl7v2.parse import NO_HEADER, header, parse

NOW = datetime(2024, 1, 2, 3, 4, 5, tzinfo=timezone(timedelta(hours=8)))
US = ("TRIALHUB", "CENTRAL")


def answer(raw: bytes, *, code: str = "AA", error: Refusal | None = None) -> list[bytes]:
    made = acknowledge(header(raw), code=code, control_id="HUB1", now=NOW, error=error, sender=US)
    assert made.endswith(b"\r")
    return made[:-1].split(b"\r")


def test_an_accepted_message_of_251():
    raw = b"MSH|^~\\&|LIS^1.2^ISO|HOSP|X|Y|20240102||ORU^R01^ORU_R01|7|T|2.5.1|||AL|NE|CHN|UNICODE UTF-8\r"

    assert answer(raw, code="CA") == [
        b"MSH|^~\\&|TRIALHUB|CENTRAL|LIS^1.2^ISO|HOSP|20240102030405+0800||ACK^R01^ACK|HUB1|T|2.5.1||||||UNICODE UTF-8",
        b"MSA|CA|7",
    ]


def test_a_refused_message_of_231():
    raw = b"MSH|^~\\&|LIS|YWCH|||20240102||ADT^A99|7|P|2.3.1\r"

    assert answer(raw, code="AR", error=UnsupportedEvent("event is not taken")) == [
        b"MSH|^~\\&|TRIALHUB|CENTRAL|LIS|YWCH|20240102030405+0800||ACK|HUB1|P|2.3.1",
        b"MSA|AR|7|event is not taken",
        b"ERR|MSH^1^9^201&Unsupported event code&HL70357",
    ]


def test_a_refused_message_of_26():
    raw = b"MSH|^~\\&|LIS|LSCH|||20240102||ORU^R01|7|P|2.6\r"
    error = MissingField("PID-3.1 is empty", at=Location("PID", field=3, component=1))

    assert answer(raw, code="AE", error=error)[2] == (
        b"ERR||PID^1^3^1^1|101^Required field missing^HL70357|E|H2F-2105^Missing field^L||PID-3.1 is empty"
        b"|to be mended by: sending hospital"
    )


def test_the_place_says_no_more_than_is_known():
    raw = b"MSH|^~\\&|LIS|LSCH|||20240102||ORU^R01|7|P|2.5\r"

    assert answer(raw, error=TooLarge("too large", at=Location("OBX", occurrence=3)))[2].startswith(b"ERR||OBX^3|207^")
    assert answer(raw, error=UndecodableBytes("byte 9"))[2].startswith(b"ERR|||102^")
    old = raw.replace(b"2.5", b"2.4")
    assert answer(old, error=TooLarge("too large", at=Location("OBX", occurrence=3)))[2].startswith(b"ERR|OBX^3^^207&")


def test_warnings_are_said_where_the_version_can():
    raw = b"MSH|^~\\&|LIS|LSCH|||20240102||ORU^R01|7|P|2.5\r"
    warning = UnknownCharset("an unusual name")

    def lines(data: bytes) -> list[bytes]:
        return acknowledge(header(data), code="AA", control_id="1", now=NOW, warnings=[warning]).split(b"\r")

    assert b"|103^Table value not found^HL70357|W|" in lines(raw)[2]
    assert len(lines(raw.replace(b"2.5", b"2.4"))) == 3


@pytest.mark.parametrize("control_id", [b'"q" \\F\\', "编号\xe9".encode(), b"\xbe\xf5\xd1\xa7", b"9" * 199])
def test_the_control_id_comes_back_byte_for_byte(control_id: bytes):
    lines = answer(b"MSH|^~\\&|LIS|HOSP|||20240102||ORU^R01|" + control_id + b"|P|2.5.1\r")

    assert lines[1] == b"MSA|AA|" + control_id


def test_gbk_characters_that_hold_delimiters_come_back():
    control_id = "儀7".encode("gb18030")
    lines = answer(b"MSH|^~\\&|LIS|HOSP|||20240102||ORU^R01|" + control_id + b"|P|2.3.1\r")

    assert lines[1] == b"MSA|AA|" + control_id


def test_a_control_id_cannot_break_the_frame():
    lines = answer(b"MSH|^~\\&|LIS|HOSP|||20240102||ORU^R01|7\x1c\x0bMSH|P|2.5.1\r")

    assert lines[1] == b"MSA|AA|7MSH"


def test_the_delimiters_of_the_sender_are_kept():
    lines = answer(b"MSH$%*@!$LIS$HOSP$$$20240102$$ORU%R01$7$P$2.5.1\r", error=MissingField("a|b"))

    assert lines[0].startswith(b"MSH$%*@!$TRIALHUB$CENTRAL$LIS$HOSP$")
    assert lines[1] == b"MSA$AA$7$a|b"
    assert b"$101%Required field missing%HL70357$E$" in lines[2]


@pytest.mark.parametrize("delimiters", [b"+^~\\&", b"|-~\\&", b"|.~\\-", b"-.~+:"])
def test_a_sign_in_our_values_that_is_a_delimiter_is_escaped(delimiters: bytes):
    raw = b"MSH" + delimiters + delimiters[:1].join([b"", b"LIS", b"HOSP", b"", b"", b"20240102", b"", b"ORU", b"7\r"])
    lines = answer(raw, code="AE", error=MissingField("a.b-c", at=Location("PID", field=3)))
    answered = header(b"\r".join(lines))

    assert (answered.type, answered.sent_at, answered.version) == ("ACK", "20240102030405+0800", "2.5.1")
    assert parse(b"\r".join(lines)).text("ERR-5.1") == "H2F-2105"


def test_a_version_of_thousands_of_digits_is_answered():
    raw = b"MSH|^~\\&|LIS|HOSP|||20240102||ORU^R01|7|P|" + b"9" * 5000

    assert answer(raw)[1] == b"MSA|AA|7"


def test_our_text_is_short_and_escaped_and_injects_nothing():
    lines = answer(b"MSH|^~\\&|LIS|HOSP|||1||ORU^R01|7|P|2.5.1\r", error=MissingField("a|b\rMSA" + "c" * 100))

    assert lines[1] == b"MSA|AA|7|a\\F\\b\\X0D\\MSA" + b"c" * (80 - 7)


def test_a_message_without_header_is_answered_too():
    made = acknowledge(NO_HEADER, code="AR", control_id="1", now=NOW, text="no MSH")

    message = parse(made)
    assert (message.version, message.text("MSA-1"), message.text("MSA-2"), message.text("MSA-3")) == (
        "2.5.1",
        "AR",
        "",
        "no MSH",
    )


def test_every_condition_of_the_error_tree_has_its_text():
    def leaves(kind: type[Refusal]) -> list[type[Refusal]]:
        return [kind, *(leaf for child in kind.__subclasses__() for leaf in leaves(child))]

    assert {leaf.condition for leaf in leaves(Refusal)} <= CONDITIONS.keys()
