"""From bytes to segments, with the answers of the fault catalogue (groups A, B and C)."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from adapter.errors import (
    BadDelimiters,
    ControlCharacter,
    HeaderTooShort,
    MalformedSegment,
    NoHeader,
    NotEr7,
    Refusal,
    TooLarge,
    UndecodableBytes,
    UnknownCharset,
    WideCharset,
)
from adapter.hl7v2.encoding import SUSPECT, codec
from adapter.hl7v2.parse import byte_span, header, parse, print_message
from adapter.protocol_errors import SecondHeader
from tests.fuzz.laws import limited

SHARED = Path(__file__).parents[2].parent / "shared"
MSH = "MSH|^~\\&|LIS|HOSP|HUB|CENTRAL|20240102||ORU^R01|7|P|2.5.1"


def with_charset(charset: str) -> str:
    return f"{MSH}||||||{charset}\r"


def names(raw: bytes) -> list[str]:
    return [segment.name for segment in parse(raw).segments]


def refused(raw: bytes, leaf: type[Refusal], at: str) -> Refusal:
    with pytest.raises(leaf) as caught:
        parse(raw)
    assert str(caught.value.at) == at
    return caught.value


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_segments_end_with_cr_lf_or_both(end: str):
    assert names(end.join([MSH, "PID|1", "OBR|1", ""]).encode()) == ["MSH", "PID", "OBR"]


def test_the_last_segment_needs_no_end():
    assert names(f"{MSH}\rPID|1".encode()) == ["MSH", "PID"]


def test_lf_inside_a_field_is_data_where_cr_ends_the_segments():
    message = parse(f"{MSH}\rOBX|1|TX|||one\ntwo\r".encode())

    assert message.text("OBX-5") == "one\ntwo"


def test_lone_lf_before_a_segment_name_does_not_split_where_cr_does():
    assert names(f"{MSH}\rNTE|1||text\nOBX|1\r".encode()) == ["MSH", "NTE"]


def test_blank_lines_are_no_segments():
    assert names(f"{MSH}\r\r  \rPID|1\r\r".encode()) == ["MSH", "PID"]


def test_a_byte_order_mark_is_dropped_and_comes_back_when_printed():
    raw = b"\xef\xbb\xbf" + MSH.encode() + b"\r"

    assert parse(raw).segments[0].name == "MSH"
    assert print_message(parse(raw)) == raw


@pytest.mark.parametrize("declared", ["GB 18030-2000", "8859/1", "ASCII", "BIG-5"])
def test_c8_a_byte_order_mark_says_utf8_whatever_is_declared(declared: str):
    message = parse(b"\xef\xbb\xbf" + f"{with_charset(declared)}PID|1||1||试^九\r".encode())

    assert message.encoding == "utf-8"
    assert message.text("PID-5.2") == "九"


def test_c8_a_byte_order_mark_before_bytes_that_are_not_utf8_is_refused():
    refused(
        b"\xef\xbb\xbf" + f"{with_charset('GB 18030-2000')}PID|1||1||试^九\r".encode("gb18030"),
        UndecodableBytes,
        "PID-5",
    )


def test_other_delimiters_are_taken_from_the_header():
    message = parse(b"MSH$%*@!$LIS\rPID$1$$A%B*C\r")

    assert message.text("PID-3.2") == "B"
    assert message.text("PID-3[2]") == "C"


def test_five_encoding_characters_are_taken():
    assert parse(b"MSH|^~\\&#|LIS\r").delimiters.truncation == "#"


@pytest.mark.parametrize(
    ("raw", "leaf", "at"),
    [
        (b"PID|1\r", NoHeader, "MSH"),
        (b"", NoHeader, "MSH"),
        (b"<ORU_R01 xmlns='urn:hl7-org:v2xml'/>", NotEr7, "MSH"),
        (b"MSH", HeaderTooShort, "MSH-2"),
        (b"MSH|^~\r", HeaderTooShort, "MSH-2"),
        (b"MSH|^^\\&|LIS\r", BadDelimiters, "MSH-2"),
        (b"MSH|^~\\a|LIS\r", BadDelimiters, "MSH-2"),
        (b"MSH|^~\\\x01|LIS\r", BadDelimiters, "MSH-2"),
        (b"MSHx^~\\&xLIS\r", BadDelimiters, "MSH-1"),
    ],
)
def test_a_header_that_cannot_be_read_is_refused(raw: bytes, leaf: type[Refusal], at: str):
    refused(raw, leaf, at)


@pytest.mark.parametrize("name", ["pid", "P1", "OB ", " PI", "PI-"])
def test_a_malformed_segment_name_is_refused_with_its_place(name: str):
    refused(f"{MSH}\rPID|1\r{name}|1\r".encode(), MalformedSegment, name)


def test_a_line_of_text_is_not_repeated_in_the_refusal():
    error = refused(f"{MSH}\nOBX|1|TX|||seen by\nMr Testperson today\n".encode(), MalformedSegment, "OBX")

    assert "Testperson" not in error.text


@pytest.mark.parametrize("name", ["ZTI", "XYZ", "Z01"])
def test_unknown_segments_are_kept(name: str):
    assert names(f"{MSH}\r{name}|1\r".encode()) == ["MSH", name]


def test_a_second_msh_is_refused():
    refused(f"{MSH}\rPID|1\r{MSH}\r".encode(), SecondHeader, "MSH[2]")


@pytest.mark.parametrize("sign", ["\x0b", "\x1c", "\x00", "\x1b", "\x08"])
def test_a_control_character_is_refused_with_its_field(sign: str):
    refused(f"{MSH}\rOBX|1\rOBX|2|ST|||a{sign}b\r".encode(), ControlCharacter, "OBX[2]-5")
    refused(f"MSH|^~\\&|LI{sign}S\r".encode(), ControlCharacter, "MSH-3")


def test_tab_is_text():
    assert parse(f"{MSH}\rNTE|1||a\tb\r".encode()).text("NTE-3") == "a\tb"


def test_gbk_characters_that_hold_delimiters_do_not_split():
    name = "儀俓亅侓"  # second bytes of such characters are | ^ ~ or \
    text = "".join(chr(code) for code in range(0x4E00, 0x9FA5) if chr(code).encode("gb18030")[1:] in b"|^~\\")
    raw = f"{with_charset('GB 18030-2000')}PID|1||||{name}{text}^X\r".encode("gb18030")

    message = parse(raw)

    assert len(text) > 300
    assert message.text("PID-5.1") == name + text
    assert message.text("PID-5.2") == "X"
    assert message.encoding == "gb18030"


def test_gbk_characters_that_hold_delimiters_do_not_split_the_header():
    head = header("MSH|^~\\&|儀|医院儀|HUB||20240102||ADT^A01|42|P|2.3.1\r".encode("gb18030"))

    assert (head.sending_application, head.sending_facility) == ("儀", "医院儀")
    assert (head.control_id, head.version) == (b"42", "2.3.1")


def test_four_byte_gb18030_is_read():
    raw = f"{with_charset('GB 18030-2000')}PID|1||||𠮷\r".encode("gb18030")

    assert parse(raw).text("PID-5") == "𠮷"


@pytest.mark.parametrize(
    ("declared", "default", "written", "encoding"),
    [
        ("UNICODE UTF-8", None, "utf-8", "utf-8"),
        ("utf8", None, "utf-8", "utf-8"),
        ("GB 18030-2000", "UTF-8", "gb18030", "gb18030"),
        ("GBK", None, "gbk", "gb18030"),
        ("CP936", None, "gbk", "gb18030"),
        ("GB2312", None, "gb2312", "gb18030"),
        ("", "GB18030", "gbk", "gb18030"),
        ("", None, "utf-8", "utf-8"),
        ("", None, "gb18030", "gb18030"),
        ("UNICODE UTF-8~GB 18030-2000", None, "utf-8", "utf-8"),
    ],
)
def test_characters_are_those_of_msh_18_else_of_the_site(
    declared: str, default: str | None, written: str, encoding: str
):
    message = parse(f"{with_charset(declared)}PID|1||||张三\r".encode(written), default_encoding=default)

    assert message.text("PID-5") == "张三"
    assert message.encoding == encoding
    assert message.encoding_reason


def test_latin_1_is_read_where_it_is_declared():
    assert parse(f"{with_charset('8859/1')}PID|1||||Müller\r".encode("latin-1")).text("PID-5") == "Müller"


def test_a_name_that_is_not_of_table_0211_is_told():
    assert parse(with_charset("UNICODE UTF-8").encode()).encoding_reason == "MSH-18"
    assert "not as in table 0211" in parse(with_charset("GBK").encode()).encoding_reason
    assert codec("FOO") is None


def test_bytes_of_another_character_set_are_refused_with_byte_and_field():
    raw = f"{with_charset('UNICODE UTF-8')}PID|1||||张三\r".encode("gb18030")

    error = refused(raw, UndecodableBytes, "PID-5")

    assert error.text.startswith(f"byte {raw.index('张'.encode('gb18030'))}: d5 c5 ")


@pytest.mark.parametrize("data", [b"\xc0\x80", b"\xed\xa0\x80", b"\xff", b"\xe5\xbc"])
def test_broken_utf_8_is_refused(data: bytes):
    refused(with_charset("UNICODE UTF-8").encode() + b"PID|1\rPID|2||" + data + b"\r", UndecodableBytes, "PID[2]-3")


def test_bytes_that_the_site_default_cannot_be_are_refused():
    with pytest.raises(UndecodableBytes):
        parse(f"{MSH}\rPID|1||||".encode() + b"\xff\r", default_encoding="GB18030")


def test_gb18030_that_is_really_utf_8_is_suspect():
    raw = f"{with_charset('GB 18030-2000')}PID|1||||测试\r".encode()

    assert parse(raw).encoding_reason.endswith(SUSPECT)


def test_gb18030_that_happens_to_be_utf_8_is_not_suspect():
    raw = f"{with_charset('GB 18030-2000')}PID|1||||".encode() + b"\xd0\xa1\r"  # one character, also a Cyrillic letter

    assert parse(raw).encoding_reason == "MSH-18"


def test_an_unknown_character_set_is_refused():
    refused(with_charset("FOO").encode(), UnknownCharset, "MSH-18")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_wide_characters_are_refused(encoding: str):
    refused(f"{MSH}\r".encode(encoding), WideCharset, "MSH-18")


def test_a_wide_character_set_in_msh_18_is_refused():
    refused(with_charset("UNICODE UTF-16").encode(), WideCharset, "MSH-18")


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ("OBX|1\r" * 20_000, "MSH"),
        ("OBX" + "|" * 501 + "\r", "OBX-500"),
        ("PID|1\rOBX|1||" + "~" * 2_000 + "\r", "OBX-3"),
        ("OBX|1\rOBX|1||a^" + "&" * 100 + "\r", "OBX[2]-3"),
        ("OBX|1|ST|||" + "a" * 1_000_001 + "\r", "OBX-5"),
    ],
)
def test_what_is_too_large_is_refused_with_its_place(body: str, at: str):
    refused(f"{MSH}\r{body}".encode(), TooLarge, at)


@pytest.mark.parametrize(
    "body",
    [
        "OBX|1\r" * 19_999,
        "OBX" + "|" * 500 + "\r",
        "OBX|1||" + "~" * 1_999 + "\r",
        "OBX|1||a^" + "&" * 99 + "\r",
        "OBX|1|ST|||" + "a" * 1_000_000 + "\r",
        "OBX|1|ED|||^^^Base64^" + "A" * 3_000_000 + "\r",
        "OBX|1|ST|||" + "^" * 100_000 + "\r",
    ],
)
def test_what_is_just_within_the_limits_is_read(body: str):
    with limited():
        assert parse(f"{MSH}\r{body}".encode()).segments


def test_a_rewritten_segment_is_printed_in_the_place_of_its_origin():
    raw = f"{MSH}\r\nOBX|1\r\n\r\nOBX|2\r\n".encode()
    message = parse(raw)
    one, two, three = message.segments
    parts = [two._replace(fields=("OBX", "1", part)) for part in "ab"]

    printed = print_message(replace(message, segments=(one, *parts, three)))

    assert printed == f"{MSH}\r\nOBX|1|a\r\nOBX|1|b\r\n\r\nOBX|2\r\n".encode()


def test_byte_spans_of_fields_and_repetitions():
    raw = f"{with_charset('GB 18030-2000')}PID|1||甲^乙~丙||张\r".encode("gb18030")
    message = parse(raw)

    def at(*place: int) -> str:
        start, end = byte_span(message, *place)
        return raw[start:end].decode("gb18030")

    assert [at(0, 1), at(0, 2), at(0, 3), at(0, 18)] == ["|", "^~\\&", "LIS", "GB 18030-2000"]
    assert [at(1, 0), at(1, 3), at(1, 3, 1), at(1, 3, 2), at(1, 5)] == ["PID", "甲^乙~丙", "甲^乙", "丙", "张"]
    assert [at(1, 3, 3), at(1, 99)] == ["", ""]
    assert byte_span(message, 1, 99) == (len(raw) - 1, len(raw) - 1)


def test_the_header_is_read_though_the_rest_is_broken():
    msh = MSH.replace("|7|", "|a\\F\\é|") + "|3||AL|NE\rPI"

    head = header(msh.encode() + b"\xff\xfe\r")

    assert head.control_id == "a\\F\\é".encode()
    assert (head.type, head.event, head.structure_sent) == ("ORU", "R01", "")
    assert (head.accept_ack, head.application_ack, head.sequence_number) == ("AL", "NE", "3")
    assert (head.processing_id, head.version, head.charset, head.sent_at) == ("P", "2.5.1", "", "20240102")


def every_message(folder: str) -> list[Path]:
    files = sorted((SHARED / folder).glob("**/*.hl7"))
    if not files:
        pytest.skip(f"../shared/{folder} is not here")
    return files


@pytest.mark.parametrize("read", [parse, header])
def test_every_message_of_the_corpus_is_read_or_refused_with_its_place(read: Callable[[bytes], object]):
    refusals: list[Refusal] = []
    for file in every_message("corpus/messages"):
        try:
            read(file.read_bytes())
        except Refusal as refusal:
            refusals.append(refusal)

    assert all(refusal.at and refusal.text for refusal in refusals)
    assert len(refusals) < 20


def test_every_sample_of_the_hospitals_is_read_and_printed_as_it_came():
    for file in every_message("interface"):
        raw = file.read_bytes()
        message = parse(raw, default_encoding="GB18030")
        assert print_message(message) == raw, file
        assert len(message.segments) > 2, file
