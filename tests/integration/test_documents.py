"""Documents from the message to whoever reads them: converted, named by their hash, streamed."""

import asyncio
import base64
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapter.access.guard import Guard
from adapter.api import binary
from adapter.api.routes import create_app
from adapter.convert import Converted, convert
from adapter.documents import finder
from adapter.errors import BrokenDocument
from adapter.hl7v2.slim import LONG, Slim, slim
from adapter.store.database import Database, open_database
from tests import databases
from tests.integration.api_stand import COMPILER, PROFILES, bearer
from tests.integration.catalogue_stand import convert_all, pass_through
from tests.integration.intake_stand import OBR, OBX, PID, header, message
from tests.mappings import catalog

PDF = b"%PDF-1.4 synthetic " + bytes(range(256)) * 600
ADDRESS = f"Binary/{hashlib.sha256(PDF).hexdigest()}"


def with_document(data: bytes = PDF, lines: str = "", number: int = 1) -> bytes:
    """A report of one result and one document."""
    text = base64.b64encode(data).decode()
    text = lines.join(text[at : at + 76] for at in range(0, len(text), 76)) if lines else text
    document = f"OBX|2|ED|PDF^检验报告^99ZJULIS||LIS^application^pdf^Base64^{text}||||||F"
    return message(header(msh_10=f"D{number}"), PID, OBR, OBX, document)


def report(made: Converted) -> dict[str, Any]:
    """The one report."""
    (found,) = [one.resource for one in made.resources if one.resource["resourceType"] == "DiagnosticReport"]
    return found


def test_a28_large_document_is_named_by_its_hash_whether_it_was_cut_out_or_not():
    raw = with_document()
    whole, cut = convert(raw, catalog=catalog()), convert(slim(raw), catalog=catalog())
    assert report(cut)["presentedForm"] == [
        {
            "contentType": "application/pdf",
            "url": ADDRESS,
            "size": len(PDF),
            "hash": base64.b64encode(hashlib.sha1(PDF).digest()).decode(),
            "title": "检验报告",
        }
    ]
    assert whole.resources == cut.resources
    assert whole.issues == cut.issues
    assert whole.ledger.unmapped() == cut.ledger.unmapped()
    assert list(whole.ledger.lineage()) == list(cut.ledger.lineage())
    assert "valueString" not in str(cut.resources)


@pytest.mark.parametrize("lines", ["", "\\.br\\", "\\X0D\\\\X0A\\", "\n"])
@pytest.mark.parametrize("size", [1, LONG // 4 * 3 - 1, LONG // 4 * 3, LONG])
def test_size_decides_whether_a_document_stands_in_its_resource(size: int, lines: str):
    raw = with_document(PDF[:size], lines)
    for given in (raw, slim(raw)):
        (form,) = report(convert(given, catalog=catalog()))["presentedForm"]
        assert form["size"] == size
        assert ("data" in form) != ("url" in form)
        assert "url" in form or base64.b64decode(form["data"], validate=True) == PDF[:size]
        assert ("url" in form) or size < LONG // 4 * 3


def test_c25_broken_document_that_was_cut_out_is_held_too():
    raw = with_document().replace(b"||||||F\r", b"=||||||F\r")
    for given in (raw, slim(raw)):
        with pytest.raises(BrokenDocument, match=r"^OBX\[2\]-5: 102, "):
            convert(given, catalog=catalog())


@pytest.fixture
def database(tmp_path: Path) -> Database:
    """The database of `pass_through` after one report with a document in its message."""
    outcome = pass_through(tmp_path, with_document())
    assert outcome.only("DiagnosticReport")["presentedForm"][0]["url"] == ADDRESS
    return open_database(databases.sqlite(tmp_path))


def store_as_large(database: Database, raw: bytes) -> None:
    """Turn the one message into what the store holds of a large one."""
    kept: Slim = slim(raw)
    with database.write() as connection:
        update = "UPDATE message SET raw = ?, part_bytes = ?"
        connection.exec_driver_sql(update, (kept.raw, len(raw)))
        for number, at in enumerate(range(0, len(raw), 50_000)):
            insert = "INSERT INTO message_part (message_id, number, data) SELECT id, ?, ? FROM message"
            connection.exec_driver_sql(insert, (number, raw[at : at + 50_000]))


def asked(database: Database, address: str, *, role: str = "data-manager", **headers: str) -> httpx.Response:
    """What the API answers to a role; without one to somebody without a token."""
    app = create_app(guard=Guard(database, COMPILER, lambda: datetime.now(UTC)), profiles=PROFILES)
    headers |= {"authorization": bearer(database, role)} if role else {}
    binary.install(app, finder(database, catalog()))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get(address, headers=headers)

    return asyncio.run(ask())


@pytest.mark.parametrize("large", [False, True], ids=["in its message", "in parts"])
def test_a28_c26_document_is_given_as_it_is_and_only_to_be_saved(database: Database, large: bool):
    if large:
        store_as_large(database, with_document())
    answer = asked(database, f"/fhir/{ADDRESS}", accept="application/pdf")
    assert (answer.status_code, answer.content) == (200, PDF)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-length"] == str(len(PDF))
    assert answer.headers["content-disposition"] == "attachment"
    assert answer.headers["x-content-type-options"] == "nosniff"
    database.close()


def test_c26_document_needs_the_token_and_an_address_that_is_known(database: Database):
    assert asked(database, f"/fhir/{ADDRESS}", role="").status_code == 401
    assert asked(database, f"/fhir/{ADDRESS}", role="operator").status_code == 403
    assert asked(database, f"/fhir/{ADDRESS}").status_code == 200
    for address in (f"Binary/{'0' * 64}", "Binary/x", "Binary/%2e%2e"):
        assert asked(database, f"/fhir/{address}").status_code == 404
    database.close()


def test_report_that_came_again_without_its_document_still_leads_to_it(database: Database, tmp_path: Path):
    database.close()
    later = message(header(msh_10="D9", msh_7="20180101090000+0800"), PID, OBR, OBX)
    outcome = pass_through(tmp_path, later)
    database = open_database(databases.sqlite(tmp_path))
    convert_all(database, catalog())
    kept = "presentedForm" in outcome.only("DiagnosticReport")
    assert asked(database, f"/fhir/{ADDRESS}").status_code == (200 if kept else 404)
    database.close()
