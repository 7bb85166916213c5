"""Dates and times through the converters; the laws stand in tests/property/test_times.py."""

import pytest

from adapter.mapper.datatypes.doubt import Doubt
from adapter.mapper.times import order_key
from tests.unit.datatypes_reading import one, several, site


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        ("DTM-date", "19470509000000", "1947-05-09"),
        ("DTM-date", "1954", "1954"),
        ("DTM-date", "202601", "2026-01"),
        ("DTM-dateTime", "20171029063000+0800", "2017-10-29T06:30:00+08:00"),
        ("DTM-dateTime", "20180724085001.255+0800", "2018-07-24T08:50:01.255+08:00"),
        ("DTM-dateTime", "20171213164441", "2017-12-13T16:44:41+08:00"),
        ("DTM-dateTime", "201712240915", "2017-12-24T09:15:00+08:00"),
        ("DTM-dateTime", "20171023", "2017-10-23"),
        ("DTM-dateTime", "19880601120000", "1988-06-01T12:00:00+09:00"),
        ("DTM-dateTime", "20180101000000+0000", "2018-01-01T00:00:00+00:00"),
        ("DTM-instant", "20171029090027+0800", "2017-10-29T09:00:27+08:00"),
    ],
)
def test_precision_and_zone_are_kept(name: str, raw: str, expected: str) -> None:
    assert one(name, raw, at="PID-7", of="YWCH") == expected


@pytest.mark.parametrize("name", ["DTM-date", "DTM-dateTime", "DTM-instant"])
@pytest.mark.parametrize(
    "raw",
    ["0000", "00000000", "20260230", "2026-01-01", "201713", "20180101240000", "20180101120000+9900", "٢٠١٨", "today"],
)
def test_an_impossible_date_is_no_date(name: str, raw: str) -> None:
    made = one(name, raw, at="PID-7")
    assert (made.value, made.kind, made.code) == (None, "impossible-date", "102")


def test_hours_without_minutes_are_not_filled_in() -> None:
    made = one("DTM-dateTime", "2018010109", at="OBX-14")
    assert (made.value, made.kind) == ("2018-01-01", "precision-lost")


def test_a_date_is_no_instant() -> None:
    assert one("DTM-instant", "20180101", at="OBR-22").value is None


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("20180101080000", "20180101090000", ("2018-01-01T08:00:00+08:00", "2018-01-01T09:00:00+08:00")),
        ("20180101080000", "", ("2018-01-01T08:00:00+08:00", None)),
        ("20180101080000", "20180101", ("2018-01-01", "2018-01-01")),
        ("20180101", "20180101080000", ("2018-01-01", "2018-01-01T08:00:00+08:00")),
        ("201803", "2018", ("2018", "2018")),
        ("20180101080000", "20171231", ("2018-01-01T08:00:00+08:00", None)),
        ("20180101080000+0800", "20180101075959+0800", ("2018-01-01T08:00:00+08:00", None)),
        ("20180101080000+0800", "20180101003000+0000", ("2018-01-01T08:00:00+08:00", "2018-01-01T00:30:00+00:00")),
    ],
)
def test_a_period_never_ends_before_it_starts(start: str, end: str, expected: tuple[str, str | None]) -> None:
    made = several("DR-Period", start, end, at=("RXA-3", "RXA-4"), of="YWCH")
    if end and expected[1] is None:
        assert made.kind == "end-before-start"
    period = made.value if isinstance(made, Doubt) else made
    assert (period["start"], period.get("end")) == expected


def test_order_keys_sort_across_offsets_and_precisions() -> None:
    zone = site("YWCH").timezone
    texts = ["20171231", "20180101000000", "20171231160000.5+0000", "20180101000001", "20180101000002+0800"]
    keys = [order_key(text, zone) for text in texts]
    assert keys == sorted(keys)
    assert len({len(key) for key in keys}) == 1
    assert order_key("20180101000000", zone) == order_key("20171231160000+0000", zone) == "2017-12-31T16:00:00.000000Z"
    assert order_key("no date", zone) == ""
