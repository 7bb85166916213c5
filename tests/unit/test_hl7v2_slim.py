"""Large messages without their documents: what is cut, what never is, and the way back to the bytes."""

import base64
import hashlib
import mmap
import tracemalloc
from pathlib import Path

import pytest

from adapter.errors import ControlCharacter, UndecodableBytes
from adapter.hl7v2.encoding import Habits
from adapter.hl7v2.parse import byte_span, parse
from adapter.hl7v2.slim import LONG, MARK, Slim, content, marked, slim, stored
from tests.fuzz.laws import limited

HEAD = b"MSH|^~\\&|LIS|HOSP|HUB|CENTRAL|20240102||ORU^R01|7|P|2.5.1||||||UNICODE UTF-8\rPID|1||1\rOBR|1||2|3\r"
PDF = b"%PDF-1.4 " + bytes(range(256)) * 300
DATA = base64.b64encode(PDF)


def obx(value: bytes, kind: bytes = b"ED", number: int = 1) -> bytes:
    return b"OBX|%d|%s|A^B||%s||||||F\r" % (number, kind, value)


def ed(data: bytes, encoding: bytes = b"Base64") -> bytes:
    return obx(b"LIS^application^pdf^%s^%s" % (encoding, data))


def test_a28_document_is_cut_hashed_and_checked():
    raw = HEAD + ed(DATA) + obx(b"7", b"NM", 2)
    it = slim(raw)
    (cut,) = it.documents
    assert len(it.raw) < 400
    assert raw[cut.start : cut.start + cut.length] == DATA
    assert cut.document.valid
    assert cut.document.size == len(PDF)
    assert cut.document.sha256 == hashlib.sha256(PDF).hexdigest()
    assert cut.document.sha1 == hashlib.sha1(PDF).hexdigest()
    assert marked(parse(it).text("OBX-5.5")) == cut.document


def test_a28_document_comes_back_from_pieces_of_any_size():
    raw = HEAD + ed(DATA) + obx(b"7", b"NM", 2)
    (cut,) = slim(raw).documents
    for size in (7, 1_000, 65_537, len(raw)):
        pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
        assert b"".join(content(pieces, cut)) == PDF


@pytest.mark.parametrize("end", [b"\\.br\\", b"\\X0D\\\\X0A\\", b"\\X0d0a\\", b"\n"])
def test_lines_of_a_document_are_one_document(end: bytes):
    lines = end.join(DATA[at : at + 76] for at in range(0, len(DATA), 76))
    raw = HEAD + ed(lines)
    (cut,) = slim(raw).documents
    assert raw[cut.start : cut.start + cut.length] == lines
    assert (cut.document.valid, cut.document.sha256) == (True, hashlib.sha256(PDF).hexdigest())
    assert b"".join(content([raw], cut)) == PDF


@pytest.mark.parametrize(
    "data",
    [
        DATA[:-1],
        DATA[:70_000] + b"=" + DATA[70_000:],
        DATA + b"QUJD=QUJD",
        DATA[:70_000] + b"\\T\\" + DATA[70_000:],
        DATA[:70_000] + b"\\" + DATA[70_000:],
        DATA[:70_000] + b"\\.br" + DATA[70_000:],
    ],
)
def test_c25_broken_document_is_cut_and_known_to_be_broken(data: bytes):
    (cut, *_) = slim(HEAD + ed(data)).documents
    assert not cut.document.valid


@pytest.mark.parametrize(
    "segment",
    [
        obx(DATA, b"ST"),
        obx(DATA, b"TX"),
        obx(b"^^^Base64^" + DATA, b"ST"),
        ed(PDF.hex().encode(), b"Hex"),
        ed(DATA, b"A"),
        obx(DATA),
        b"NTE|1|ED|" + DATA + b"\r",
        b"OBX|1|ED|A|^^^Base64^" + DATA + b"\r",
        ed(DATA[: LONG - 1]),
    ],
    ids=["ST", "TX", "ST-like-ED", "hex", "text", "component-1", "NTE", "OBX-4", "short"],
)
def test_nothing_else_is_cut(segment: bytes):
    raw = HEAD + segment
    assert slim(raw) == Slim(raw)


def test_other_delimiters_may_occur_in_base64_so_nothing_is_cut():
    raw = (HEAD + ed(DATA)).replace(b"MSH|^~\\&|", b"MSH|^~\\+|")
    assert slim(raw) == Slim(raw)


