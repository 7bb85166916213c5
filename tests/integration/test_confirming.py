"""Derived facts on a real store, confirmed by a person: kept while they are the same, asked about when they are not."""

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from adapter.cli.importing import Local
from adapter.deriving import Deriver
from adapter.fhir.r4 import validate
from adapter.intake import receive_made
from adapter.operate.confirming import SITE, Order, Wanted, listing
from adapter.operate.queries import Only
from adapter.operate.queries import listing as queries
from adapter.request_errors import BadParameter
from adapter.stock import Stock
from adapter.store import subjects
from adapter.store.database import Database, rows
from adapter.store.fingerprint import fingerprint
from adapter.worker import Worker
from tests.integration.intake_stand import intake_on
from tests.integration.test_replay_whole import replayed_into

CASES = Path(__file__).parents[1] / "cases/CRM_C01"
TRM60, COURSE = "ATLI-901/TRM60", "ATLI-901/IND1/COURSE"
BY, WHY = "data-manager/WH", "follow-up | chart ^ reviewed"
ORDER = Order([TRM60], BY, WHY)


@pytest.fixture(scope="module")
def stock() -> Stock:
    return Stock.load()


def seen(day: str, number: str) -> bytes:
    """The trial office tells the last contact."""
    lines = (
        rf"MSH|^~\&|CTMS^2.16.840.1.113883.3.9999.1.01.1^ISO|FAHZU^2.16.840.1.113883.3.9999.1.01^ISO|TRIALHUB|CENTRAL|"
        f"{day}120000+0800||ORU^R01^ORU_R01|{number}|P|2.5.1|||AL|AL|CHN|UNICODE UTF-8",
        "PID|1||ATLI-901^^^TLI2017&2.16.840.1.113883.3.9999.1.99&ISO^ANON||ATLI-901^^^^^^S||1954|M",
        "OBR|1||CRF-901|CRF^eCRF^99TLI|||20171101|||||||||||||||||||F",
        f"OBX|1|DT|LAST-CONTACT^Last contact^99TLI||{day}||||||F|||{day}",
    )
    return "".join(f"{line}\r" for line in lines).encode()


def begins() -> list[bytes]:
    """A subject in the first course, seen on its day 22."""
    told = [(CASES / case / "message.hl7").read_bytes() for case in ("registration", "enters-course")]
    return [*(raw.replace(b"|T|2.5.1", b"|P|2.5.1") for raw in told), seen("20171120", "L1")]


def give(database: Database, stock: Stock, *raws: bytes) -> None:
    """Receive messages, convert them, and derive the facts."""

    async def giving() -> None:
        intake = intake_on(database, stock.catalog, lambda: datetime.now(UTC))
        await receive_made(intake, raws, site="FAHZU", actor="test")
        await intake.close()

    asyncio.run(giving())
    worker = Worker(database, name="w", convert=stock.convert, rules=stock.rules, clock=lambda: datetime.now(UTC))
    while worker.run_once():
        pass
    derive(database, stock)


def derive(database: Database, stock: Stock) -> None:
    deriver = Deriver(database, stock.rules, stock.asking.trial, lambda: datetime.now(UTC) + timedelta(minutes=1))
    while deriver.run_once():
        pass


@pytest.fixture
def begun(database: Database, stock: Stock) -> Database:
    """What these messages give."""
    give(database, stock, *begins())
    return database


def fact(database: Database, number: str = TRM60) -> dict[str, Any]:
    with database.read() as connection:
        found = [json.loads(body) for body in subjects.derived(connection, "ATLI-901")]
    return next(one for one in found if one["identifier"][0]["value"] == number)


def listed(database: Database, wanted: Wanted) -> dict[str, str]:
    with database.read() as connection:
        return {one["number"]: one["value"] for one in listing(connection, wanted)}


def asked(database: Database, stock: Stock) -> list[dict[str, Any]]:
    only = Only(rule="confirmation-outdated")
    return list(queries(database, stock.asking, only, as_of=date(2018, 3, 1)))


def kept(database: Database) -> list[tuple[str, str]]:
    with database.read() as connection:
        found = rows(connection, "SELECT state, peer FROM message WHERE site = ? ORDER BY id", [SITE])
    return [(state, peer) for state, peer in found]


def test_facts_wait_until_a_person_confirms_them(begun: Database, stock: Stock):
    assert listed(begun, Wanted()) == {COURSE: "1", TRM60: "22 d; ENDED-BY CENSORED"}
    assert listed(begun, Wanted(subject="ATLI-902")) == {}
    assert listed(begun, Wanted(fact="COURSE")) == {COURSE: "1"}
    assert listed(begun, Wanted(status="final")) == {}
    [told] = Local(begun, stock).confirm(ORDER)["facts"]
    assert (told["number"], told["value"], told["outcome"]) == (TRM60, "22 d; ENDED-BY CENSORED", "confirmed")
    made = fact(begun)
    assert validate(made) == []
    assert made["status"] == "final"
    assert (made["performer"][0]["display"], made["performer"][0]["identifier"]["value"]) == ("data-manager", "WH")
    assert made["note"][-1]["text"].startswith(f"confirmed: {WHY} (Observation/")
    assert listed(begun, Wanted(status="final")).keys() == {TRM60}
    assert kept(begun) == [("mapped", BY)]


