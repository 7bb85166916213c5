"""What the decoder makes of good and bad bytes: catalogue rows A1 to A16, A26, A27."""

import hashlib

import pytest

from adapter.wire.mllp import (
    MAX_NOISE,
    Abandoned,
    Decoder,
    Frame,
    Garbage,
    Heartbeat,
    Noise,
    encode,
)
from adapter.wire.spool import HEAD, Oversize

FIRST = b"MSH|^~\\&|LIS|TEST|||20180101||ORU^R01|1|P|2.5.1\rPID|||ATLI-901\r"
SECOND = b"MSH|^~\\&|LIS|TEST|||20180101||ORU^R01|2|P|2.5.1\rPID|||ATLI-902\r"


def test_a15_two_messages_in_one_piece_come_out_in_order():
    assert Decoder().feed(encode(FIRST) + encode(SECOND)) == [Frame(FIRST), Frame(SECOND)]


def test_a16_one_message_byte_by_byte():
    decoder = Decoder()
    events = [event for byte in encode(FIRST) for event in decoder.feed(bytes([byte]))]
    assert events == [Frame(FIRST)]


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b"\x00\x00", b" \t\r\n"])
def test_a1_blank_bytes_around_frames_are_blank_noise(blank: bytes):
    events = Decoder().feed(blank + encode(FIRST) + blank + encode(SECOND))
    assert events == [Noise(blank), Frame(FIRST), Noise(blank), Frame(SECOND)]
    assert Noise(blank).blank


def test_a2_garbage_before_a_frame_is_kept_and_the_frame_is_read():
    events = Decoder().feed(b"hello" + encode(FIRST))
    assert events == [Noise(b"hello"), Frame(FIRST)]
    assert not Noise(b"hello").blank


def test_a3_too_many_bytes_without_a_start_block_give_the_peer_up():
    """A3: nothing that follows is read, not even a whole message."""
    decoder = Decoder()
    assert decoder.feed(b"x" * (MAX_NOISE + 1) + encode(FIRST)) == [Garbage(b"x" * MAX_NOISE, "no start block")]
    assert decoder.dead
    assert decoder.feed(encode(SECOND)) == []


def test_a3_bytes_that_wait_too_long_for_a_start_block_are_garbage():
    """A3, the caller's clock decides."""
    decoder = Decoder()
    assert decoder.feed(b"hello") == []
    assert decoder.has_noise
    assert decoder.give_up() == [Garbage(b"hello", "no start block")]
    assert decoder.dead


@pytest.mark.parametrize(
    ("greeting", "reason"),
    [(b"\x16\x03\x01\x02\x00\x01\x00", "TLS"), (b"GET / HTTP/1.1\r\n", "HTTP"), (b"POST /hl7 HTTP/1.1\r\n", "HTTP")],
)
def test_a4_a6_other_protocols_are_named(greeting: bytes, reason: str):
    (event,) = Decoder().feed(greeting)
    assert isinstance(event, Garbage)
    assert reason in event.reason


@pytest.mark.parametrize("end", [b"\x1c\n", b"\x1c"])
def test_a7_a8_careless_end_blocks_end_the_frame(end: bytes):
    """A7 (FS, then VT), A8 (FS LF)."""
    events = Decoder().feed(b"\x0b" + FIRST + end + encode(SECOND))
    assert events == [Frame(FIRST, lenient=True), Frame(SECOND)]


def test_a7_fs_and_a_pause_end_the_frame():
    decoder = Decoder()
    assert decoder.feed(b"\x0b" + FIRST + b"\x1c") == []
    assert decoder.awaits_end
    assert decoder.idle() == [Frame(FIRST, lenient=True)]
    assert decoder.feed(encode(SECOND)) == [Frame(SECOND)]


def test_cr_after_an_idle_end_is_blank_noise():
    decoder = Decoder()
    decoder.feed(b"\x0b" + FIRST + b"\x1c")
    decoder.idle()
    assert decoder.feed(b"\r" + encode(SECOND)) == [Noise(b"\r"), Frame(SECOND)]


