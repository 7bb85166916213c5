"""Messages in fragments, by the rules and examples of HL7 v2.5.1 §2.10.2."""

import pytest

from adapter.hl7v2.continuation import Fragment, chain, fragment, join
from adapter.hl7v2.parse import header, parse

MSH = "MSH|^~\\&|LIS|FAHZU|HUB|CENTRAL|20180101||ORU^R01^ORU_R01|{id}|P|2.5.1||{after}"


def part(*segments: str, number: str = "1", after: str = "") -> bytes:
    return "\r".join([MSH.format(id=number, after=after), *segments, ""]).encode()


def place(raw: bytes) -> Fragment | None:
    return fragment(parse(raw), header(raw))


def test_message_parted_between_segments_is_joined_without_dsc():
    first = part("PID|1", "OBR|1", "DSC|p1|F")
    second = part("OBX|1", "DSC|p2|F", number="2", after="p1")
    third = part("OBX|2", number="3", after="p2")
    assert [place(raw) for raw in (first, second, third)] == [
        Fragment("", "p1"), Fragment("p1", "p2"), Fragment("p2", "")
    ]  # fmt: skip
    assert join([first, second, third]) == part("PID|1", "OBR|1", "OBX|1", "OBX|2")


def test_segment_parted_inside_a_field_is_continued_by_add_at_any_character():
    first = part("OBX|1|FT|^Summary||a patient of 60 y", "ADD", "DSC|p1|F")
    second = part("ADD|ears|||more", "OBX|2|ST", after="p1")
    assert join([first, second]) == part("OBX|1|FT|^Summary||a patient of 60 years|||more", "OBX|2|ST")


def test_add_within_one_message_belongs_to_the_segment_before():
    whole = part("OBX|1|FT|^Summary||one", "ADD| two", "ADD| three|F", "OBX|2|ST")
    assert place(whole) == Fragment("", "")
    assert join([whole]) == part("OBX|1|FT|^Summary||one two three|F", "OBX|2|ST")


def test_bytes_of_gb_18030_that_look_like_delimiters_are_not_touched():
    text = b"\x81\x7c\x81\x7c"
    assert len(text.decode("gb18030")) == 2
    first = part("OBX|1|FT|||") .rstrip(b"\r") + text[:2] + b"\rADD\rDSC|p|F\r"  # fmt: skip
    second = part(after="p") + b"ADD|" + text[2:] + b"\r"
    assert join([first, second]) == part("OBX|1|FT|||").rstrip(b"\r") + text + b"\r"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_other_segment_ends_are_read_as_the_parser_reads_them(end: str):
    first = part("OBR|1", "DSC|p|F").replace(b"\r", end.encode())
    assert join([first, part("OBX|1", after="p")]) == part("OBR|1", "OBX|1")


def test_whole_message_and_interactive_continuation_are_no_fragments():
    assert place(part("OBR|1")) is None
    assert place(part("OBR|1", "DSC|p|I")) is None


def test_chain_is_followed_back_from_the_last_fragment_in_whatever_order_they_came():
    places = {7: Fragment("p2", ""), 8: Fragment("", "p1"), 9: Fragment("p1", "p2"), 10: Fragment("", "x")}
    assert chain(7, places) == [8, 9, 7]
    del places[9]
    assert chain(7, places) == []


def test_chain_that_bites_its_tail_ends():
    assert chain(1, {1: Fragment("a", ""), 2: Fragment("b", "a"), 3: Fragment("a", "b")}) == []
