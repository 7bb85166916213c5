"""Group C of the fault catalogue: character sets, escapes, size and structure, each row on its whole way."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import pytest

from adapter.convert import convert
from adapter.hl7v2.encoding import candidates, visible
from adapter.hl7v2.message import escape
from adapter.hl7v2.parse import parse, print_message
from tests.fuzz.laws import limited
from tests.integration.catalogue_stand import Outcome, agreed, pass_through
from tests.integration.intake_stand import JINHUA, JINHUA_PID, OBR, OBX, PID, header, message, segments
from tests.mappings import catalog

NAME = "张试九〇"
GB = NAME.encode("gb18030")


def observed(value: str, kind: str = "ST", **changed: str) -> bytes:
    """One result of the synthetic patient with this OBX-5."""
    return message(header(**changed), PID, OBR, f"OBX|1|{kind}|751-8^Neutrophils^LN||{value}||||||F")


def named(name: str, **changed: str) -> bytes:
    """A result of a patient of this name."""
    return message(header(**changed), PID.replace("试^九〇一", name), OBR, OBX)


def jinhua(name: str = "试九〇四", msh: str = JINHUA) -> bytes:
    """A result from Jinhua, which sends GB 18030 without saying so."""
    return message(msh, JINHUA_PID.replace("试九〇四", name), OBR, OBX, encoding="gb18030")


def family(outcome: Outcome) -> str:
    """The name of the one patient."""
    (name,) = outcome.only("Patient")["name"]
    return name.get("family") or name["text"]


def refused(outcome: Outcome, raw: bytes, told: tuple[str, str, str]) -> None:
    """Answered so, kept byte for byte as rejected, and nothing made of it."""
    assert outcome.told() == told
    assert (outcome.message["state"], outcome.message["raw"]) == ("rejected", raw)
    assert outcome.message["cause"]
    assert outcome.resources == {}


def accepted(outcome: Outcome, raw: bytes) -> None:
    """Answered CA, kept byte for byte, converted."""
    assert outcome.told() == ("CA", "", "")
    assert (outcome.message["state"], outcome.message["raw"]) == ("mapped", raw)


def value_of(outcome: Outcome) -> Any:
    """The text of the one result."""
    return outcome.only("Observation")["valueString"]


def test_c1_bytes_are_not_in_the_declared_character_set(tmp_path: Path):
    raw = named("NAME^X").replace(b"NAME", GB)
    outcome = pass_through(tmp_path, raw)
    refused(outcome, raw, ("CE", "102", "PID^1^5"))
    said = segments(outcome.answers[0].ack)["ERR"][7]
    assert said.startswith(f"byte {raw.index(GB)}: d5 c5 is not UTF-8")
    assert "\ufffd" not in outcome.message["cause"]


def test_c1_the_preview_shows_the_bytes_as_gb18030_beside_utf8():
    raw = named(f"{NAME}^X").decode().encode("gb18030")
    declared, other = candidates(raw, declared="UNICODE UTF-8", default="utf-8")
    assert (declared.encoding, declared.fits, str(declared.at), declared.byte) == (
        *("utf-8", False, "PID-5"),
        raw.index(GB),
    )
    assert (other.encoding, other.fits) == ("gb18030", True)
    assert NAME in other.preview
    assert "\\xd5\\xc5" in declared.preview
    assert "\ufffd" not in declared.preview + other.preview


def test_c1_site_that_is_always_gb18030_is_read_so_when_its_message_comes_again(tmp_path: Path):
    mappings = agreed(tmp_path, "yiwu", charset="site")
    raw = named("NAME^X", msh_4="YWCH").replace(b"NAME", GB).replace("血常规".encode(), "血常规".encode("gb18030"))
    raw = raw.replace(b"FAHZU&2.16.840.1.113883.3.9999.1.01.2", b"YWCH&2.16.840.1.113883.3.9999.1.02.2")
    before = pass_through(tmp_path, raw)
    refused(before, raw, ("CE", "102", "PID^1^5"))
    after = pass_through(tmp_path, raw, mappings=mappings)
    assert after.message["state"] == "mapped"
    assert family(after) == NAME


def test_c2_msh_18_empty_is_read_by_the_site_rule(tmp_path: Path):
    raw = jinhua(NAME)
    outcome = pass_through(tmp_path, raw)
    assert segments(outcome.answers[0].ack)["MSA"][1] == "AA"
    assert (outcome.message["state"], outcome.message["raw"]) == ("mapped", raw)
    assert outcome.message["encoding"] == "gb18030"
    assert parse(raw, default_encoding="gb18030").encoding_reason == "site default"
    assert family(outcome) == NAME


def test_c3_msh_18_empty_and_not_decodable_by_the_site_default(tmp_path: Path):
    raw = jinhua("NAME").replace(b"NAME", b"\xff\xff")
    outcome = pass_through(tmp_path, raw)
    ack = segments(outcome.answers[0].ack)
    assert (ack["MSA"][1], ack["ERR"][1].partition("&")[0]) == ("AE", "PID^1^5^102")
    assert (outcome.message["state"], outcome.message["raw"]) == ("rejected", raw)
    found = candidates(raw, declared="", default="gb18030")
    assert [(one.encoding, one.reason, one.fits) for one in found] == [
        ("utf-8", "alternative", False),
        ("gb18030", "site default", False),
    ]
    assert all("\\xff\\xff" in one.preview for one in found)


def test_c4_declared_gb18030_but_valid_utf8_is_held_before_mapping(tmp_path: Path):
    raw = named("试试^测试", msh_18="GB 18030-2000").replace("血常规".encode(), "试验".encode())
    outcome = pass_through(tmp_path, raw)
    assert outcome.told() == ("CA", "", "")
    assert (outcome.message["state"], outcome.message["raw"]) == ("held", raw)
    assert outcome.message["cause_code"] == "H2F-3003"
    assert outcome.message["cause"].endswith("valid UTF-8 too")
    assert outcome.resources == {}
    found = candidates(raw, declared="GB 18030-2000", default="utf-8")
    assert [(one.encoding, one.fits) for one in found] == [("gb18030", True), ("utf-8", True)]
    assert "试试^测试" in found[1].preview
    assert "璇曡瘯^娴嬭瘯" in found[0].preview


@pytest.mark.parametrize(
    ("sent", "encoding"),
    [("GBK", "gb18030"), ("GB2312", "gb18030"), ("CP936", "gb18030"), ("utf8", "utf-8"), ("UTF-8", "utf-8")],
)
def test_c5_usual_spelling_of_a_character_set_is_taken_and_told(tmp_path: Path, sent: str, encoding: str):
    raw = named("赵试^九〇", msh_18=sent).decode().encode(encoding)
    outcome = pass_through(tmp_path, raw)
    assert segments(outcome.answers[0].ack, encoding)["MSA"][1] == "CA"
    assert (outcome.message["state"], outcome.message["raw"]) == ("mapped", raw)
    assert outcome.message["encoding"] == encoding
    assert family(outcome) == "赵试"
    assert ("MSH-18", "charset-spelling") in outcome.kinds


def test_c6_character_set_that_nobody_knows(tmp_path: Path):
    raw = named("A^B", msh_18="FOO")
    refused(pass_through(tmp_path, raw), raw, ("CR", "103", "MSH^1^18"))


def test_c7_first_of_several_character_sets_is_read(tmp_path: Path):
    raw = named("赵试^九〇", msh_18="UNICODE UTF-8~GB 18030-2000")
    outcome = pass_through(tmp_path, raw)
    accepted(outcome, raw)
    assert family(outcome) == "赵试"


@pytest.mark.parametrize(
    "changed",
    [{"msh_18": "UNICODE UTF-8~ISO IR87"}, {"msh_18": "UNICODE UTF-8||ISO 2022-1994"}],
    ids=["MSH-18", "MSH-20"],
)
@pytest.mark.parametrize("switch", ["\\C2842\\", "\\M2442\\", "\\M244242\\"])
def test_c7_switching_of_character_sets_is_refused(tmp_path: Path, changed: dict[str, str], switch: str):
    raw = observed(f"a{switch}b", **changed)
    refused(pass_through(tmp_path, raw), raw, ("CE", "102", "OBX^1^5"))


def test_c7_escape_sequence_of_iso_2022_is_refused(tmp_path: Path):
    raw = observed("a\x1b$Bb", msh_18="UNICODE UTF-8~ISO IR87")
    refused(pass_through(tmp_path, raw), raw, ("CE", "102", "OBX^1^5"))


def test_c8_byte_order_mark_is_dropped_and_kept_with_the_bytes(tmp_path: Path):
    raw = b"\xef\xbb\xbf" + named("赵试^九〇")
    outcome = pass_through(tmp_path, raw)
    accepted(outcome, raw)
    assert family(outcome) == "赵试"
    told = [issue for issue in convert(raw, catalog=catalog()).issues if issue.kind == "byte-order-mark"]
    assert [(issue.severity, issue.path) for issue in told] == [("information", "MSH")]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_c9_utf16_and_utf32_are_refused(tmp_path: Path, encoding: str):
    raw = named("A^B").decode().encode(encoding)
    refused(pass_through(tmp_path, raw), raw, ("AR", "102", "MSH^1^18"))


@pytest.mark.parametrize("sent", ["UNICODE UTF-16", "UNICODE UTF-32"])
def test_c9_declared_utf16_and_utf32_are_refused(tmp_path: Path, sent: str):
    raw = named("A^B", msh_18=sent)
    refused(pass_through(tmp_path, raw), raw, ("CR", "102", "MSH^1^18"))


@pytest.mark.parametrize("byte", "|^~\\")
def test_c10_second_byte_of_a_character_may_be_a_delimiter(tmp_path: Path, byte: str):
    every = [chr(code) for code in range(0x4E00, 0x9FA6) if chr(code).encode("gb18030")[1:] == byte.encode()]
    name = "".join(every)
    assert len(name) > 100
    raw = jinhua(name)
    outcome = pass_through(tmp_path, raw)
    assert (outcome.message["state"], outcome.message["raw"]) == ("mapped", raw)
    assert family(outcome) == name
    assert b"\x83\x7c" in raw or byte != "|"  # U+5104


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8"])
def test_c11_rare_characters_of_four_bytes_reach_fhir(tmp_path: Path, encoding: str):
    rare = "\U00020bb7\u3514\U0002a6d6\u9fa6\u4dae"
    charset = {"gb18030": "GB 18030-2000", "utf-8": "UNICODE UTF-8"}[encoding]
    raw = named(f"{rare}^试", msh_18=charset).decode().encode(encoding)
    outcome = pass_through(tmp_path, raw)
    assert (outcome.message["state"], outcome.message["raw"]) == ("mapped", raw)
    assert family(outcome) == rare


@pytest.mark.parametrize(
    "bad", [b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80", b"\xfe"], ids=bytes.hex
)
def test_c12_utf8_that_is_none_is_refused_in_hex(tmp_path: Path, bad: bytes):
    raw = named("NAME^X").replace(b"NAME", bad)
    outcome = pass_through(tmp_path, raw)
    refused(outcome, raw, ("CE", "102", "PID^1^5"))
    assert f"byte {raw.index(bad)}: {bad[:1].hex()}" in outcome.message["cause"]


@pytest.mark.parametrize("sign", [0x00, 0x01, 0x07, 0x08, 0x0B, 0x0C, 0x1A, 0x1B, 0x1C, 0x1F])
def test_c13_control_character_is_refused(tmp_path: Path, sign: int):
    raw = observed(f"a{chr(sign)}b")
    outcome = pass_through(tmp_path, raw)
    refused(outcome, raw, ("CE", "102", "OBX^1^5"))
    assert f"{sign:02X} (hex)" in outcome.message["cause"]


def test_c13_tab_is_text(tmp_path: Path):
    raw = observed("a\tb")
    outcome = pass_through(tmp_path, raw)
    accepted(outcome, raw)
    assert value_of(outcome) == "a\tb"


def test_c13_site_whose_controls_are_stripped_is_accepted_and_warned_of(tmp_path: Path):
    raw = observed("a\x00\x1bb")
    outcome = pass_through(tmp_path, raw, mappings=agreed(tmp_path, "fahzu", controls="strip"))
    assert outcome.told()[0] == "CA"
    assert (outcome.message["state"], outcome.message["raw"]) == ("mapped", raw)
    assert value_of(outcome) == "ab"
    assert ("MSH", "controls-stripped") in outcome.kinds


def test_c14_deceiving_characters_are_kept_and_can_be_shown(tmp_path: Path):
    name = "试\u202e\u200bA\u0410e\u0301"
    raw = named(f"{name}^X")
    outcome = pass_through(tmp_path, raw)
    accepted(outcome, raw)
    assert family(outcome) == name
    assert visible(name) == "试<U+202E><U+200B>A\u0410e\u0301"


@pytest.mark.parametrize(("sent", "number"), [("０．\uff17０", "0.70"), ("\uff11\uff12", "12"), ("＜５", "5")])
def test_c15_full_width_number_is_read_and_kept_as_sent(tmp_path: Path, sent: str, number: str):
    raw = message(header(), PID, OBR, OBX.replace("0.70", sent))
    outcome = pass_through(tmp_path, raw)
    accepted(outcome, raw)
    quantity = outcome.only("Observation")["valueQuantity"]
    assert str(quantity["value"]) == number
    assert quantity["extension"][0]["valueString"].startswith(sent)
    found = {(one["path"], one["kind"]): one["text"] for one in outcome.findings}
    assert ("OBX-5", "number-spelling") in found
    (issue,) = [one for one in convert(raw, catalog=catalog()).issues if one.kind == "number-spelling"]
    assert (issue.severity, issue.code, issue.path) == ("warning", "102", "OBX-5")


def test_c16_escaped_delimiters_are_read_once_and_escaped_again_on_output(tmp_path: Path):
    raw = observed("a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\S\\E\\")
    outcome = pass_through(tmp_path, raw)
    accepted(outcome, raw)
    assert value_of(outcome) == "a|b^c&d~e\\S\\"
    read = parse(raw)
    assert escape(value_of(outcome), read.delimiters) == "a\\F\\b\\S\\c\\T\\d\\R\\e\\E\\S\\E\\"
    assert print_message(read) == raw


def test_c17_delimiters_in_hex_are_data(tmp_path: Path):
    raw = observed("one\\X0D\\OBX\\X7C\\2\\X7C7E\\three\\X5E\\four")
    outcome = pass_through(tmp_path, raw)
    accepted(outcome, raw)
    assert value_of(outcome) == "one\rOBX|2|~three^four"


def test_c17_hex_is_read_in_the_character_set_of_the_message(tmp_path: Path):
    msh = header(msh_18="GB 18030-2000")
    raw = message(msh, PID, OBR, "OBX|1|ST|X^X^99ZJULIS||\\XC3A9\\和|", encoding="gb18030")
    outcome = pass_through(tmp_path, raw)
    assert outcome.message["state"] == "mapped"
    assert value_of(outcome) == "茅和"


@pytest.mark.parametrize("sent", ["a\\XFF\\b", "a\\XD5C5\\b", "a\\X4\\b", "a\\X414\\b", "a\\XZZ\\b", "a\\X\\b"])
def test_c18_hex_that_is_no_text_is_kept_as_sent_and_warned_of(tmp_path: Path, sent: str):
    raw = observed(sent)
    outcome = pass_through(tmp_path, raw)
    accepted(outcome, raw)
    assert value_of(outcome) == sent
    _warned_of_escape(outcome, raw)


@pytest.mark.parametrize("sent", ["a\\C2842\\b", "a\\M2442\\b", "a\\Z01\\b", "a\\Zxx\\b", "a\\F", "a\\Fb", "C:\\x"])
def test_c19_escape_that_is_not_understood_is_kept_as_sent_and_warned_of(tmp_path: Path, sent: str):
    raw = observed(sent)
    outcome = pass_through(tmp_path, raw)
    accepted(outcome, raw)
    assert value_of(outcome) == sent
    _warned_of_escape(outcome, raw)


def _warned_of_escape(outcome: Outcome, raw: bytes) -> None:
    assert ("OBX-5", "escape-kept") in outcome.kinds
    (issue,) = [one for one in convert(raw, catalog=catalog()).issues if one.kind == "escape-kept"]
    assert (issue.severity, issue.code, issue.path) == ("warning", "102", "OBX-5")


@pytest.mark.parametrize("kind", ["FT", "TX"])
def test_c20_formatting_becomes_lines_of_text_and_never_markup(tmp_path: Path, kind: str):
    raw = observed("\\H\\one\\N\\\\.br\\two\\.sp3\\three <b>bold</b>~four", kind)
    outcome = pass_through(tmp_path, raw)
    accepted(outcome, raw)
    assert value_of(outcome) == "one\ntwo\n\n\nthree <b>bold</b>\nfour"
    assert "text" not in outcome.only("Observation")  # no narrative, which would be markup
    assert ("OBX-5", "escape-kept") not in outcome.kinds


ADMISSION = "PV1|1|I|HEM3^0302^01^FAHZU||||||||HEM|||||||||V000000001^^^FAHZU&2.16.840.1.113883.3.9999.1.01.2&ISO^VN"


def _person(phone: str, number: int) -> bytes:
    msh = header(msh_7=f"2018010108000{number}+0800", msh_9="ADT^A08^ADT_A01", msh_10=f"A{number}")
    return message(msh, f"EVN||2018010108000{number}+0800", f"{PID}|||||{phone}", ADMISSION)


def test_c21_null_deletes_a_value_and_an_empty_field_leaves_it(tmp_path: Path):
    known = pass_through(tmp_path / "one", _person("057100000001", 1))
    assert known.only("Patient")["telecom"][0]["value"]
    left = pass_through(tmp_path / "two", _person("057100000001", 1), _person("", 2))
    assert left.only("Patient")["telecom"] == known.only("Patient")["telecom"]
    deleted = pass_through(tmp_path / "three", _person("057100000001", 1), _person("", 2), _person('""', 3))
    assert "telecom" not in deleted.only("Patient")
    assert {one["state"] for one in deleted.messages} == {"mapped"}
    said = [convert(_person(phone, 1), catalog=catalog()).resources[0].cleared for phone in ("", '""')]
    assert said == [(), ("telecom",)]


def test_c22_text_of_one_megabyte_is_taken(tmp_path: Path):
    raw = observed("x" * 1_000_000)
    outcome = pass_through(tmp_path, raw)
    accepted(outcome, raw)
    assert len(value_of(outcome)) == 1_000_000


def test_c22_text_above_one_megabyte_is_refused(tmp_path: Path):
    raw = observed("x" * 1_000_001)
    refused(pass_through(tmp_path, raw), raw, ("CE", "207", "OBX^1^5"))


TOO_MANY = {
    "C23 segments": (message(header(), PID, OBR, *["NTE|1"] * 1_000_000), "MSH^1", "20000 segments"),
    "C23 fields": (message(header(), PID, OBR, "OBX" + "|1" * 100_000), "OBX^1^500", "500 fields"),
    "C23 repetitions": (observed("~".join("1" * 10_000)), "OBX^1^5", "2000 repetitions"),
    "C23 subcomponents": (observed("&".join("1" * 1_000)), "OBX^1^5", "100 subcomponents"),
}


@pytest.mark.parametrize(("raw", "place", "limit"), list(TOO_MANY.values()), ids=list(TOO_MANY))
def test_c23_beyond_a_limit_of_structure(tmp_path: Path, raw: bytes, place: str, limit: str):
    with limited():
        outcome = pass_through(tmp_path, raw)
    refused(outcome, raw, ("CE", "207", place))
    assert limit in outcome.message["cause"]


@pytest.mark.parametrize("sign", ["^", "~", "&", "\\", "|", "^~", "\\X", "\\.br", "\\.sp", "{<", "<"])
@pytest.mark.parametrize("kind", ["ST", "NM", "SN", "CE", "FT", "ED"])
def test_c24_bait_for_slow_patterns_is_answered_soon(tmp_path: Path, sign: str, kind: str):
    raw = observed(sign * (100_000 // len(sign)), kind)
    with limited():
        outcome = pass_through(tmp_path, raw)
    assert outcome.told()[0] in {"CA", "CE"}
    assert outcome.message["raw"] == raw
    assert outcome.message["state"] in {"mapped", "held", "rejected"}


def document(data: str, kind: str = "application^pdf", encoding: str = "Base64") -> bytes:
    """A result that is a document."""
    return observed(f"LIS^{kind}^{encoding}^{data}", "ED")


PDF = b"%PDF-1.4 synthetic \xff\x00" * 20


@pytest.mark.parametrize(
    "broken",
    [
        base64.b64encode(PDF).decode()[:-1],
        base64.b64encode(PDF).decode().replace("A", "*", 1),
        "QUJD=QUJD",
        "QUJDR",
        base64.urlsafe_b64encode(b"\xff\xfe\xfd" * 9).decode(),
        base64.b64encode(PDF).decode() + "^QUJD",
    ],
)
def test_c25_broken_base64_is_acknowledged_and_held(tmp_path: Path, broken: str):
    raw = message(header(), PID, OBR, OBX, document(broken).decode().split("\r")[3].replace("OBX|1", "OBX|2"))
    outcome = pass_through(tmp_path, raw)
    assert outcome.told() == ("CA", "", "")
    assert (outcome.message["state"], outcome.message["raw"]) == ("held", raw)
    assert outcome.message["cause_code"] == "H2F-3004"
    assert outcome.message["cause"].startswith("OBX[2]-5: 102, ")
    assert outcome.message["mender"] == "sending hospital"
    assert outcome.resources == {}


RTF = "{\\E\\rtf1\\E\\ansi synthetic}"
HTML = "<html><body onload='x()'>synthetic</body></html>"
IN_OBX_5 = {
    "C26 PDF in ED": (document(base64.b64encode(PDF).decode()), "application/pdf", PDF),
    "C26 PDF in lines": (
        document("\\.br\\".join([base64.b64encode(PDF).decode()[i : i + 76] for i in range(0, 616, 76)])),
        "application/pdf",
        PDF,
    ),
    "C26 PDF in AP": (document(base64.b64encode(PDF).decode(), "AP^PDF"), "application/pdf", PDF),
    "C26 PDF in hex": (document(PDF.hex(), encoding="Hex"), "application/pdf", PDF),
    "C26 PDF as a text": (observed(base64.b64encode(PDF).decode(), "TX"), "application/pdf", PDF),
    "C26 RTF in ED": (document(RTF, "AP^RTF", "A"), "application/rtf", b"{\\rtf1\\ansi synthetic}"),
    "C26 RTF as a text": (observed(RTF, "FT"), "application/rtf", b"{\\rtf1\\ansi synthetic}"),
    "C26 HTML in ED": (document(base64.b64encode(HTML.encode()).decode(), "TEXT^HTML"), "text/html", HTML.encode()),
    "C26 HTML as a text": (observed(HTML, "ST"), "text/html", HTML.encode()),
}


@pytest.mark.parametrize(("raw", "media", "content"), list(IN_OBX_5.values()), ids=list(IN_OBX_5))
def test_c26_document_in_obx_5_is_an_attachment_and_never_markup(
    tmp_path: Path, raw: bytes, media: str, content: bytes
):
    outcome = pass_through(tmp_path, raw)
    accepted(outcome, raw)
    (form,) = outcome.only("DiagnosticReport")["presentedForm"]
    assert (form["contentType"], form["size"], form["title"]) == (media, len(content), "Neutrophils")
    assert base64.b64decode(form["data"], validate=True) == content
    assert base64.b64decode(form["hash"]) == hashlib.sha1(content).digest()
    observation = outcome.only("Observation")
    assert not [name for name in observation if name.startswith("value") or name == "text"]
    assert [one for one in outcome.findings if one["path"].startswith("OBX")] == []


def test_c26_document_of_unknown_type_or_encoding_is_never_guessed(tmp_path: Path):
    unknown = pass_through(tmp_path / "type", document(base64.b64encode(PDF).decode(), "XX^YY"))
    (form,) = unknown.only("DiagnosticReport")["presentedForm"]
    assert form["contentType"] == "application/octet-stream"
    assert ("OBX-5", "document-type") in unknown.kinds
    strange = pass_through(tmp_path / "encoding", document("QUJD", encoding="UU"))
    assert "presentedForm" not in strange.only("DiagnosticReport")
    assert ("OBX-5", "not-converted") in strange.kinds


def test_c26_pointer_is_followed_only_where_it_is_a_url(tmp_path: Path):
    raw = observed("https://pacs.example.org/1^PACS^IM^DICOM", "RP")
    (form,) = pass_through(tmp_path / "url", raw).only("DiagnosticReport")["presentedForm"]
    assert form == {"contentType": "application/dicom", "url": "https://pacs.example.org/1", "title": "Neutrophils"}
    other = pass_through(tmp_path / "other", observed("javascript:x()^PACS^IM^DICOM", "RP"))
    assert "presentedForm" not in other.only("DiagnosticReport")
    assert ("OBX-5", "not-converted") in other.kinds