def test_a_pause_inside_a_frame_changes_nothing():
    decoder = Decoder()
    decoder.feed(b"\x0b" + FIRST[:20])
    assert decoder.idle() == []
    assert decoder.feed(FIRST[20:] + b"\x1c\r") == [Frame(FIRST)]


def test_a9_connection_that_closes_inside_a_frame_abandons_it():
    decoder = Decoder()
    decoder.feed(b"\x0b" + FIRST[:30])
    assert decoder.close() == [Abandoned(FIRST[:30], 30, "connection closed")]


def test_a11_sender_that_begins_again_abandons_the_first_message():
    events = Decoder().feed(b"\x0b" + FIRST[:30] + encode(SECOND))
    assert events == [Abandoned(FIRST[:30], 30, "sender began a new message"), Frame(SECOND)]


def test_start_block_said_twice_is_no_message():
    assert Decoder().feed(b"\x0b" + encode(FIRST)) == [Frame(FIRST)]


@pytest.mark.parametrize("control", [b"\x0b", b"\x1c"])
def test_a12_a13_control_characters_inside_text_stay_in_the_payload(control: bytes):
    """A12, A13: whoever checks control characters refuses them; the frame stays whole."""
    payload = FIRST + b"OBX|1|TX|x||a" + control + b"b\r"
    assert Decoder().feed(encode(payload) + encode(SECOND)) == [Frame(payload), Frame(SECOND)]


@pytest.mark.parametrize("blank", [b"", b"\r", b" \r\n"])
def test_a14_empty_frame_is_a_heartbeat(blank: bytes):
    assert Decoder().feed(encode(blank) + encode(FIRST)) == [Heartbeat(), Frame(FIRST)]


def test_a26_frame_above_the_limit_is_counted_hashed_and_the_next_one_read():
    decoder = Decoder(max_length=100_000)
    payload = b"MSH|" + b"x" * 150_000
    stream = encode(payload) + encode(FIRST)
    events = [event for at in range(0, len(stream), 1000) for event in decoder.feed(stream[at : at + 1000])]
    digest = hashlib.sha256(payload).hexdigest()
    assert events == [Oversize(payload[:HEAD], len(payload), digest, ended=True), Frame(FIRST)]


def test_a27_frame_without_end_gives_the_peer_up_and_memory_stays_small():
    decoder = Decoder(max_length=1_000, max_drain=300_000)
    decoder.feed(b"\x0bMSH|")
    events = [event for _ in range(400) for event in decoder.feed(b"x" * 1_000)]
    (event,) = events
    assert isinstance(event, Oversize)
    assert (event.length, event.ended, len(event.head)) == (300_000, False, HEAD)
    assert decoder.dead


def test_a_frame_without_end_that_was_given_up_is_told_once():
    decoder = Decoder(max_length=1_000, max_drain=3_000)
    decoder.feed(b"\x0bMSH|")
    (event,) = [event for _ in range(4) for event in decoder.feed(b"x" * 1_000)]
    assert isinstance(event, Oversize)
    assert not decoder.in_frame
    assert decoder.close() == []


def test_a_frame_above_every_limit_is_given_up_even_where_the_sender_begins_again():
    stream = b"\x0bMSH|" + b"x" * 4_000 + encode(FIRST)
    whole, cut = (Decoder(max_length=1_000, max_drain=3_000) for _ in range(2))
    (event,) = whole.feed(stream) + whole.close()
    assert isinstance(event, Oversize)
    assert (event.length, event.ended, whole.dead) == (3_000, False, True)
    assert [event] == cut.feed(stream[:3_500]) + cut.feed(stream[3_500:]) + cut.close()


def test_frame_exactly_at_the_limit_is_read():
    assert Decoder(max_length=len(FIRST)).feed(encode(FIRST)) == [Frame(FIRST)]
