"""Every row of the fault catalogue that is about taking messages, and about who is who, has a test that bears its id.

A row's id stands in the name of a test (`test_a23_…`) or begins the id of a parametrised case (`"B7 unsupported"`).
"""

import ast
import csv
import re
from collections.abc import Iterator

import pytest

from tests.house.project import PROJECT

CATALOGUE = PROJECT.parent / "shared/design/fault-catalogue.tsv"
ROWS = {"A": 42, "B": 55, "C": 26, "D": 28, "E": 41, "F": 36}
"""The groups about intake and identity, and how many rows each has."""

NOT_YET = {
    "D11": (
        "consent withdrawn: Consent is stored, and stops nothing. Envelope and hash alone would mean to remove bytes "
        "from the log, from which everything else is rebuilt: who decides that, and how a replay knows, is not settled"
    ),
    "D28": (
        "the central site asks with a raw record number: there is one token for reading and there are no roles; to "
        "refuse a parameter to a reader whom the Patient itself shows the number would protect nobody"
    ),
}
"""Rows without a test, and why."""

IN_A_NAME = re.compile(r"(?<=_)(?<!adt_)([a-h][1-9]\d?)(?=_|$)")
BEGINS_AN_ID = re.compile(r"([A-H][1-9]\d?) \S")


def rows_with_a_test() -> set[str]:
    found: set[str] = set()
    for file in PROJECT.glob("tests/**/*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                found |= {number.upper() for number in IN_A_NAME.findall(node.name)}
            found |= {at[1] for text in _texts_in(node) if (at := BEGINS_AN_ID.match(text))}
    return found


def _texts_in(node: ast.AST) -> Iterator[str]:
    """The texts in a list, a tuple, a call, or among a dictionary's keys: there stand the ids of cases."""
    parts: list[ast.expr | None] = []
    if isinstance(node, ast.Dict):
        parts = list(node.keys)
    elif isinstance(node, ast.List | ast.Tuple):
        parts = list(node.elts)
    elif isinstance(node, ast.Call):
        parts = [*node.args, *(one.value for one in node.keywords)]
    return (one.value for one in parts if isinstance(one, ast.Constant) and isinstance(one.value, str))


def by_number(name: str) -> tuple[str, int]:
    return name[0], int(name[1:])


def test_every_row_about_messages_and_identity_has_a_test() -> None:
    wanted = {f"{group}{number}" for group, count in ROWS.items() for number in range(1, count + 1)}
    assert sorted(wanted - rows_with_a_test(), key=by_number) == sorted(NOT_YET, key=by_number)


@pytest.mark.skipif(not CATALOGUE.exists(), reason="the fault catalogue is not beside this checkout")
def test_the_catalogue_has_the_rows_that_are_counted_here() -> None:
    with CATALOGUE.open(encoding="utf-8", newline="") as file:
        names = [row["id"] for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)]
    assert {group: sum(name[0] == group for name in names) for group in ROWS} == ROWS
