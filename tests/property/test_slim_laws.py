"""Cutting documents out of a message changes nothing that is said beside them."""

import base64
import hashlib

from hypothesis import given, settings
from hypothesis import strategies as st

from adapter.hl7v2.slim import LONG, content, slim, stored

HEAD = b"MSH|^~\\&|LIS|HOSP\r"
PIECE = st.sampled_from(
    [b"OBX|1|ED|A||", b"^application^pdf^Base64^", b"~", b"|", b"\r", b"\n", b"\x1a", b"\\.br\\", b"\\", b"AAAA", b"="]
) | st.binary(max_size=9)
LONG_PIECE = st.integers(LONG - 9, LONG + 40_000).map(lambda length: b"QUJD" * (length // 4))
CONTENT = st.tuples(st.binary(min_size=1, max_size=99), st.integers(50_000, 51_000)).map(
    lambda made: (made[0] * made[1])[: made[1]]
)
BODY = st.lists(PIECE | LONG_PIECE, max_size=12).map(b"".join)


@given(st.lists(PIECE, max_size=30).map(b"".join))
def test_message_without_long_runs_stays_as_it_is(body: bytes):
    assert slim(HEAD + body).raw.replace(b"\x19", b"\x1a") == (HEAD + body).replace(b"\x19", b"\x1a")
    assert slim(HEAD + body).documents == ()


@settings(max_examples=50)
@given(BODY)
def test_what_was_cut_put_back_gives_the_message(body: bytes):
    raw = HEAD + body
    it = slim(raw)
    again = it.raw
    for cut in reversed(it.documents):
        end = cut.at + len(cut.mark)
        assert again[cut.at : end] == cut.mark.encode()
        again = again[: cut.at] + raw[cut.start : cut.start + cut.length] + again[end:]
        assert cut.length >= LONG
    assert again == raw.replace(b"\x1a", b"\x19")
    assert stored(it.raw) == it


@settings(max_examples=50)
@given(BODY, st.integers(0))
def test_every_offset_outside_the_cuts_leads_to_its_byte(body: bytes, number: int):
    raw = HEAD + body
    it = slim(raw)
    offset = number % len(it.raw)
    inside = any(cut.at <= offset < cut.at + len(cut.mark) for cut in it.documents)
    found = raw[it.original(offset)]
    assert inside or it.raw[offset] == (0x19 if found == 0x1A else found)


@settings(max_examples=30)
@given(CONTENT, st.integers(1, 70_000), st.sampled_from([b"", b"\\.br\\", b"\n"]))
def test_document_is_what_was_encoded(data: bytes, size: int, end: bytes):
    text = base64.b64encode(data)
    lines = end.join(text[at : at + 76] for at in range(0, len(text), 76))
    raw = HEAD + b"OBX|1|ED|A||^application^pdf^Base64^" + lines + b"|\r"
    (cut,) = slim(raw).documents
    assert (cut.document.valid, cut.document.size) == (True, len(data))
    assert cut.document.sha256 == hashlib.sha256(data).hexdigest()
    assert b"".join(content([raw[at : at + size] for at in range(0, len(raw), size)], cut)) == data
