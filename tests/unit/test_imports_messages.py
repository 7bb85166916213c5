"""Rows as messages: what is sent first, what is sent when a row was changed."""

from base64 import b64decode
from pathlib import Path

import pytest

from adapter.errors import MappingError
from adapter.hl7v2.parse import parse
from adapter.imports import messages
from adapter.imports.sheet import load_sheets
from tests.import_stand import CONTROLS, DEAD, checked, csv_of

TIME = "20260131080000.0000+0000"
ANSWERS = {
    "AGE-ENROLMENT", "REGIMEN", "RESP-IWG2003", "VITAL-STATUS", "DEATH-DATE", "LAST-CONTACT", "RECOV-ANC", "RECOV-PLT",
    "DATA-CUTOFF", "SOURCE-ROW",
}  # fmt: skip

GONE = {"vital_status": "lost to follow-up", "death_date": "", "os_event": "0"}


def drafts(**cells: str) -> list[messages.Draft]:
    content = csv_of({**DEAD, **cells})
    (row,) = checked(content).accepted
    return messages.drafts(CONTROLS, row, header=content.splitlines()[0])


def registration(draft: messages.Draft) -> bytes:
    return messages.write(CONTROLS, draft, time=TIME)


def answers(raw: bytes) -> dict[str, tuple[str, str]]:
    """OBX-5 and OBX-11 by question."""
    return {obx.text("OBX-3.1"): (obx.text("OBX-5.1"), obx.text("OBX-11")) for obx in parse(raw).all("OBX")}


def later(before: bytes, cells: dict[str, str], *, number: int = 1) -> bytes:
    lines = parse(before).source.split("\r")
    return messages.write(CONTROLS, drafts(**cells)[1], time=TIME, before=lines, number=number)


def test_row_becomes_a_registration_and_its_answers():
    first, second = (parse(registration(draft)) for draft in drafts())
    assert [f"{one.type}^{one.event}" for one in (first, second)] == ["CRM^C01", "CSU^C10"]
    assert [first.text(path) for path in ("PID-7", "CSR-4.1", "CSR-6", "CSR-12.1", "CSR-13.1")] == [
        "19480115", "HC-901", "20100830", "HIST-IA", "POOR",
    ]  # fmt: skip
    assert set(answers(registration(drafts()[1]))) == ANSWERS


def test_answer_that_is_not_known_is_not_sent():
    raw = registration(drafts(response="", anc_recovery_days="")[1])
    assert set(answers(raw)) == ANSWERS - {"RESP-IWG2003", "RECOV-ANC"}
    assert [obx.text("OBX-1") for obx in parse(raw).all("OBX")] == [str(number) for number in range(1, 9)]


def test_row_is_kept_in_its_message_byte_for_byte():
    (obx,) = [one for one in parse(registration(drafts()[1])).all("OBX") if one.text("OBX-3.1") == "SOURCE-ROW"]
    assert b64decode(obx.text("OBX-5.5")) + b"\n" == csv_of(DEAD)


def test_delimiters_in_a_cell_are_data():
    assert answers(registration(drafts(regimen="IA|3^7&{x}")[1]))["REGIMEN"] == ("IA|3^7&{x}", "F")


def test_same_row_is_known_by_its_control_id_and_a_changed_one_is_not():
    for one, same, other in zip(drafts(), drafts(), drafts(sex="F"), strict=True):
        control_id = parse(registration(one)).control_id
        assert len(control_id) <= 20
        assert same.known_as(control_id)
        assert not other.known_as(control_id)
        assert messages.name_of(control_id) == other.name


def test_changed_row_corrects_what_is_different_and_takes_back_what_it_says_no_more():
    first = registration(drafts()[1])
    raw = later(first, GONE)
    assert parse(raw).event == "C12"
    told = answers(raw)
    assert told["VITAL-STATUS"] == ("L", "C")
    assert told["DEATH-DATE"] == ("20110212", "D")
    assert {told[name][1] for name in ANSWERS - {"VITAL-STATUS", "DEATH-DATE", "SOURCE-ROW"}} == {"F"}


def test_what_was_taken_back_stays_so_until_the_row_says_it_again():
    third = later(later(registration(drafts()[1]), GONE), {**GONE, "regimen": "other"}, number=2)
    assert answers(third)["DEATH-DATE"] == ("20110212", "D")
    assert answers(later(third, {}, number=3))["DEATH-DATE"] == ("20110212", "C")


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ("kind: date", "kind: day", "kind: is one of"),
        ("{kind: key, matches", "{kind: text, matches", "matches: to the kind key"),
        ("{death_date}", "{date_of_death}", "there is no column 'date_of_death'"),
        ("rules: historical-control", "rules: none", "rules: known are historical-control"),
        ("{kind: whole, most: 120}", "{kind: whole}", "most: belongs to"),
        ("{kind: whole, most: 36525, sent: ", "{kind: whole, most: 36525, mapped: ", "unknown key 'mapped'"),
        ("|{time}|", "|{birth_date}|", "header: names no columns"),
        ('"HC-[0-9]{2,6}"', '"HC-["', "matches:"),
        ("site: CONTROLS\n", "", "site: is missing"),
        ("    again: CRM^C03^CRM_C01\n", "", "again: is missing"),
    ],
)
def test_mistake_in_a_sheet_is_told_with_file_and_line(tmp_path: Path, before: str, after: str, text: str):
    (tmp_path / "imports").mkdir()
    good = (Path("mappings/imports/controls.yaml")).read_text(encoding="utf-8")
    assert before in good
    (tmp_path / "imports/controls.yaml").write_text(good.replace(before, after), encoding="utf-8")
    with pytest.raises(MappingError, match=r"controls\.yaml:\d+: ") as mistake:
        load_sheets(tmp_path)
    assert text in mistake.value.text


def test_column_that_is_neither_sent_nor_left_out_with_a_reason_is_a_mistake(tmp_path: Path):
    (tmp_path / "imports").mkdir()
    good = (Path("mappings/imports/controls.yaml")).read_text(encoding="utf-8")
    more = good.replace("columns:\n", "columns:\n  weight: {kind: decimal, most: 300}\n", 1)
    (tmp_path / "imports/controls.yaml").write_text(more, encoding="utf-8")
    with pytest.raises(MappingError, match="weight is in no line"):
        load_sheets(tmp_path)
