"""Positions, splitting and escapes."""

import pytest

from adapter.hl7v2.message import NULL, Delimiters, Segment, escape, parse_path, split_field, unescape
from adapter.hl7v2.parse import parse

STANDARD = Delimiters("|", "^", "~", "\\", "&", None)
TRUNCATING = STANDARD._replace(truncation="#")


def segment(text: str) -> Segment:
    return Segment(text[:3], tuple(text.split("|")), 0, STANDARD)


def test_a_value_is_named_as_the_standard_names_it():
    pid = segment("PID|1||A1^^^HOSP&1.2.3&ISO^MR~B2^^^GOV^NI||Test^Person")

    assert pid.text("PID-5.1") == "Test"
    assert pid.text("5.2") == "Person"
    assert pid.text("PID-3[2].5") == "NI"
    assert pid.text("PID-3.4.2") == "1.2.3"
    assert pid.text("PID-3") == "A1"


def test_what_is_not_there_is_empty():
    pid = segment("PID|1||A1")

    assert pid.raw(30) == ""
    assert pid.field(2) == ()
    assert [pid.text(path) for path in ("PID-3[2]", "PID-3.4", "PID-3.1.2", "PID-30")] == ["", "", "", ""]


def test_null_stays_apart_from_empty():
    pid = segment('PID|1||""|')

    assert pid.text("PID-3") == NULL
    assert pid.text("PID-4") == ""


def test_a_position_of_another_segment_is_refused():
    with pytest.raises(ValueError, match="OBX-5"):
        segment("PID|1").text("OBX-5")


@pytest.mark.parametrize("path", ["PID", "PID-", "pid-3", "PID-3.", "PID-3.1.2.3", ""])
def test_what_is_no_position_is_refused(path: str):
    with pytest.raises(ValueError, match="no position"):
        parse_path(path)


def test_the_third_obx_of_a_message():
    message = parse(b"MSH|^~\\&|A\rOBX|1|NM|||1\rOBX|2|NM|||2\rOBX|3|NM|||3\r")

    assert message.text("OBX[3]-5") == "3"
    assert message.text("OBX-5") == "1"
    assert message.text("OBX[4]-5") == ""
    assert [one.raw(1) for one in message.all("OBX")] == ["1", "2", "3"]
    assert message.first("PID") is None


def test_msh_counts_its_separator_as_a_field():
    message = parse(b"MSH|^~\\&|LIS|HOSP|HUB|CENTRAL|20240102||ORU^R01^ORU_R01|7|P|2.5.1\r")
    msh = message.segments[0]

    assert (msh.text("MSH-1"), msh.field(2)) == ("|", ((("^~\\&",),),))
    assert (message.sending_application, message.sending_facility) == ("LIS", "HOSP")
    assert (message.receiving_application, message.receiving_facility) == ("HUB", "CENTRAL")
    assert (message.type, message.event, message.structure_sent) == ("ORU", "R01", "ORU_R01")
    assert (message.sent_at, message.control_id, message.processing_id, message.version) == (
        "20240102",
        "7",
        "P",
        "2.5.1",
    )


def test_an_escaped_delimiter_is_data():
    assert split_field("10\\S\\9/L^a\\T\\b", STANDARD) == ((("10^9/L",), ("a&b",)),)
    assert split_field("\\X7C\\\\X0D\\", STANDARD) == ((("|\r",),),)


@pytest.mark.parametrize(
    ("escaped", "plain"),
    [
        ("\\F\\\\S\\\\T\\\\R\\\\E\\", "|^&~\\"),
        ("one\\.br\\two", "one\ntwo"),
        ("one\\.sp3\\two", "one\n\n\ntwo"),
        ("one\\.sk2\\two", "one  two"),
        ("\\H\\bold\\N\\", "bold"),
        ("\\.fi\\\\.in+4\\text", "text"),
        ("\\XE4BDA0\\", "你"),
        ("\\XC4E3\\", "\\XC4E3\\"),
        ("\\E\\.br\\E\\", "\\.br\\"),
    ],
)
def test_escapes_are_replaced_once(escaped: str, plain: str):
    assert unescape(escaped, STANDARD) == plain


@pytest.mark.parametrize("text", ["\\XF\\", "\\XFF\\", "\\C2842\\", "\\M24\\", "\\Z01\\", "\\F", "C:\\", "\\P\\"])
def test_what_is_no_escape_stays_as_it_is(text: str):
    assert unescape(text, STANDARD) == text


def test_the_truncation_character_has_its_escape():
    assert unescape("a\\P\\", TRUNCATING) == "a#"
    assert escape("a#", TRUNCATING) == "a\\P\\"
    assert escape("a#", STANDARD) == "a#"


def test_repetitions_and_empty_components_keep_their_places():
    assert split_field("a~~^b", STANDARD) == ((("a",),), (("",),), (("",), ("b",)))
