"""The envelope of a batch, and what a file holds one unit at a time."""

from datetime import UTC, datetime
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapter.errors import BadDelimiters, HeaderTooShort, TooLarge
from adapter.hl7v2 import envelope
from adapter.hl7v2.units import is_hl7, units

NOW = datetime(2018, 1, 1, tzinfo=UTC)
ONE, TWO = b"MSH|^~\\&|A\rPID|1\r", b"MSH|^~\\&|B\rPID|2\r"
BATCH = b"BHS|^~\\&|A\r" + ONE + TWO + b"BTS|2\r"
FILE = b"FHS|^~\\&|A\r" + BATCH + b"FTS|1\r"
TEXT = st.text(st.characters(codec="gb18030", exclude_categories=["Cc", "Cs"]), max_size=12)
MESSAGES = st.lists(
    st.lists(st.tuples(st.sampled_from(["PID", "OBX", "ZTI"]), TEXT), max_size=4).map(
        lambda lines: ("MSH|^~\\&|A\r" + "".join(f"{name}|{text}\r" for name, text in lines)).encode("gb18030")
    ),
    max_size=6,
)
PAYLOADS = st.lists(st.sampled_from([ONE, TWO, BATCH, FILE]), max_size=8)


def cut(data: bytes, *, at: int, limit: int = 10_000) -> list[bytes]:
    """The units of a file that is read in pieces of this size."""
    stream = BytesIO(data)
    return list(units(lambda _size: stream.read(at), limit=limit))


@given(st.lists(MESSAGES, min_size=1, max_size=4))
def test_any_messages_wrapped_into_a_file_of_batches_come_back(groups: list[list[bytes]]):
    asked = envelope.Envelope(b"FHS|^~\\&|A||||||||F", [envelope.Group(b"BHS|^~\\&|A||||||||B") for _ in groups])
    written = envelope.wrap(asked, groups, control_ids=lambda: "1", now=NOW)

    found = envelope.read(written)

    assert found.fault is None
    assert [group.messages for group in found.groups] == groups


@given(MESSAGES, st.integers(0, 20))
def test_every_count_but_the_right_one_is_a_fault(messages: list[bytes], said: int):
    found = envelope.read(b"BHS|^~\\&|A\r" + b"".join(messages) + f"BTS|{said}\r".encode())

    assert (found.fault is None) == (said == len(messages))


@given(MESSAGES.filter(bool), st.data())
def test_a_batch_that_is_cut_anywhere_is_not_whole(messages: list[bytes], data: st.DataObject):
    raw = b"BHS|^~\\&|A\r" + b"".join(messages) + f"BTS|{len(messages)}\r".encode()
    end = raw.index(b"BTS|")

    assert envelope.read(raw[: data.draw(st.integers(11, end))]).fault is not None


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"\r\r\n\n"])
def test_line_ends_and_blank_lines_between_segments_of_the_envelope_say_nothing(end: bytes):
    raw = b"\xef\xbb\xbf" + FILE.replace(b"\r", end)

    found = envelope.read(raw)

    assert found.fault is None
    assert found.head == b"FHS|^~\\&|A"
    assert [len(group.messages) for group in found.groups] == [2]


@pytest.mark.parametrize("said", [b"1", b"2", b""])
def test_a_file_without_bhs_counts_its_messages_or_itself(said: bytes):
    found = envelope.read(b"FHS|^~\\&|A\r" + ONE + TWO + b"FTS|" + said + b"\r")

    assert found.fault is None
    assert envelope.wrap(found, [[ONE]], control_ids=lambda: "1", now=NOW).endswith(ONE + b"FTS|1\r")


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b"BHS|^~\\&|A\rBHS|^~\\&|A\rBTS|0\r", "BTS"),
        (BATCH + b"BTS|2\r", "BTS[2]"),
        (BATCH + b"FTS|1\r", "FTS"),
        (FILE + FILE, "FHS[2]"),
        (FILE + ONE, "MSH"),
        (FILE + BATCH, "BHS"),
        (FILE + b"FTS|1\r", "FTS[2]"),
        (BATCH + FILE, "FHS"),
    ],
)
def test_what_does_not_belong_there_is_a_fault(raw: bytes, place: str):
    fault = envelope.read(raw).fault

    assert fault is not None
    assert str(fault.at) == place


@pytest.mark.parametrize(
    ("head", "error"), [(b"BHS", HeaderTooShort), (b"BHS|^", HeaderTooShort), (b"BHS|^^^^|A", BadDelimiters)]
)
def test_an_envelope_without_delimiters_is_refused_at_its_own_place(head: bytes, error: type[Exception]):
    with pytest.raises(error) as refused:
        envelope.batch_header(head)

    assert str(getattr(refused.value, "at", "")) == "BHS-2"


@pytest.mark.parametrize(
    ("raw", "is_batch"),
    [(BATCH, True), (FILE, True), (b"\n " + BATCH, True), (ONE, False), (b"BHSX|1", False), (b"", False)],
)
def test_a_batch_is_known_by_its_beginning(raw: bytes, *, is_batch: bool):
    assert envelope.begins(raw) is is_batch


def test_single_acknowledgements_answer_a_batch_when_all_are_there_or_one_answers_the_whole():
    sent = b"BHS|^~\\&|A||||||||B1\r" + ONE + TWO + b"BTS|2\r"
    ack = b"MSH|^~\\&|\rMSA|AA|X\r"

    assert not envelope.answers(sent, ack)
    assert envelope.answers(sent, ack + ack)
    assert envelope.answers(sent, b"MSH|^~\\&|\rMSA|AE|B1|text\r")
    assert envelope.answers(sent, BATCH)
    assert envelope.answers(ONE, b"anything")


@given(PAYLOADS, st.integers(1, 200))
def test_messages_and_batches_of_a_file_come_one_by_one_however_it_is_read(payloads: list[bytes], at: int):
    assert cut(b"\r\n".join(payloads), at=at) == payloads


@given(PAYLOADS.filter(bool), st.integers(20, 200), st.sampled_from([b"", b"\r", b"\r\n"]))
def test_frames_of_a_dump_come_one_by_one_however_it_is_read(payloads: list[bytes], at: int, end: bytes):
    dump = b"".join(b"\x0b" + payload + b"\x1c" + end for payload in payloads)

    assert cut(dump, at=at) == payloads


def test_text_between_messages_is_a_unit_of_its_own():
    assert cut(b"hello\r" + ONE + b"\x0b" + TWO + b"\x1c\r", at=1000) == [b"hello\r", ONE, TWO]
    assert [is_hl7(unit) for unit in cut(b"hello\r" + ONE + BATCH, at=7)] == [False, True, True]


def test_a_unit_above_the_limit_is_too_large_and_what_stands_before_it_is_given():
    found: list[bytes] = []
    stream = BytesIO(ONE + TWO + b"OBX|" + b"x" * 5000)

    with pytest.raises(TooLarge):
        found.extend(units(lambda _size: stream.read(100), limit=500))

    stream.seek(0)
    given_first = units(lambda _size: stream.read(100), limit=500)
    assert next(given_first) == ONE
