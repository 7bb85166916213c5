"""The index follows the search parameters when the program starts."""

from dataclasses import replace

from adapter.data import data_folder
from adapter.fhir import search_params
from adapter.store import reindexing
from adapter.store.database import Database, rows, run
from tests.integration.api_stand import observation, patient, put

INDEX = search_params.load(data_folder("profiles"))


def codes(database: Database) -> int:
    with database.read() as connection:
        return rows(connection, "SELECT count(*) FROM index_token WHERE code = 'WBC'")[0][0]


def test_the_index_is_written_anew_for_the_types_whose_parameters_changed(database: Database) -> None:
    assert reindexing.follow(database, INDEX) == 0
    put(database, [observation("o1"), patient()])
    with database.write() as connection:
        run(connection, "DELETE FROM index_token")
    assert reindexing.follow(database, INDEX) == 0
    assert codes(database) == 0
    fewer = dict(INDEX.parameters["Observation"])
    del fewer["method"]
    changed = replace(INDEX, parameters={**INDEX.parameters, "Observation": fewer})
    assert reindexing.follow(database, changed) == 1
    assert codes(database) == 1
    assert reindexing.follow(database, changed) == 0


def test_a_store_from_before_is_indexed_at_the_first_start(database: Database) -> None:
    put(database, [observation("o1", valueQuantity={"value": 7})])
    with database.write() as connection:
        run(connection, "DELETE FROM index_quantity")
    assert reindexing.follow(database, INDEX) == 1
    with database.read() as connection:
        assert rows(connection, "SELECT count(*) FROM index_quantity")[0][0] == 2
