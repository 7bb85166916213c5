"""Files of several messages."""

import pytest

from adapter.hl7v2.batch import messages

ONE, TWO = b"MSH|^~\\&|A\rPID|1\r", b"MSH|^~\\&|B\rPID|2\r"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (ONE, [ONE]),
        (ONE + TWO, [ONE, TWO]),
        (ONE + b"\r\n\r\n" + TWO + b"\r\n", [ONE, TWO]),
        (ONE[:-1] + b"\n" + TWO[:-1], [ONE[:-1] + b"\n", TWO[:-1]]),
        (b"\n\n" + ONE, [ONE]),
        (b"\xef\xbb\xbf" + ONE + TWO, [b"\xef\xbb\xbf" + ONE, TWO]),
        (b"FHS|^~\\&\rBHS|^~\\&\r" + ONE + TWO + b"BTS|2\rFTS|1\r", [ONE, TWO]),
        (ONE[:-1] + b"| \r\r" + TWO, [ONE[:-1] + b"| \r", TWO]),
        (b"", []),
        (b"\r\n", []),
    ],
)
def test_plain_messages_are_parted(data: bytes, expected: list[bytes]):
    assert list(messages(data)) == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"\x0b" + ONE + b"\x1c\r", [ONE]),
        (b"\x0b" + ONE + b"\x1c\r\x0b" + TWO + b"\x1c\r", [ONE, TWO]),
        (b"\x0b" + ONE + b"\x1c\x0b" + TWO + b"\x1c", [ONE, TWO]),
        (b"\n\x0b" + ONE + b"\x1c\r\n\x0b" + TWO + b"\x1c\r\n", [ONE, TWO]),
        (b"\x0b" + ONE + b"NTE|a\x1cb\r\x1c\r", [ONE + b"NTE|a\x1cb\r"]),
        (b"\x0bBHS|^~\\&\r" + ONE + TWO + b"BTS|2\r\x1c\r", [ONE, TWO]),
        (b"\x0b" + ONE, [ONE]),
    ],
)
def test_framed_messages_lose_their_frame_only(data: bytes, expected: list[bytes]):
    assert list(messages(data)) == expected


def test_what_is_no_message_is_not_lost():
    assert list(messages(b"PID|0\r" + ONE)) == [b"PID|0\r", ONE]
    assert list(messages(b"noise\x0b" + ONE + b"\x1c\r")) == [b"noise", ONE]
    assert list(messages(b"BHS|^~\\&\rPID|0\r" + ONE)) == [b"PID|0\r", ONE]


def test_a_segment_that_only_begins_like_a_header_parts_nothing():
    data = ONE + b"NTE|1||see MSH|\rMSHX|1\r"

    assert list(messages(data)) == [data]
