"""Laws of the decoder: no cut, no noise, no length changes which messages come out."""

from hashlib import sha256
from io import BytesIO
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from adapter.wire.mllp import MAX_NOISE, Decoder, Event, Frame, Garbage, Noise, encode
from adapter.wire.spool import Oversize, Room, Spooled

VT, FS = 0x0B, 0x1C
TEXT = st.integers(0, 255).filter(lambda byte: byte not in {VT, FS})
PAYLOADS = st.lists(TEXT, min_size=1, max_size=60).map(lambda body: b"MSH|" + bytes(body))
# A stray VT or FS inside a message, as careless senders have it: not followed by what ends or begins a frame.
STRAY = st.builds(
    lambda payload, control, tail: payload + bytes([control]) + b"z" + bytes(tail),
    PAYLOADS,
    st.sampled_from([VT, FS]),
    st.lists(TEXT, max_size=5),
)
JUNK = st.one_of(
    st.sampled_from([b"", b"\n", b"\r\n", b"\x00"]),
    st.binary(max_size=80).map(lambda data: b"junk " + data.replace(b"\x0b", b"")),
)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    """The stream in pieces."""
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges)]


def decode(stream: bytes, places: list[int], decoder: Decoder | None = None) -> list[Event]:
    decoder = decoder or Decoder()
    return [event for piece in cut(stream, places) for event in decoder.feed(piece)] + decoder.close()


@given(
    parts=st.lists(st.tuples(JUNK, PAYLOADS | STRAY), max_size=6),
    tail=JUNK,
    places=st.lists(st.integers(0), max_size=30),
)
def test_any_cut_gives_every_message_in_order_and_noise_makes_none(
    parts: list[tuple[bytes, bytes]], tail: bytes, places: list[int]
):
    stream = b"".join(junk + encode(payload) for junk, payload in parts) + tail
    events = decode(stream, places)
    assert [event.payload for event in events if isinstance(event, Frame)] == [payload for _, payload in parts]
    noise = b"".join(event.data for event in events if isinstance(event, Noise))
    assert noise == b"".join(junk for junk, _ in parts) + tail
    assert all(isinstance(event, Frame | Noise) for event in events)


# How much of another protocol's greeting is shown depends on how much of it has come.
BYTES = st.binary(max_size=400).filter(lambda data: not data.startswith(b"\x16\x03"))


@given(stream=BYTES, places=st.lists(st.integers(0), max_size=40))
def test_any_bytes_give_the_same_events_however_they_are_cut(stream: bytes, places: list[int]):
    assert decode(stream, places) == decode(stream, [])


SPIKY = st.lists(
    st.sampled_from([b"\x0b", b"\x1c", b"\r", b"\n", b"MSH", b"M", b"FHS|", b"x", b"xyz" * 9, b"\x0bMSH|", b"\x1c\r"]),
    max_size=40,
).map(b"".join)


@given(stream=SPIKY, places=st.lists(st.integers(0), max_size=40), limit=st.integers(0, 30))
def test_framing_bytes_and_limits_in_any_order_give_the_same_events_however_they_are_cut(
    stream: bytes, places: list[int], limit: int
):
    def decoder() -> Decoder:
        return Decoder(max_length=limit, max_drain=limit + 40)

    events = decode(stream, places, decoder())
    assert events == decode(stream, [], decoder())
    assert all(len(event.payload) <= limit for event in events if isinstance(event, Frame))
    assert all(event.length > limit for event in events if isinstance(event, Oversize))


def told(events: list[Event]) -> list[tuple[Event, bytes]]:
    """Events, each with what is in its file."""
    found: list[tuple[Event, bytes]] = []
    for event in events:
        content = event.file.read() if isinstance(event, Spooled) else b""
        if isinstance(event, Spooled):
            event.file.close()
        found.append((event, content))
    return found


@given(stream=SPIKY, places=st.lists(st.integers(0), max_size=40), keep=st.integers(0, 12), limit=st.integers(0, 30))
def test_a25_spooled_payloads_are_the_same_however_they_are_cut(
    stream: bytes, places: list[int], keep: int, limit: int
):
    def decoder() -> Decoder:
        return Decoder(max_length=limit, max_drain=limit + 40, room=Room(BytesIO, keep))

    found = told(decode(stream, places, decoder()))
    assert found == told(decode(stream, [], decoder()))
    for event, content in found:
        if isinstance(event, Spooled):
            assert keep < event.length == len(content) <= limit
            assert event.sha256 == sha256(content).hexdigest()
        assert not isinstance(event, Frame) or len(event.payload) <= min(keep, limit)
        assert not isinstance(event, Oversize) or event.length > limit


@given(noise=st.binary(min_size=1, max_size=60).map(lambda data: data.replace(b"\x0b", b"x")))
def test_noise_alone_is_never_a_message(noise: bytes):
    events = decode(noise * (MAX_NOISE + 1), [10, 2000])
    assert [type(event) for event in events] == [Garbage]


@given(chunk=st.integers(1, 5000), total=st.integers(11_000, 60_000))
def test_a25_memory_of_a_spooled_payload_is_bounded_by_what_is_kept_and_one_piece(chunk: int, total: int):
    decoder = Decoder(max_length=100_000, room=Room(BytesIO, 10_000))
    decoder.feed(b"\x0bMSH|")
    for _ in range(0, total, chunk):
        decoder.feed(b"x" * chunk)
        assert len(decoder._buffer) <= 10_000 + chunk + 3
    decoder.close()


@given(chunk=st.integers(1, 5000), total=st.integers(11_000, 60_000))
def test_a27_memory_is_bounded_by_the_limit_and_one_piece(chunk: int, total: int):
    decoder = Decoder(max_length=10_000)
    decoder.feed(b"\x0bMSH|")
    for _ in range(0, total, chunk):
        decoder.feed(b"x" * chunk)
        assert len(decoder._buffer) <= 10_000 + chunk + 3
