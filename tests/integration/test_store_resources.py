import threading
from datetime import timedelta
from decimal import Decimal
from typing import Any

from adapter.fhir.json import loads
from adapter.store import reindexing
from adapter.store.database import Database, open_database, rows, run
from adapter.store.resources import history, read, vread
from tests.store_stand import EVERYTHING, NOON, SmallIndex, mapped, observation, patient, stored, write

EARLY, LATE = "2018-03-01T08:00:00+08:00", "2018-03-02T08:00:00+08:00"
CORE = "http://hl7.org/fhir/StructureDefinition/workflow-researchStudy"
TIED = [{"url": CORE, "valueReference": {"reference": "ResearchStudy/tli-trial"}}]


def found(database: Database, table: str = "index_token") -> list[tuple[Any, ...]]:
    column = "code" if table == "index_token" else "target_id"
    with database.read() as connection:
        sql = f"SELECT r.id, i.{column} FROM {table} AS i JOIN resource AS r ON r.key = i.key ORDER BY 1, 2"
        return [tuple(row) for row in rows(connection, sql)]


def test_resource_is_whole_with_version_time_and_source(database: Database):
    write(database, mapped(observation("o1", valueQuantity={"value": Decimal("0.70")})), message_id=7)
    with database.read() as connection:
        one = read(connection, EVERYTHING, "Observation", "o1")
    assert one is not None
    assert (one.version, one.last_updated, one.deleted) == (1, NOON, False)
    assert one.body.startswith(b'{"resourceType":"Observation","id":"o1","meta":{')
    assert b'"value":0.70' in one.body
    meta = loads(one.body)["meta"]
    assert (meta["versionId"], meta["lastUpdated"]) == ("1", "2018-03-01T12:00:00.000Z")
    assert meta["source"].endswith("/FAHZU#7")


def test_profile_of_a_resource_is_kept_in_every_version(database: Database):
    profiled: dict[str, Any] = {"meta": {"profile": ["https://example.org/p"]}}
    write(database, mapped(patient("p1", **profiled), EARLY))
    write(database, mapped(patient("p1", gender="male", **profiled), LATE))
    with database.read() as connection:
        assert all(
            loads(one.body)["meta"]["profile"] for one in history(connection, EVERYTHING, "Patient", "p1", limit=9)
        )


def test_same_message_again_makes_no_version(database: Database):
    said = [mapped(patient("p1", subject="ATLI-901")), mapped(observation("o1"))]
    assert write(database, *said) == 2
    assert write(database, *said, now=NOON + timedelta(days=1)) == 0


def test_newer_message_makes_a_version_and_the_older_one_stays_readable(database: Database):
    write(database, mapped(observation("o1", status="preliminary"), EARLY))
    write(database, mapped(observation("o1", status="final"), LATE), message_id=2)
    with database.read() as connection:
        first, second = (
            vread(connection, EVERYTHING, "Observation", "o1", 1),
            vread(connection, EVERYTHING, "Observation", "o1", 2),
        )
        versions = history(connection, EVERYTHING, "Observation", "o1", limit=9)
        assert history(connection, EVERYTHING, "Observation", "o1", before=2, limit=9) == [first]
    assert first
    assert second
    assert versions == [second, first]
    assert (loads(first.body)["status"], loads(second.body)["status"]) == ("preliminary", "final")


def test_e16_result_that_arrives_after_its_correction_changes_nothing(database: Database):
    write(database, mapped(observation("o1", status="corrected"), LATE), message_id=2)
    assert write(database, mapped(observation("o1", status="final"), EARLY), message_id=3) == 0
    assert stored(database, "Observation", "o1")["status"] == "corrected"


def test_statement_that_confirms_what_is_stored_still_counts_against_older_ones(database: Database):
    days = [f"2018-03-0{day}T08:00:00+08:00" for day in (1, 2, 3)]
    for number in (1, 3, 2):
        status = "final" if number == 2 else "corrected"
        write(database, mapped(observation("o1", status=status), days[number - 1]), message_id=number)
    assert stored(database, "Observation", "o1")["status"] == "corrected"


