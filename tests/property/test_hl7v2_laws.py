"""What holds for any message: nothing but refusals, the same bytes when printed, spans that lead to the bytes."""

from datetime import UTC, datetime

from hypothesis import example, given
from hypothesis import strategies as st

from adapter.errors import Refusal
from adapter.hl7v2 import grammar
from adapter.hl7v2.ack import acknowledge
from adapter.hl7v2.batch import messages
from adapter.hl7v2.grammar import Group
from adapter.hl7v2.message import Delimiters, escape, split_field, unescape
from adapter.hl7v2.parse import byte_span, header, parse, print_message
from adapter.hl7v2.recogniser import Element

NOW = datetime(2024, 1, 2, tzinfo=UTC)
CHARACTERS = st.characters(codec="gb18030", exclude_categories=["Cc", "Cs"])
STANDARD = Delimiters("|", "^", "~", "\\", "&", None)
DELIMITERS = st.sampled_from(
    [STANDARD, STANDARD._replace(truncation="#"), Delimiters("$", "%", "*", "@", "!", None), Delimiters(*"[]{}()")]
)
NAMES = st.sampled_from(["PID", "PV1", "OBR", "OBX", "NTE", "ORC", "ZTI", "XYZ"])
FIELDS = st.lists(st.text(CHARACTERS, max_size=12), max_size=8)
SEGMENTS = st.lists(st.tuples(NAMES, FIELDS), max_size=8)
ENDS = st.sampled_from(["\r", "\n", "\r\n", "\r\r", "\r\n\r\n"])
ENCODINGS = st.sampled_from([("UNICODE UTF-8", "utf-8"), ("GB 18030-2000", "gb18030")])


@st.composite
def written(draw: st.DrawFn) -> bytes:
    """A message in some delimiters, line ends and characters; its fields hold anything, also delimiters."""
    d = draw(DELIMITERS)
    charset, encoding = draw(ENCODINGS)
    signs = d.component + d.repetition + d.escape + d.subcomponent + (d.truncation or "")
    head = ["MSH", signs, *draw(st.lists(st.sampled_from(["", "A", "09"]), min_size=15, max_size=15)), charset]
    lines = [d.field.join(head), *(d.field.join([name, *fields]) for name, fields in draw(SEGMENTS))]
    return draw(ENDS).join([*lines, ""]).encode(encoding)


@given(written())
def test_parse_then_print_gives_the_same_bytes(raw: bytes):
    assert print_message(parse(raw)) == raw


@given(written())
def test_the_span_of_a_field_holds_its_raw_text(raw: bytes):
    message = parse(raw)
    for segment in message.segments:
        for number, text in enumerate(segment.fields):
            start, end = byte_span(message, segment.position, number)
            assert raw[start:end].decode(message.encoding) == text


@given(written())
def test_a_segment_that_is_printed_again_is_the_same_segment(raw: bytes):
    message = parse(raw)
    assert parse(print_message(message)) == message


@given(
    st.binary()
    | st.binary().map(lambda tail: b"MSH|^~\\&|" + tail)
    | written().flatmap(
        lambda raw: st.tuples(st.integers(0, len(raw)), st.binary(max_size=3)).map(
            lambda cut: raw[: cut[0]] + cut[1] + raw[cut[0] + 1 :]
        )
    )
)
@example(b"MSH|^~\\&|" + b"|" * 600)
@example(b"MSH|^~\\&\r|")
def test_any_bytes_are_a_message_or_a_refusal(raw: bytes):
    refusals: list[Refusal] = []
    for read in (parse, header):
        try:
            read(raw)
        except Refusal as refusal:
            refusals.append(refusal)
    assert all(refusal.at for refusal in refusals)


@given(written().flatmap(lambda raw: st.integers(0, len(raw)).map(lambda end: raw[:end])), st.text(max_size=20))
def test_whatever_has_a_header_can_be_acknowledged(raw: bytes, text: str):
    try:
        head = header(raw)
    except Refusal:
        return
    answer = acknowledge(head, code="AE", control_id="1", now=NOW, text=text)
    separator = head.delimiters.field.encode()
    assert header(answer).delimiters == head.delimiters
    assert [line.split(separator)[0] for line in answer.split(b"\r")] == [b"MSH", b"MSA", b""]


@given(st.text(), DELIMITERS)
def test_escapes_round_trip(text: str, delimiters: Delimiters):
    written_text = escape(text, delimiters)

    assert unescape(written_text, delimiters) == text
    assert split_field(written_text, delimiters) == ((((text),),),) or not text


@given(st.text(st.sampled_from("\\FSTREXHN.brsp019AF|^~& "), max_size=30))
def test_unescaping_never_fails_and_never_splits(text: str):
    assert len(split_field(text, STANDARD)) == (text.count("~") + 1 if text else 0)


@given(st.lists(written(), max_size=5))
def test_a_file_of_frames_gives_back_what_was_framed(payloads: list[bytes]):
    data = b"".join(b"\x0b" + payload + b"\x1c\r" for payload in payloads)

    assert list(messages(data)) == payloads


@given(
    st.lists(written().map(lambda raw: raw.rstrip(b"\r\n") + b"\r"), max_size=5),
    st.sampled_from([b"", b"\r", b"\r\n\r\n"]),
)
def test_a_file_of_messages_gives_back_each(parts: list[bytes], blank: bytes):
    assert list(messages(blank.join(parts))) == parts


@given(
    st.sampled_from(["ORU_R01", "ADT_A01", "CSU_C09", "OUL_R22", "PEX_P07", "RDE_O11", "CRM_C01"]),
    st.sampled_from(["2.3.1", "2.4", "2.5.1", "2.6"]),
    st.lists(st.sampled_from("MSH PID PV1 OBR OBX NTE ORC SPM CTI CSR CSP CSS RXA RXR TQ1 PES ZTI XYZ".split())),
)
def test_every_segment_has_one_place_whatever_the_order(structure: str, version: str, names: list[str]):
    def indices(group: Group) -> list[int]:
        return [i for child in group.children for i in ([child] if isinstance(child, int) else indices(child))]

    shape = grammar.shape(structure, version, tuple(names))

    assert sorted(indices(shape.root)) == list(range(len(names)))
    assert all(0 <= problem.index <= len(names) for problem in shape.problems)


@st.composite
def grammatical(draw: st.DrawFn) -> tuple[str, str, tuple[str, ...]]:
    """A structure, a version, and segment names that the structure allows."""
    version = draw(st.sampled_from(grammar.versions()))
    structure = draw(st.sampled_from(sorted(grammar._messages(version))))
    root = grammar._root(structure, version)
    assert root

    def derive(element: Element) -> list[str]:
        if not element.children:
            return [element.name]
        if element.choice:
            return derive(draw(st.sampled_from(element.children)))
        return [name for child in element.children for _ in range(times(child)) for name in derive(child)]

    def times(element: Element) -> int:
        return draw(
            st.integers(element.required, 2 if element.repeats else 1)
            if draw(often)
            else st.just(int(element.required))
        )

    often = st.integers(0, 3).map(lambda number: number == 0)
    return structure, version, tuple(derive(root))


@given(grammatical())
def test_what_the_grammar_allows_has_no_problem(case: tuple[str, str, tuple[str, ...]]):
    structure, version, names = case

    assert grammar.shape(structure, version, names).problems == ()
