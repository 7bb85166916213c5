"""Replay: what messages say differently under other mappings is written, and nothing else."""

from typing import Any

import pytest

from adapter.operate.replays import Order, selected
from adapter.request_errors import BadParameter
from adapter.store.database import Database, rows, run
from adapter.store.resources import history, read
from tests.replay_stand import (
    NEW,
    Dialect,
    changed,
    dry_run,
    one,
    receive,
    replay,
    replayer,
    versions,
    work,
    would,
)
from tests.store_stand import EVERYTHING, stored

THREE = ("p1 WBC 5 male 1", "p1 HGB 130 male 2", "p2 WBC 6 female 3")


def renamed(code: str) -> str:
    return "Leukocytes" if code == "WBC" else code


def test_replay_of_unchanged_mappings_writes_nothing(database: Database):
    receive(database, *THREE)
    work(database, Dialect())
    before = versions(database)
    told = replay(database, Dialect())
    assert (told["done"], told["tally"]["differ"], changed(told)) == (3, 0, {})
    assert versions(database) == before
    assert one(database, "SELECT count(*) FROM resource") == len(before)
    assert one(database, "SELECT count(*) FROM message WHERE replay_id IS NOT NULL") == 0


def test_changed_rule_changes_exactly_its_resources_and_the_dry_run_says_so(database: Database):
    receive(database, *THREE)
    work(database, Dialect())
    expected = dry_run(database, Dialect(code=renamed))
    assert (expected["messages"], expected["differ"], expected["patients"]) == (3, 2, 2)
    assert [(line["element"], line["what"], line["resources"]) for line in expected["elements"]] == [
        ("Observation.code.text", "changed", 2)
    ]
    assert "before" not in expected["elements"][0]
    assert versions(database)["Observation/o-p1-WBC"] == 1
    told = replay(database, Dialect(code=renamed))
    assert changed(told) == would(expected) == {"changed": 2}
    assert told["changed"]["patients"] == 2
    assert {name for name, version in versions(database).items() if version == 2} == {
        "Observation/o-p1-WBC",
        "Observation/o-p2-WBC",
    }
    assert stored(database, "Observation", "o-p1-WBC")["code"] == {"text": "Leukocytes"}


def test_replay_twice_changes_nothing_the_second_time(database: Database):
    receive(database, *THREE)
    work(database, Dialect())
    replay(database, Dialect(code=renamed))
    assert changed(replay(database, Dialect(code=renamed))) == {}


def test_removed_rule_removes_its_element_even_where_several_messages_said_it(database: Database):
    receive(database, *THREE)
    work(database, Dialect())
    expected = dry_run(database, Dialect(gender=False))
    told = replay(database, Dialect(gender=False))
    assert changed(told) == would(expected) == {"changed": 2}
    assert "gender" not in stored(database, "Patient", "p1")
    assert versions(database)["Patient/p1"] == 2
    assert told["tally"]["differ"] == expected["differ"] == 3


def test_replay_of_one_message_makes_its_resource_anew_from_all_that_speak_of_it(database: Database):
    receive(database, *THREE)
    work(database, Dialect())
    told = replay(database, Dialect(gender=False), first="1", last="1")
    assert changed(told) == {"changed": 1}
    assert "gender" not in stored(database, "Patient", "p1")
    assert stored(database, "Patient", "p2")["gender"] == "female"


def test_statement_that_is_replayed_keeps_its_place_among_newer_ones(database: Database):
    receive(database, "p1 WBC 5 male 9", "p1 WBC 4 female 1")
    work(database, Dialect())
    replay(database, Dialect(code=renamed), first="2")
    assert stored(database, "Observation", "o-p1-WBC")["valueString"] == "5"
    assert stored(database, "Patient", "p1")["gender"] == "male"


def test_resource_that_no_message_speaks_of_any_more_is_removed_and_comes_back(database: Database):
    receive(database, *THREE)
    work(database, Dialect())
    gone = Dialect(without=frozenset({"HGB"}))
    expected = dry_run(database, gone)
    told = replay(database, gone)
    assert changed(told) == would(expected) == {"removed": 1}
    assert (told["tally"]["unmapped"], expected["states"]) == (1, {"unmapped": 1})
    with database.read() as connection:
        found = read(connection, EVERYTHING, "Observation", "o-p1-HGB")
        assert found
        assert found.deleted
        index = rows(
            connection, "SELECT i.key FROM index_token AS i JOIN resource AS r ON r.key = i.key WHERE r.deleted"
        )
        assert not list(index)
    assert one(database, "SELECT state FROM message WHERE id = 2") == "unmapped"
    assert changed(replay(database, Dialect())) == {"new": 1}
    assert stored(database, "Observation", "o-p1-HGB")["valueString"] == "130"
    assert versions(database)["Observation/o-p1-HGB"] == 3
    assert one(database, "SELECT count(*) FROM index_token AS i JOIN resource AS r USING (key) WHERE r.id = 'o-p1-HGB'")


def test_removed_resource_comes_back_when_a_new_message_speaks_of_it(database: Database):
    receive(database, *THREE)
    work(database, Dialect())
    replay(database, Dialect(without=frozenset({"HGB"})))
    receive(database, "p1 HGB 128 male 4")
    work(database, Dialect())
    assert stored(database, "Observation", "o-p1-HGB")["valueString"] == "128"