def test_several_documents_in_one_field_and_in_several():
    raw = HEAD + obx(b"^application^pdf^Base64^" + DATA + b"~^application^pdf^base64^" + DATA) + ed(DATA) + ed(b"QUJD")
    it = slim(raw)
    assert [raw[cut.start : cut.start + cut.length] for cut in it.documents] == [DATA] * 3
    assert [marked(one[4][0]) is not None for one in parse(it).segments[3].field(5)] == [True, True]


def test_gbk_characters_that_hold_a_separator_do_not_hide_a_document():
    raw = HEAD.replace(b"UNICODE UTF-8", b"GB 18030-2000") + ed(DATA).replace(b"A^B", b"A^" + "億儀".encode("gbk"))
    assert len(slim(raw).documents) == 1


def test_every_span_leads_to_the_bytes_as_received():
    raw = HEAD + ed(DATA) + obx("试".encode(), b"ST", 2) + ed(DATA) + obx(b"9", b"NM", 4)
    message = parse(slim(raw))
    for segment in message.segments:
        for number in range(len(segment.fields)):
            start, end = byte_span(message, segment.position, number)
            sent = raw[start:end]
            if number == 5 and DATA in sent:
                assert sent == b"LIS^application^pdf^Base64^" + DATA
            else:
                assert sent.decode() == segment.fields[number]


def test_stored_slim_bytes_give_the_same_cuts():
    it = slim(HEAD + ed(DATA) + obx("试".encode(), b"ST", 2) + ed(DATA[:-1]))
    assert stored(it.raw) == it
    assert stored(HEAD) == Slim(HEAD)


def test_mark_of_a_sender_is_never_believed():
    genuine = slim(HEAD + ed(DATA)).documents[0]
    forged = HEAD + ed(genuine.mark.encode()) + ed(DATA)
    it = slim(forged)
    assert len(it.documents) == len(stored(it.raw).documents) == 1
    for raw in (it, stored(it.raw), HEAD + ed(genuine.mark.encode())):
        with pytest.raises(ControlCharacter) as caught:
            parse(raw)
        assert str(caught.value.at) == "OBX-5"
        told = parse(raw, habits=Habits(strips_controls=True))
        assert marked(told.text("OBX-5.5")) is None


def test_controls_are_stripped_beside_a_document_and_not_from_it():
    it = slim(HEAD + ed(DATA) + obx(b"a\x00b", b"ST", 2))
    message = parse(it, habits=Habits(strips_controls=True))
    assert marked(message.text("OBX-5.5")) == it.documents[0].document
    assert message.text("OBX[2]-5") == "ab"
    assert message.oddities.stripped == 1


def test_undecodable_byte_behind_a_document_is_counted_as_received():
    raw = HEAD + ed(DATA) + obx(b"\xff", b"ST", 2)
    with pytest.raises(UndecodableBytes, match=f"byte {raw.index(0xFF)}:"):
        parse(slim(raw))


def test_a25_large_file_is_read_in_bounded_memory(tmp_path: Path):
    file = tmp_path / "message"
    line = base64.b64encode(bytes(range(256)) * 192)
    times = 64 * 1024 * 1024 // len(line)
    with file.open("wb") as out:
        out.write(HEAD + b"OBX|1|ED|A||^application^pdf^Base64^")
        for _ in range(times):
            out.write(line)
        out.write(b"||||||F\r")
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
        tracemalloc.start()
        try:
            it = slim(data)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert it.documents[0].length == len(line) * times
    assert it.documents[0].document.valid
    assert peak < 4_000_000


@pytest.mark.parametrize("filler", [b"A" * 60_000 + b" ", b"word ", b"A" * 66_000 + b"*", b"\\", b"A" * 40_000 + b"|"])
def test_c24_bait_for_the_search_is_read_soon(filler: bytes):
    raw = HEAD + ed(filler * (16_000_000 // len(filler)))
    with limited():
        slim(raw)


def test_mark_is_no_text_of_its_own():
    assert marked("") is None
    assert marked(f"x{MARK}L1N1S{'0' * 64}H{'0' * 40}V1{MARK}") is None
    assert marked(f"{MARK}L1N1S{'0' * 64}H{'0' * 40}V1{MARK}") is not None
