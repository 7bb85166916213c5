"""Cursors are of one client and one view, for a day (catalogue G38)."""

from datetime import UTC, datetime, timedelta

import pytest

from adapter.access.guard import Caller
from adapter.access.principal import Principal
from adapter.access.roles import Role
from adapter.api.cursors import LASTS, Cursors
from adapter.fhir.search_params import SearchIndex
from adapter.request_errors import BadParameter
from adapter.store.reach import IDENTIFIED, everything

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
KEY = b"a key of thirty-two bytes, no more"


def caller(client: str = "a", *, sites: frozenset[str] | None = None) -> Caller:
    role = Role("site", "a test", IDENTIFIED, "one", {}, frozenset())
    return Caller(Principal(client, "site", sites, ()), role, everything(SearchIndex({}, {}, {}, {}, UTC)))


def cursors(*, later: timedelta = timedelta(0), key: bytes = KEY) -> Cursors:
    return Cursors(key, lambda: NOW + later)


def test_g38_a_cursor_leads_on_after_a_restart_too():
    assert cursors().open(caller(), cursors().seal(caller(), "made-7")) == "made-7"


@pytest.mark.parametrize(
    ("opening", "who"),
    [
        (cursors(), caller("b")),
        (cursors(), caller(sites=frozenset({"YWCH"}))),
        (cursors(later=LASTS + timedelta(seconds=1)), caller()),
        (cursors(key=b"another key"), caller()),
    ],
    ids=["another client", "another hospital", "over", "another installation"],
)
def test_g38_a_cursor_of_somebody_else_or_of_yesterday_is_refused(opening: Cursors, who: Caller):
    with pytest.raises(BadParameter):
        opening.open(who, cursors().seal(caller(), "made-7"))
