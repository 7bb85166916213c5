"""Codes without a row: who sent them, which messages wait, and which need not wait any more."""

import shutil
from pathlib import Path

import pytest

from adapter.convert import convert
from adapter.data import data_folder
from adapter.mapper.catalog import Catalog, load_catalog
from adapter.operate import worklist
from adapter.store import inbox
from adapter.store.database import Database, rows
from adapter.worker import Rules, Worker
from tests import mappings
from tests.store_stand import NOON, RULES, STUDY_RULES, SmallIndex, new_message

HEAD = "MSH|^~\\&|LIS|YWCH|HUB|CENTRAL|20240315100000||ORU^R01|{id}|T|2.4||||||UNICODE UTF-8"
PID = "PID|1||T{id}^^^YWCH^BLH||试^例"
PV1 = "PV1|1|I|H3||||||||||||||||V{id}"
OBR = "OBR|1||R{id}|1001^血常规^99YWLIS|||20240315063000||||||||||||||||||F"


def message(number: int, *results: str) -> str:
    return "\r".join([part.format(id=number) for part in (HEAD, PID, PV1, OBR)] + [*results, ""])


UNKNOWN = "OBX|1|NM|NOSUCH^试验项目^99YWLIS||1|g/L|||||F"
UNKNOWN_UNIT = "OBX|1|NM|BXB^白细胞^99YWLIS||1|furlong|||||F"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return mappings.catalog()


def take(database: Database, catalog: Catalog, *texts: str) -> None:
    site = catalog.sites["YWCH"]
    worker = Worker(
        database,
        name="w",
        convert=lambda claimed: convert(claimed.raw, catalog=catalog, site=site),
        rules=Rules(SmallIndex(), RULES, STUDY_RULES),
        clock=lambda: NOON,
    )
    with database.write() as connection:
        inbox.insert(connection, [new_message(text, site="YWCH", lane=text[90:130]) for text in texts])
    while worker.run_once():
        pass


def test_a_code_without_a_row_is_listed_as_sent_with_the_messages_that_wait(
    database: Database, catalog: Catalog
) -> None:
    take(database, catalog, message(1, UNKNOWN, UNKNOWN.replace("|1|NM", "|2|NM")), message(2, UNKNOWN))
    with database.read() as connection:
        (line,) = worklist.codes(connection, site="YWCH", limit=10, catalog=catalog)
        assert worklist.codes(connection, site="FAHZU", limit=10) == []
    assert line == {
        "site": "YWCH",
        "kind": "unmapped-code",
        "table": "OBX-3",
        "path": "OBX-3",
        "code": "NOSUCH",
        "display": "试验项目",
        "messages": 2,
        "count": 3,
        "examples": [1, 2],
        "has_row": False,
    }


def test_a_unit_without_a_ucum_code_is_listed(database: Database, catalog: Catalog) -> None:
    take(database, catalog, message(1, UNKNOWN_UNIT))
    with database.read() as connection:
        (line,) = worklist.codes(connection, site="", limit=10)
    assert (line["table"], line["code"], line["messages"]) == ("units", "furlong", 1)


def test_messages_that_wait_for_a_code_are_found_when_it_has_a_row(
    database: Database, catalog: Catalog, tmp_path: Path
) -> None:
    take(database, catalog, message(1, UNKNOWN), message(2, UNKNOWN_UNIT), message(3, UNKNOWN))
    mappings = shutil.copytree(data_folder("mappings"), tmp_path / "mappings")
    table = mappings / "sites" / "yiwu" / "codes.csv"
    table.write_text(table.read_text("utf-8") + "OBX-3,NOSUCH,试验项目,,,,,a test\n", "utf-8")
    with database.read() as connection:
        assert worklist.waiting(connection, catalog) == []
        assert worklist.waiting(connection, load_catalog(mappings)) == [1, 3]
        assert worklist.waiting(connection, load_catalog(mappings), site="FAHZU") == []


def test_a_message_that_is_converted_again_waits_only_for_what_is_still_missing(
    database: Database, catalog: Catalog, tmp_path: Path
) -> None:
    take(database, catalog, message(1, UNKNOWN))
    mappings = shutil.copytree(data_folder("mappings"), tmp_path / "mappings")
    table = mappings / "sites" / "yiwu" / "codes.csv"
    table.write_text(table.read_text("utf-8") + "OBX-3,NOSUCH,试验项目,,,,,a test\n", "utf-8")
    with database.write() as connection:
        rows(connection, "UPDATE message SET state = 'received' RETURNING id")
    take(database, load_catalog(mappings))
    with database.read() as connection:
        assert worklist.codes(connection, site="", limit=10) == []


def test_free_text_in_a_code_is_kept_in_part(sqlite_database: Database, catalog: Catalog) -> None:
    take(sqlite_database, catalog, message(1, UNKNOWN.replace("NOSUCH", "N" * 5000)))
    with sqlite_database.read() as connection:
        (line,) = worklist.codes(connection, site="", limit=10)
    assert line["code"] == "N" * 120
