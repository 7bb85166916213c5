"""What holds for any bytes: convert raises refusals only, answers twice the same, makes valid R4 and loses nothing."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from adapter.convert import Converted, convert
from adapter.errors import AdapterError
from adapter.fhir import json, r4
from adapter.hl7v2.parse import header
from adapter.mapper.codes import CodeTable
from adapter.mapper.datatypes import CONVERTERS
from adapter.mapper.plan import Entry
from adapter.mapper.sites import Site
from tests import mappings
from tests.fuzz.laws import limited

CATALOG = mappings.catalog()
CASES = sorted((Path(__file__).parents[1] / "cases").glob("*/*/message.hl7"))
IDS = [f"{case.parent.parent.name}/{case.parent.name}" for case in CASES]

MADE_HERE = ("Patient", "Encounter", "Observation", "Specimen", "DiagnosticReport", "MedicationAdministration")
MARKS = '|""|^|~|&|^^^^^^^^|~~~|\\|\\X\\|\\XFF\\|\\F\\|^\\S\\&~|-|<|<>5|\'"<&>|{}|LN|HL70085'.split("|")
NUMBERS = "0|-1|1e999|NaN|０．５|20240230|2024|00000000|99991231235959.9999+1400".split("|")
ODD = [
    *(text.encode() for text in (*MARKS, *NUMBERS)),
    "男".encode("gb18030"),
    b"\xff\xfe",
    b"\x00",
    b"1" * 400,
    b" " * 50,
]
FIELD = st.one_of(st.sampled_from(ODD), st.binary(max_size=12), st.text(max_size=12).map(str.encode))


def site_of(raw: bytes) -> Site:
    head = header(raw)
    return CATALOG.sites.find(head.sending_application, head.sending_facility) or CATALOG.standard


def converted(raw: bytes) -> Converted:
    return convert(raw, catalog=CATALOG, site=site_of(raw))


def accepted(raw: bytes) -> Converted:
    """What the message becomes; a refused one is no example."""
    try:
        return converted(raw)
    except AdapterError:
        reject()


@st.composite
def edited(draw: st.DrawFn) -> bytes:
    """A golden message whose segments are cut, swapped or doubled, and whose fields hold odd things."""
    lines = draw(st.sampled_from(CASES)).read_bytes().replace(b"\n", b"\r").rstrip(b"\r").split(b"\r")
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(1, max(1, len(lines) - 1)))
        to = draw(st.integers(1, max(1, len(lines) - 1)))
        how = draw(st.sampled_from(["field", "field", "field", "drop", "double", "swap"]))
        if len(lines) < 2:
            break
        if how == "field":
            fields = lines[at].split(b"|")
            number = draw(st.integers(1, len(fields) + 2))
            fields += [b""] * (number + 1 - len(fields))
            fields[number] = draw(FIELD)
            lines[at] = b"|".join(fields)
        elif how == "drop":
            del lines[at]
        elif how == "double":
            lines.insert(to, lines[at])
        else:
            lines[at], lines[to] = lines[to], lines[at]
    return b"\r".join(lines) + b"\r"


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """Bytes of a golden message cut and overwritten anywhere, MSH included."""
    raw = draw(st.one_of(st.sampled_from(CASES).map(Path.read_bytes), edited()))
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(raw)))
        end = min(len(raw), start + draw(st.integers(0, 60)))
        raw = raw[:start] + draw(st.binary(max_size=20)) + raw[end:]
    return raw


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(found := value.get("reference"), str):
            yield found
        for one in value.values():
            yield from references(one)
    elif isinstance(value, list):
        for one in value:
            yield from references(one)


@given(st.one_of(st.binary(max_size=400), spoilt(), edited()))
def test_nothing_but_the_error_tree_is_raised_and_soon(raw: bytes) -> None:
    with limited(), contextlib.suppress(AdapterError):
        made = converted(raw)
        made.ledger.unmapped()
        list(made.ledger.lineage())


@given(edited())
def test_twice_gives_the_same(raw: bytes) -> None:
    one, other = accepted(raw), converted(raw)
    assert one.resources == other.resources
    assert one.issues == other.issues
    assert one.ledger.unmapped() == other.ledger.unmapped()
    assert list(one.ledger.lineage()) == list(other.ledger.lineage())


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(edited())
def test_every_resource_is_valid_r4_and_refers_to_what_exists(raw: bytes) -> None:
    made = accepted(raw)
    ids = {f"{mapped.resource['resourceType']}/{mapped.resource['id']}" for mapped in made.resources}
    for mapped in made.resources:
        assert r4.validate(json.loads(json.dumps(mapped.resource))) == []
        local = {one for one in references(mapped.resource) if one.partition("/")[0] in MADE_HERE}
        assert local <= ids


@given(edited())
def test_what_is_not_made_has_an_issue_that_says_where(raw: bytes) -> None:
    made = accepted(raw)
    left_out = len([entry for entry in made.ledger.plan.entries if not _unwanted(made, entry)]) - len(
        made.ledger.used()
    )
    told = [issue for issue in made.issues if issue.kind in {"incomplete", "no-number", "left-out"}]
    assert len(told) == left_out
    assert all(issue.path[:3].isalnum() and issue.text for issue in made.issues)


def _unwanted(made: Converted, entry: Entry) -> bool:
    """Whether none of the paths that `when:` names is valued, or the segment is none of those that `only:` means."""
    segment = made.ledger.segments[entry.index]
    segment_map = entry.compiled.map
    when, only = segment_map.when, segment_map.only
    if only and "/".join(segment.text(str(path)) for path in only.paths) not in _table(made, only.table):
        return True
    return bool(when) and not any(segment.text(str(path)) for path in when if path.segment == segment.name)


def _table(made: Converted, name: str) -> CodeTable:
    return CATALOG.site_maps[made.site].site.table(name)


@given(edited())
def test_every_span_of_the_lineage_holds_its_field(raw: bytes) -> None:
    made = accepted(raw)
    message = made.ledger.message
    for line in made.ledger.lineage():
        number = int(line.path.partition("-")[2].partition(".")[0] or 0)
        start, end = line.span
        assert 0 <= start <= end <= len(raw)
        if number:
            assert raw[start:end].decode(message.encoding) == message.segments[line.position].raw(number)


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_every_populated_field_is_accounted_for(case: Path) -> None:
    """Walk the bytes by hand: a field leads to an element, is listed as unread, or a map says why it does not."""
    raw = case.read_bytes()
    made = converted(raw)
    unread = {(one.position, one.field) for one in made.ledger.unmapped() if not one.component}
    used = {(line.position, int(line.path.partition("-")[2].partition(".")[0])) for line in made.ledger.lineage()}
    doubted = {issue.path.partition("[")[0][:3] + "-" + issue.path.partition("-")[2] for issue in made.issues}
    excused, read = _maps_of(made)
    left_out = _left_out(made)
    assert not used & unread
    for position, name, number, value in _fields(raw, made.ledger.message.encoding):
        path, place = f"{name}-{number}", (position, number)
        if (name, number) not in excused | read:
            assert place in unread, f"no map reads {path}, and it is not listed"
        elif place not in used | unread and (name, number) not in excused and position not in left_out:
            assert value == '""' or path in doubted, f"{path} is read, leads nowhere, and nobody says so"


def _left_out(made: Converted) -> set[int]:
    """The segments of which an issue says that they are left out, by their position."""
    told = {issue.path for issue in made.issues if issue.kind == "left-out"}
    return {
        segment.position
        for segment, label in zip(made.ledger.segments, made.ledger.plan.labels, strict=True)
        if label in told
    }


def _fields(raw: bytes, encoding: str) -> Iterator[tuple[int, str, int, str]]:
    text = raw.decode(encoding).lstrip("\ufeff").replace("\n", "\r")
    separator = text[3]
    for position, line in enumerate(one for one in text.split("\r") if one):
        name, *fields = line.split(separator)
        for number, value in enumerate(fields, 2 if name == "MSH" else 1):
            if value:
                yield position, name, number, value


def _maps_of(made: Converted) -> tuple[set[tuple[str, int]], set[tuple[str, int]]]:
    """What the rules of this structure and site name: fields that may lead to nothing for a reason, and the others.

    The reasons: ignored on purpose, a code that says nothing, one of several paths to an identity or a time, one of
    several sources of a value, silent because another field is valued.
    """
    maps = CATALOG.site_maps[made.site]
    message = made.ledger.message
    message_map = CATALOG.messages[f"{message.type}^{message.event}"]
    excused = {(segment, number) for segment, fields in maps.left_out(message_map).items() for number in fields}
    read: set[tuple[str, int]] = set()
    for part in message_map.parts:
        segment_map = maps.compiled[part.map].map
        paths = [*segment_map.order, *segment_map.when, *segment_map.ignored]
        paths += [path for alternatives in segment_map.identity.paths for path in alternatives]
        for rule in segment_map.rules:
            groups = [path for path in rule.sources if not path.field]
            excused |= {
                (path.segment, number)
                for path in groups
                for number in CONVERTERS[rule.converter].fields_of(path.segment)
            }
            # a code that says nothing has its row in the table, with the reason
            silent = any(not row.targets for row in maps.site.table(rule.codes).values())
            if rule.unless or rule.refer or silent or len(rule.sources) > 1:
                paths += [*rule.sources, *([rule.unless] if rule.unless else [])]
            else:
                read |= {(path.segment, path.field) for path in rule.sources if path.field}
        excused |= {(path.segment, path.field) for path in paths}
    return excused, read


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_ids_do_not_depend_on_segments_that_say_nothing_of_them(case: Path) -> None:
    """A Z segment between any two others moves nothing; no more does the order of results inside their order."""
    raw = case.read_bytes()
    before = _by_id(converted(raw))
    end = b"\n" if b"\r" not in raw else b"\r"
    head, separator = raw.lstrip(b"\xef\xbb\xbf")[3:4], end
    lines = raw.rstrip(end).split(end)
    for at in range(1, len(lines) + 1):
        extra = separator.join([*lines[:at], head.join([b"ZZZ", b"1", b"TEST"]), *lines[at:]]) + separator
        assert _by_id(converted(extra)) == before


# The same code and sub-id twice is told apart by its place, on purpose.
REPORTS = [case for case in CASES if case.parent.parent.name in {"ORU_R01", "OUL_R22"}]
BY_CODE = [case for case in REPORTS if case.parent.name != "same-code-and-sub-id-twice"]


@pytest.mark.parametrize("case", BY_CODE)
def test_ids_do_not_depend_on_the_order_of_results(case: Path) -> None:
    raw = case.read_bytes()
    end = b"\n" if b"\r" not in raw else b"\r"
    lines = raw.rstrip(end).split(end)
    runs: list[list[bytes]] = []
    for line in lines:
        if line.startswith(b"OBX") and runs and runs[-1][0].startswith(b"OBX"):
            runs[-1].append(line)
        else:
            runs.append([line])
    turned = end.join(line for run in runs for line in reversed(run)) + end
    assert _by_id(converted(turned)).keys() == _by_id(converted(raw)).keys()


def _by_id(made: Converted) -> dict[str, Any]:
    return {f"{one.resource['resourceType']}/{one.resource['id']}": one.resource for one in made.resources}