def test_several_are_confirmed_at_once_by_number_or_id_and_again_changes_nothing(begun: Database, stock: Stock):
    local, of_id = Local(begun, stock), fact(begun, COURSE)["id"]
    told = local.confirm(Order([TRM60, of_id, TRM60], BY, WHY))["facts"]
    assert [(one["number"], one["outcome"]) for one in told] == [(TRM60, "confirmed"), (COURSE, "confirmed")]
    versions = [fact(begun, number)["meta"]["versionId"] for number in (TRM60, COURSE)]
    told = local.confirm(Order([TRM60, f"Observation/{of_id}"], BY, WHY))["facts"]
    assert [one["outcome"] for one in told] == ["unchanged", "unchanged"]
    assert [fact(begun, number)["meta"]["versionId"] for number in (TRM60, COURSE)] == versions
    assert len(kept(begun)) == 2


def test_fact_that_changes_waits_again_and_is_asked_about_until_it_is_confirmed_anew(begun: Database, stock: Stock):
    local = Local(begun, stock)
    local.confirm(ORDER)
    assert asked(begun, stock) == []
    give(begun, stock, seen("20171210", "L2"))
    made = fact(begun)
    assert (made["status"], made["valueQuantity"]["value"]) == ("preliminary", 42)
    assert not any(note["text"].startswith("confirmed") for note in made.get("note", []))
    assert "performer" not in made
    [query] = asked(begun, stock)
    assert (query["subject"], query["severity"]) == ("ATLI-901", "major")
    assert query["text"].startswith("TRM60 was confirmed as 22 d; ENDED-BY CENSORED; what is stored now gives 42 d;")
    [told] = local.confirm(ORDER)["facts"]
    assert told["outcome"] == "confirmed"
    assert fact(begun)["status"] == "final"
    assert asked(begun, stock) == []


def test_value_that_comes_back_is_the_confirmed_one_again(begun: Database, stock: Stock):
    Local(begun, stock).confirm(ORDER)
    give(begun, stock, seen("20171210", "L2"))
    assert fact(begun)["status"] == "preliminary"
    give(begun, stock, seen("20171120", "L3").replace(b"20171120120000", b"20171211120000"))
    assert fact(begun)["status"] == "final"
    assert asked(begun, stock) == []


def test_replay_of_the_log_gives_the_same_store_and_the_same_final_facts(begun: Database, stock: Stock, tmp_path: Path):
    Local(begun, stock).confirm(ORDER)
    _, target = replayed_into(begun, stock, tmp_path)
    try:
        derive(target, stock)
        assert fingerprint(target) == fingerprint(begun)
        one, other = fact(begun), fact(target)
        assert {**one, "meta": None} == {**other, "meta": None}
        assert other["status"] == "final"
    finally:
        target.close()


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (Order([TRM60], "WH", WHY), "ROLE/INITIALS"),
        (Order([TRM60], "", WHY), "ROLE/INITIALS"),
        (Order([TRM60], BY, " "), "reason"),
        (Order([], BY, WHY), "between 1 and"),
        (Order([TRM60, "ATLI-901/OS"], BY, WHY), "not known"),
        (Order(["ATLI-902/TRM60"], BY, WHY), "not known"),
        (Order(["b4ffdc78-d672-5aeb-8ae1-49feab6260c9"], BY, WHY), "not known"),
    ],
)
def test_order_that_cannot_be_followed_confirms_nothing(begun: Database, stock: Stock, order: Order, why: str):
    with pytest.raises(BadParameter, match=why):
        Local(begun, stock).confirm(order)
    assert kept(begun) == []


def test_fact_without_a_value_is_not_confirmed_and_loses_its_confirmation(begun: Database, stock: Stock):
    local = Local(begun, stock)
    local.confirm(ORDER)
    give(begun, stock, seen("20171120", "L2").replace(b"||20171120||||||F", b"||20171120||||||D"))
    made = fact(begun)
    assert (made["status"], "valueQuantity" in made, "performer" in made) == ("preliminary", False, False)
    assert TRM60 not in listed(begun, Wanted())
    [query] = asked(begun, stock)
    assert query["text"].endswith("what is stored now gives nothing. It is to be confirmed anew.")
    with pytest.raises(BadParameter, match="no value"):
        local.confirm(ORDER)
