"""A file that is to be imported: which are read, and what is said of all others."""

import pytest

from adapter.imports.table import read
from adapter.request_errors import UnreadableTable
from tests.import_stand import ALIVE, COLUMNS, DEAD, csv_of

WHOLE = csv_of(DEAD, ALIVE)


def refusal(content: bytes) -> str:
    with pytest.raises(UnreadableTable) as refused:
        read(content, COLUMNS)
    return refused.value.text


def test_rows_keep_their_bytes_and_the_number_that_a_spreadsheet_shows():
    table = read(WHOLE, COLUMNS)
    assert [row.number for row in table.rows] == [2, 3]
    assert [table.header, *(row.raw for row in table.rows)] == WHOLE.splitlines()


def test_byte_order_mark_crlf_and_blank_rows_are_read():
    content = b"\xef\xbb\xbf" + csv_of(DEAD, end="\r\n") + b"\r\n,,\r\n" + csv_of(ALIVE).splitlines()[1]
    assert [(row.number, row.cells[0]) for row in read(content, COLUMNS).rows] == [(2, "HC-901"), (5, "HC-902")]


def test_quoted_cell_over_two_lines_is_one_row_with_all_its_bytes():
    content = csv_of({**DEAD, "regimen": '"IA\nthen, 3+7"'}, ALIVE)
    first, second = read(content, COLUMNS).rows
    assert first.cells[COLUMNS.index("regimen")] == "IA\nthen, 3+7"
    assert first.raw == content.split(b"\n", 1)[1].split(b"\nHC-902")[0]
    assert second.number == 3


def test_columns_may_stand_in_another_order():
    header, row = WHOLE.splitlines()[:2]
    turned = b"\n".join(b",".join(reversed(line.split(b","))) for line in (header, row))
    table = read(turned, COLUMNS)
    assert dict(zip(table.columns, table.rows[0].cells, strict=True)) == DEAD


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "the file is empty"),
        (b"\xef\xbb\xbf\r\n\r\n", "the file is empty"),
        (WHOLE.decode().encode("utf-16"), "UTF-16; save the file as CSV UTF-8"),
        (b"PK\x03\x04rest of a workbook", "a workbook"),
        (csv_of({**DEAD, "regimen": "方案"}).decode().encode("gb18030"), "line 2 are GB 18030"),
        (csv_of(DEAD) + b"\xff\xff\n", "line 3 are no UTF-8"),
        (WHOLE.replace(b",", b";"), "its cells are separated by ';'"),
        (b"MSH|^~\\&|LIS|FAHZU\r", "separated by '|'"),
        (b"some words\n", "no table with commas"),
        (csv_of(DEAD)[:-1] + b"\0\n", "NUL"),
        (WHOLE.replace(b"IA,", b'"IA,', 1), "row 2 is no CSV"),
        (csv_of({**DEAD, "regimen": "x" * 9000}), "longer than 8192"),
        (WHOLE.replace(b",data_cutoff", b""), "there is no column 'data_cutoff'"),
        (WHOLE.replace(b"death_date", b"deathdate", 1), "'deathdate' is not known; did you mean death_date?"),
        (WHOLE.replace(b"os_event", b"os_days", 1), "'os_days' stands twice"),
    ],
)
def test_what_is_no_such_table_is_refused_with_the_reason(content: bytes, text: str):
    assert text in refusal(content)


def test_refusal_tells_no_value_of_a_row():
    without_header = csv_of(DEAD).splitlines()[1]
    told = refusal(csv_of(DEAD) + b"\xff") + refusal(WHOLE.replace(b"IA,", b'"IA,', 1)) + refusal(without_header)
    assert "HC-901" not in told
    assert "1948" not in told
