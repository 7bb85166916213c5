from dataclasses import replace

import pytest

from adapter.store import figures, inbox
from adapter.store.database import Database, rows
from tests.store_stand import NOON, new_message


def test_message_is_kept_byte_for_byte(database: Database):
    raw = bytes(range(256)) * 3
    with database.write() as connection:
        (number,) = inbox.insert(connection, [new_message("m1", raw=raw)])
    with database.read() as connection:
        assert bytes(rows(connection, "SELECT raw FROM message WHERE id = ?", [number])[0][0]) == raw


def test_ids_follow_the_order_of_arrival(database: Database):
    with database.write() as connection:
        ids = inbox.insert(connection, [new_message(f"m{n}") for n in range(150)])
    assert ids == sorted(set(ids))


def test_b14_same_bytes_again_find_the_answer_that_was_given(database: Database):
    message = new_message("m1")
    with database.write() as connection:
        (number,) = inbox.insert(connection, [message])
        other = replace(message, sha256=b"x" * 32)
        assert inbox.find_duplicate(connection, [message.key, other.key]) == {
            message.key: inbox.StoredAck(number, "CA", b"MSH|ack\r")
        }
        inbox.record_attempt(connection, [inbox.Attempt(number, "fahzu", "mllp", "127.0.0.1", NOON)])
        assert rows(connection, "SELECT message_id FROM message_attempt") == [(number,)]


def test_same_message_from_two_processes_is_stored_once(database: Database):
    with database.write() as connection:
        first = inbox.insert(connection, [new_message("m1"), new_message("m2")])
    with database.write() as connection:
        again = inbox.insert(connection, [new_message("m3"), new_message("m2"), new_message("m3")])
    assert again[1] == first[1]
    assert again[0] == again[2]
    assert again[0] not in first


def test_one_control_id_with_other_bytes_is_another_message(database: Database):
    with database.write() as connection:
        ids = inbox.insert(connection, [new_message("m1"), new_message("other bytes", control_id="m1")])
    assert len(set(ids)) == 2


def test_message_with_nul_in_its_header_can_be_stored_and_found(database: Database):
    message = new_message("m\x001", peer="\x00", state="rejected")
    with database.write() as connection:
        inbox.insert(connection, [message])
        assert message.key in inbox.find_duplicate(connection, [message.key])


def test_bytes_that_are_no_message_are_kept_as_events(database: Database):
    event = inbox.Event("noise", "fahzu", "mllp", "127.0.0.1", NOON, b"GET / HTTP/1.1")
    with database.write() as connection:
        inbox.record_event(connection, [event])
        assert [tuple(row) for row in rows(connection, "SELECT kind, length FROM connection_event")] == [("noise", 14)]


def test_numbers_by_site_and_state(database: Database):
    with database.write() as connection:
        inbox.insert(connection, [new_message("a"), new_message("b"), new_message("c", state="rejected", site="YWCH")])
        assert inbox.counts(connection) == [
            inbox.Count("FAHZU", "received", "ORU", "R01", 2),
            inbox.Count("YWCH", "rejected", "ORU", "R01", 1),
        ]


def test_list_shows_the_newest_first_page_by_page(database: Database):
    with database.write() as connection:
        inbox.insert(connection, [new_message(f"m{n}") for n in range(5)])
        inbox.insert(connection, [new_message("x", state="held", cause_code="H2F-3001", mender="analyst")])
        first = inbox.listing(connection, {"state": "received"}, before=None, limit=3)
        second = inbox.listing(connection, {"state": "received"}, before=first[-1].id, limit=3)
        held = inbox.listing(connection, {"cause_code": "H2F-3001"}, before=None, limit=3)
    assert [line.control_id for line in first + second] == ["m4", "m3", "m2", "m1", "m0"]
    assert (held[0].mender, held[0].received_at) == ("analyst", NOON)


def test_list_refuses_a_filter_that_it_does_not_have(database: Database):
    with pytest.raises(KeyError), database.read() as connection:
        inbox.listing(connection, {"raw": "x"}, before=None, limit=1)


def test_findings_are_summed(database: Database):
    unread = ("FAHZU", "ORU_R01", "OBX-17", "unread", "no rule reads this field")
    doubt = ("FAHZU", "ORU_R01", "OBX-5", "not-a-number", "is declared a number")
    with database.write() as connection:
        inbox.add_findings(connection, [(*unread, 3, 1), (*doubt, 1, 1)])
        inbox.add_findings(connection, [(*unread, 2, 9)])
    with database.read() as connection:
        assert figures.findings(connection, unread=True, limit=5) == [figures.Finding(*unread, 5, 1)]
        assert figures.findings(connection, unread=False, limit=5) == [figures.Finding(*doubt, 1, 1)]
