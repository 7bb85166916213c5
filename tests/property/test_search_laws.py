"""Laws of search: a resource is found by its own values; pages are the whole answer; prefixes mean ranges."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from adapter.data import data_folder
from adapter.fhir import search_params, ucum
from adapter.fhir.search_values import date_range, plain
from adapter.store import index
from adapter.store.database import Database, rows, run
from adapter.store.reach import everything
from adapter.store.search import compile_query, search, total
from tests.integration.api_stand import empty_database

INDEX = search_params.load(data_folder("profiles"), zone=UTC)
REACH = everything(INDEX)
TABLES = ("index_token", "index_reference", "index_date", "index_string", "index_quantity")
PREFIXES = ("eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")

FILTERS = [
    ("code", "A"), ("code", "s|A"), ("code", "B,A"), ("code", "s|"), ("code:not", "A"), ("code:missing", "false"),
    ("patient", "p"), ("patient", "p,q"), ("date", "ge2019-02"), ("date:missing", "true"),
]  # fmt: skip

texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(str.strip)
days = st.dates(date(2019, 1, 1), date(2019, 3, 1))
dates = st.one_of(
    st.none(), days.map(date.isoformat), days.map(lambda day: day.isoformat()[:7]),
    st.tuples(days, st.integers(0, 23)).map(lambda pair: f"{pair[0].isoformat()}T{pair[1]:02d}:00:00Z"),
)  # fmt: skip


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    opened = empty_database(request.param, request, tmp_path_factory)
    yield opened
    opened.close()


def fill(connection: Connection, resources: Sequence[dict[str, Any]]) -> None:
    """Nothing but these resources, with their index rows."""
    for table in ("resource", *TABLES):
        run(connection, f"DELETE FROM {table}")
    for key, resource in enumerate(resources, 1):
        run(
            connection,
            "INSERT INTO resource (key, resource_type, id, version, last_updated, digest, as_of, site, message_id,"
            " deleted, body) VALUES (?, ?, ?, 1, 0, ?, '', '', 0, FALSE, ?)",
            [key, resource["resourceType"], resource["id"], b"", b"{}"],
        )
    index.write(connection, INDEX, [index.Change(key, None, resource) for key, resource in enumerate(resources, 1)])


def escaped(text: str) -> str:
    return re.sub(r"([\\,|$])", r"\\\1", text)


def ask(connection: Connection, resource_type: str, *params: tuple[str, str], count: int = 100) -> list[str]:
    query = compile_query(REACH, resource_type, params, base="http://x/fhir")
    ids, cursor = list[str](), None
    while True:
        page = search(connection, query, count=count, cursor=cursor)
        assert len(page.rows) <= count
        ids += [stored.id for stored in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert total(connection, query) == len(ids)
    return ids


# A name of accents alone has nothing to search by, and the search refuses it.
@given(system=texts, code=texts, name=texts.filter(plain))
def test_a_resource_is_found_by_its_own_values(database: Database, system: str, code: str, name: str) -> None:
    with database.write() as connection:
        fill(
            connection,
            [
                {"resourceType": "Observation", "id": "o", "code": {"coding": [{"system": system, "code": code}]}},
                {"resourceType": "Patient", "id": "p", "name": [{"family": name}],
                 "identifier": [{"system": system, "value": code}]},
            ],
        )  # fmt: skip
        both = f"{escaped(system)}|{escaped(code)}"
        for value in (both, escaped(code), f"{escaped(system)}|", f"nothing,{both}"):
            assert ask(connection, "Observation", ("code", value)) == ["o"]
            assert ask(connection, "Observation", ("code:not", value)) == []
        assert ask(connection, "Patient", ("identifier", both)) == ["p"]
        for modifier in ("", ":exact", ":contains"):
            assert ask(connection, "Patient", (f"family{modifier}", escaped(name))) == ["p"]
        assert ask(connection, "Observation", ("code", f"|{escaped(code)}")) == []


@given(stored=dates, wanted=dates.filter(bool), prefix=st.sampled_from(PREFIXES))
def test_a_prefix_compares_ranges(database: Database, stored: str | None, wanted: str, prefix: str) -> None:
    low, high = date_range(stored, UTC) or (None, None) if stored else (None, None)
    first, last = date_range(wanted, UTC) or (0, 0)
    with database.write() as connection:
        fill(
            connection,
            [{"resourceType": "Observation", "id": "o", **({"effectiveDateTime": stored} if stored else {})}],
        )
        found = ask(connection, "Observation", ("date", prefix + wanted)) == ["o"]
    if low is None or high is None:
        assert not found
        return
    expected = {
        "eq": first <= low and high <= last, "ne": not (first <= low and high <= last), "gt": high > last,
        "lt": low < first, "ge": high >= first, "le": low <= last, "sa": low > last, "eb": high < first,
    }  # fmt: skip
    assert found == expected[prefix]


@given(
    stored=st.lists(st.tuples(dates, st.sampled_from(["A", "B"]), st.sampled_from(["p", "q"])), max_size=25),
    count=st.integers(1, 7),
    sort=st.sampled_from(["", "date", "-date", "_lastUpdated", "-_lastUpdated"]),
    filters=st.sets(st.sampled_from(FILTERS), max_size=4),
)  # fmt: skip
def test_the_pages_are_the_whole_answer_once_and_in_order(
    database: Database,
    stored: list[tuple[str | None, str, str]],
    count: int,
    sort: str,
    filters: set[tuple[str, str]],
) -> None:
    resources = [
        {
            "resourceType": "Observation",
            "id": f"o{number:02d}",
            "code": {"coding": [{"system": "s", "code": code}, {"system": "t", "code": code}]},
            "subject": {"reference": f"Patient/{patient}"},
            **({"effectiveDateTime": when} if when else {}),
        }
        for number, (when, code, patient) in enumerate(stored)
    ]
    ranges = {
        f"o{number:02d}": (date_range(when, UTC) or (0, 0)) if when else None
        for number, (when, _, _) in enumerate(stored)
    }
    with database.write() as connection:
        fill(connection, resources)
        params = [*sorted(filters), *([("_sort", sort)] if sort else [])]
        found = ask(connection, "Observation", *params, count=count)
    expected = [
        key
        for number, (key, reached) in enumerate(ranges.items())
        if all(fulfils(stored[number], reached, one) for one in filters)
    ]
    assert sorted(found) == expected
    if sort.endswith("date"):
        dated = [(reached[0], key) for key in expected if (reached := ranges[key])]
        undated = [key for key in expected if ranges[key] is None]
        assert found == [key for _, key in sorted(dated, reverse=sort[0] == "-")] + undated


def fulfils(stored: tuple[str | None, str, str], reached: tuple[int, int] | None, wanted: tuple[str, str]) -> bool:
    """What the database must say, said without one."""
    _, code, patient = stored
    since = (date_range("2019-02", UTC) or (0, 0))[0]
    match wanted:
        case ("code", "A" | "s|A"):
            return code == "A"
        case ("code:not", value):
            return code != value
        case ("patient", value):
            return patient in value
        case ("code", _) | ("code:missing", _):
            return True
        case ("date:missing", _):
            return reached is None
        case _:
            return reached is not None and reached[1] >= since


@given(
    stored=st.tuples(st.integers(1, 3000), st.sampled_from(["g/L", "mg/dL"])),
    sought=st.tuples(st.integers(1, 3000), st.sampled_from(["g/L", "mg/dL"])),
    prefix=st.sampled_from(PREFIXES),
)
def test_a_prefix_compares_amounts_whatever_their_unit(
    database: Database, stored: tuple[int, str], sought: tuple[int, str], prefix: str
) -> None:
    per_litre = {"g/L": 100, "mg/dL": 1}
    has, value, half = stored[0] * per_litre[stored[1]], sought[0] * per_litre[sought[1]], per_litre[sought[1]] / 2
    quantity = {"value": stored[0], "system": ucum.SYSTEM, "code": stored[1]}
    with database.write() as connection:
        code = {"coding": [{"code": "A"}]}
        fill(connection, [{"resourceType": "Observation", "id": "o", "code": code, "valueQuantity": quantity}])
        amount = f"{prefix}{sought[0]}|{ucum.SYSTEM}|{sought[1]}"
        found = ask(connection, "Observation", ("value-quantity", amount)) == ["o"]
        assert found == (ask(connection, "Observation", ("code-value-quantity", f"A${amount}")) == ["o"])
    within = value - half <= has < value + half
    assert found == {
        "eq": within, "ne": not within, "gt": has > value, "lt": has < value, "ge": has >= value, "le": has <= value,
        "sa": has > value, "eb": has < value,
    }[prefix]  # fmt: skip


@given(start=days, length=st.integers(0, 400))
def test_a_wider_date_holds_the_narrower(start: date, length: int) -> None:
    day = start + timedelta(days=length)
    year, month, whole = (date_range(day.isoformat()[:size], UTC) for size in (4, 7, 10))
    assert year is not None
    assert month is not None
    assert whole is not None
    assert year[0] <= month[0] <= whole[0] <= whole[1] <= month[1] <= year[1]


CODINGS = st.lists(st.fixed_dictionaries({"system": st.sampled_from("st"), "code": st.sampled_from("AB")}), max_size=3)
VERSIONS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "code": st.fixed_dictionaries({"coding": CODINGS}),
            "category": CODINGS.map(lambda codings: [{"coding": codings}]),
            "subject": st.sampled_from(["Patient/p", "Patient/q"]).map(lambda to: {"reference": to}),
            "effectiveDateTime": days.map(date.isoformat),
            "effectivePeriod": days.map(lambda day: {"start": day.isoformat()}),
            "valueQuantity": st.integers(1, 3).map(lambda value: {"value": value}),
            "valueCodeableConcept": st.fixed_dictionaries({"coding": CODINGS}),
        },
    ),
    min_size=1,
    max_size=5,
)


@given(VERSIONS)
def test_the_index_of_the_last_version_is_the_same_whatever_came_before(
    database: Database, versions: list[dict[str, Any]]
) -> None:
    def all_rows() -> list[list[tuple[Any, ...]]]:
        return [sorted(tuple(row) for row in rows(connection, f"SELECT * FROM {table}")) for table in TABLES]

    resources = [{"resourceType": "Observation", "id": "o", **one} for one in versions]
    with database.write() as connection:
        fill(connection, resources[:1])
        for old, new in pairwise(resources):
            index.write(connection, INDEX, [index.Change(1, old, new)])
        found = all_rows()
        fill(connection, resources[-1:])
        assert found == all_rows()
