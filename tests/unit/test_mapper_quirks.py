"""Each named fix repairs its quirk, and leaves alone what is as HL7 has it."""

import pytest

from adapter.hl7v2.parse import parse
from adapter.mapper.fixes import FIXES
from adapter.mapper.quirks import QUIRKS, seen

HEAD = "MSH|^~\\&|A|B|||20240315||ORU^R01|1|P|2.4"


def fixed(name: str, *segments: str) -> list[str]:
    read = parse("\r".join([HEAD, *segments, ""]).encode(), default_encoding="utf-8")
    return ["|".join(segment.fields) for segment in FIXES[name](read.segments)[1:]]


@pytest.mark.parametrize(
    ("name", "sent", "meant"),
    [
        ("names-without-blanks", "PID|1||1||试  例", "PID|1||1||试例"),
        ("names-without-blanks", "PID|1||1||Test One^A B", "PID|1||1||Test One^A B"),
        ("names-without-asterisk", "PID|1||1||*试例~*shi li", "PID|1||1||试例~shi li"),
        ("birth-date-alone", "PID|1||1||试||19931130000000", "PID|1||1||试||19931130"),
        ("birth-date-alone", "PID|1||1||试||19931130063000", "PID|1||1||试||19931130063000"),
        ("dotted-milliseconds", "OBR|1||||||20240315063000123", "OBR|1||||||20240315063000.123"),
        ("dotted-milliseconds", "OBR|1||||||20240315063000123+0800", "OBR|1||||||20240315063000.123+0800"),
        ("dotted-milliseconds", "OBR|1|20240315063000123", "OBR|1|20240315063000123"),
        ("number-in-third-component", "OBR|1||^^BAR1", "OBR|1||BAR1"),
        ("number-in-third-component", "OBR|1||R1^LIS^1.2.3", "OBR|1||R1^LIS^1.2.3"),
    ],
)
def test_a_fix_repairs_its_quirk_alone(name: str, sent: str, meant: str) -> None:
    assert fixed(name, sent) == [meant]


def test_an_order_behind_its_report_stands_before_it() -> None:
    assert fixed("orc-before-obr", "OBR|1", "ORC|RE", "OBX|1", "OBR|2", "ORC|RE", "OBX|1") == [
        *("ORC|RE", "OBR|1", "OBX|1", "ORC|RE", "OBR|2", "OBX|1")
    ]


def test_two_orders_without_results_stay_as_they_are() -> None:
    sent = ["ORC|NW", "OBR|1", "ORC|NW", "OBR|2"]
    assert fixed("orc-before-obr", *sent) == sent


def test_a_message_without_a_quirk_needs_no_fix() -> None:
    read = parse(f"{HEAD}\rPID|1||1||试^例||19931130\rORC|RE\rOBR|1||R1\r".encode(), default_encoding="utf-8")
    assert (seen(read.segments), set(QUIRKS) <= set(FIXES)) == ([], True)