def test_event_that_gets_a_map_converts_only_its_messages(database: Database):
    receive(database, *THREE)
    work(database, Dialect(without=frozenset({"HGB"})))
    assert one(database, "SELECT state FROM message WHERE id = 2") == "unmapped"
    expected = dry_run(database, Dialect())
    told = replay(database, Dialect())
    assert changed(told) == would(expected) == {"new": 1}
    assert (told["tally"]["differ"], told["tally"]["mapped"], expected["states"]) == (1, 1, {"mapped": 1})
    assert versions(database)["Observation/o-p1-HGB"] == 1
    with database.read() as connection:
        found = rows(connection, "SELECT id, state, mapping, replay_id FROM message ORDER BY id")
    assert [tuple(row) for row in found] == [
        (1, "mapped", "old mappings", None),
        (2, "mapped", NEW, told["replay"]),
        (3, "mapped", "old mappings", None),
    ]


def test_message_that_cannot_be_converted_any_more_is_told_and_its_resources_stay(database: Database):
    receive(database, *THREE)
    work(database, Dialect())
    broken = Dialect(gender=False, broken=frozenset({"HGB"}))
    expected = dry_run(database, broken)
    told = replay(database, broken)
    assert changed(told) == would(expected) == {"changed": 1}
    assert (told["tally"]["H2F-3001"], told["tally"]["left"]) == (1, 1)
    assert (expected["failed"], expected["left"]) == ({"H2F-3001": 1}, 1)
    assert stored(database, "Patient", "p1")["gender"] == "male"
    assert stored(database, "Observation", "o-p1-HGB")["valueString"] == "130"
    assert one(database, "SELECT state FROM message WHERE id = 2") == "mapped"


def test_held_message_is_left_to_requeue_and_counted(database: Database):
    receive(database, *THREE)
    work(database, Dialect(broken=frozenset({"HGB"})))
    told = replay(database, Dialect())
    assert told["tally"]["held"] == 1
    assert one(database, "SELECT state FROM message WHERE id = 2") == "held"
    assert dry_run(database, Dialect())["held"] == 1


def test_number_of_the_study_that_appears_ties_everything_of_its_patient_once(database: Database):
    receive(database, *THREE)
    work(database, Dialect())
    expected = dry_run(database, Dialect(subject=True))
    told = replay(database, Dialect(subject=True))
    assert changed(told) == would(expected) == {"changed": 5}
    assert stored(database, "Observation", "o-p1-HGB")["extension"]
    assert set(versions(database).values()) == {2}


def test_replay_that_was_stopped_goes_on_where_it_was(database: Database, monkeypatch: pytest.MonkeyPatch):
    receive(database, *(f"p{number % 7} WBC-{number} {number} male 1" for number in range(40)))
    work(database, Dialect())
    monkeypatch.setattr("adapter.replay.run.AT_ONCE", 8)
    monkeypatch.setattr("adapter.replay.run.PART_SECONDS", 0.0)
    first = replayer(database, Dialect(code=str.lower))
    begun = first.begin(Order(selected({}), NEW, "tester", "a test"))
    first.go_on(begun["replay"], NEW)
    told = first.go_on(begun["replay"], NEW)
    assert (told["done"], told["state"]) == (16, "open")
    monkeypatch.undo()
    second = replayer(database, Dialect(code=str.lower))
    told = second.go_on(None, NEW)
    assert (told["replay"], told["done"], told["state"]) == (begun["replay"], 40, "done")
    assert changed(told) == {"changed": 40}
    with pytest.raises(BadParameter):
        second.go_on(None, NEW)


def test_replay_by_other_mappings_than_those_in_force_is_refused(database: Database):
    with pytest.raises(BadParameter, match="restart"):
        replayer(database, Dialect()).begin(Order(selected({}), "others", "tester", "a test"))


def test_worker_that_converts_again_by_other_mappings_leaves_the_rest_to_a_replay(database: Database):
    receive(database, *THREE)
    work(database, Dialect())
    with database.write() as connection:
        run(connection, "UPDATE message SET state = 'received' WHERE id = 1")
    work(database, Dialect(gender=False), NEW)
    assert stored(database, "Patient", "p1")["gender"] == "male"
    assert changed(replay(database, Dialect(gender=False), last="1")) == {"changed": 1}
    assert "gender" not in stored(database, "Patient", "p1")


def test_account_names_every_version_that_a_replay_made(database: Database):
    receive(database, *THREE)
    work(database, Dialect())
    told = replay(database, Dialect(code=renamed))
    with database.read() as connection:
        (number,) = rows(connection, "SELECT id FROM resource WHERE resource_type = 'Provenance'")[0]
    account: dict[str, Any] = stored(database, "Provenance", number)
    assert [one["reference"] for one in account["target"]] == [
        "Observation/o-p1-WBC/_history/2",
        "Observation/o-p2-WBC/_history/2",
    ]
    assert account["reason"] == [{"text": "a test"}]
    assert [agent["who"]["display"] for agent in account["agent"]] == [f"hl7v2-fhir-adapter, mappings {NEW}", "tester"]
    assert str(told["replay"]) in account["activity"]["text"]


def test_message_that_comes_while_a_batch_is_made_is_not_lost(database: Database, monkeypatch: pytest.MonkeyPatch):
    receive(database, *THREE)
    work(database, Dialect())
    one_ = replayer(database, Dialect(gender=False))
    make = one_._batches.make

    def overtaken(*arguments: Any) -> Any:
        made = make(*arguments)
        if one(database, "SELECT count(*) FROM message") == 3:
            receive(database, "p1 PLT 88 female 9")
            work(database, Dialect())
        return made

    monkeypatch.setattr(one_._batches, "make", overtaken)
    told = one_.begin(Order(selected({}), NEW, "tester", "a test"))
    while told["state"] == "open":
        told = one_.go_on(told["replay"], NEW)
    assert "gender" not in stored(database, "Patient", "p1")
    with database.read() as connection:
        assert [found.version for found in history(connection, EVERYTHING, "Patient", "p1", limit=9)] == [3, 2, 1]
    assert stored(database, "Observation", "o-p1-PLT")["valueString"] == "88"