def test_every_message_of_a_batch_makes_its_own_version(database: Database):
    said = [
        mapped(observation("o1", status=status), order) for status, order in (("preliminary", EARLY), ("final", LATE))
    ]
    assert write(database, *said) == 2
    with database.read() as connection:
        bodies = [loads(one.body)["status"] for one in history(connection, EVERYTHING, "Observation", "o1", limit=9)]
    assert bodies == ["final", "preliminary"]


def test_f26_last_updated_grows_even_when_the_clock_goes_back(database: Database):
    write(database, mapped(observation("o1", status="preliminary"), EARLY))
    write(database, mapped(observation("o1", status="final"), LATE), now=NOON - timedelta(hours=1))
    with database.read() as connection:
        newest, oldest = history(connection, EVERYTHING, "Observation", "o1", limit=9)
    assert newest.last_updated > oldest.last_updated


def test_search_finds_the_current_version_only(database: Database):
    write(database, mapped(observation("o1", status="preliminary"), EARLY))
    write(database, mapped(observation("o1", status="final"), LATE))
    assert found(database) == [("o1", "final")]
    assert found(database, "index_reference") == [("o1", "p1")]


def test_reindex_writes_what_is_missing_and_removes_what_is_wrong(database: Database):
    write(database, mapped(observation("o1")), mapped(observation("o2")))
    with database.write() as connection:
        run(connection, "DELETE FROM index_token WHERE key = (SELECT key FROM resource WHERE id = 'o1')")
        run(connection, "UPDATE index_token SET code = 'wrong'")
        assert reindexing.reindex(connection, SmallIndex(), "Observation") == 2
    assert found(database) == [("o1", "final"), ("o2", "final")]


def test_result_of_a_subject_is_tied_to_the_study(database: Database):
    write(database, mapped(observation("o1")), mapped(patient("p1", subject="ATLI-901")))
    assert stored(database, "Observation", "o1")["extension"] == TIED


def test_result_of_a_patient_who_is_no_subject_is_not_tied(database: Database):
    write(database, mapped(patient("p1")), mapped(observation("o1")))
    assert "extension" not in stored(database, "Observation", "o1")


def test_registration_ties_all_that_came_before_in_every_linked_record(database: Database):
    write(database, mapped(patient("hospital")), mapped(observation("o1", of="hospital")), message_id=1)
    write(database, mapped(observation("o2", of="hospital")), message_id=2)
    write(database, mapped(observation("o3", of="stranger")), message_id=3)
    registration = mapped(patient("central", subject="ATLI-901", links=["hospital"]))
    assert write(database, registration, message_id=4) == 3
    assert [stored(database, "Observation", one).get("extension") for one in ("o1", "o2", "o3")] == [TIED, TIED, None]
    with database.read() as connection:
        assert len(history(connection, EVERYTHING, "Observation", "o1", limit=9)) == 2


def test_registration_before_the_first_hospital_message_ties_what_comes(database: Database):
    write(database, mapped(patient("central", subject="ATLI-901", links=["hospital"])))
    write(database, mapped(patient("hospital")), mapped(observation("o1", of="hospital")), message_id=2)
    assert stored(database, "Observation", "o1")["extension"] == TIED


def test_result_and_registration_in_one_batch_are_tied(database: Database):
    said = [
        mapped(observation("o1", of="hospital")),
        mapped(patient("central", subject="ATLI-901", links=["hospital"])),
    ]
    write(database, *said)
    assert stored(database, "Observation", "o1")["extension"] == TIED


def test_writers_of_one_patient_take_turns(postgres_url: str):
    database = open_database(postgres_url)

    def work(worker: int) -> None:
        for number in range(10):
            order = f"2018-03-01T{worker + 8:02d}:{number:02d}:00+08:00"
            subject = "ATLI-901" if (worker, number) == (2, 5) else ""
            said = [mapped(patient("p1", subject=subject, gender=f"{worker}-{number}"), order)]
            write(database, *said, mapped(observation(f"o{worker}-{number}"), order), message_id=worker * 10 + number)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    results = [stored(database, "Observation", f"o{w}-{n}").get("extension") for w in range(4) for n in range(10)]
    newest = stored(database, "Patient", "p1")["gender"]
    database.close()
    assert results == [TIED] * 40
    assert newest == "3-9"
