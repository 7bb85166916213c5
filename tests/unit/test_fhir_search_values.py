"""Dates as ranges, text without case, references split."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from adapter.fhir.search_values import date_range, plain, split_reference

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2019", "2018-12-31T16:00:00", "2019-12-31T15:59:59.999999"),
        ("2020-02", "2020-01-31T16:00:00", "2020-02-29T15:59:59.999999"),
        ("2019-06-27", "2019-06-26T16:00:00", "2019-06-27T15:59:59.999999"),
        ("2019-06-27T06:20", "2019-06-26T22:20:00", "2019-06-26T22:20:59.999999"),
        ("2019-06-27T06:20:00Z", "2019-06-27T06:20:00", "2019-06-27T06:20:00.999999"),
        ("2019-06-27T06:20:00.5+08:00", "2019-06-26T22:20:00.500000", "2019-06-26T22:20:00.599999"),
        # China had summer time in 1986: this day has 23 hours, the first at +08:00, the last at +09:00.
        ("1986-05-04", "1986-05-03T16:00:00", "1986-05-04T14:59:59.999999"),
    ],
)
def test_a_date_is_the_range_that_its_precision_leaves_open(text: str, first: str, last: str) -> None:
    found = date_range(text, SHANGHAI)
    assert found is not None
    assert [datetime.fromtimestamp(moment / 1e6, UTC).replace(tzinfo=None).isoformat() for moment in found] == [
        first,
        last,
    ]


@pytest.mark.parametrize(
    "text", ["", "2019-13", "2019-02-30", "20190627", "2019-06-27T25:00:00Z", "now", "2019-06-27T06", "٢٠١٩"]
)
def test_what_is_no_date_has_no_range(text: str) -> None:
    assert date_range(text, SHANGHAI) is None


def test_text_is_compared_without_case_accents_and_extra_blanks() -> None:
    assert plain("  Jiá  LÍ ") == plain("JIA li") == "jia li"
    assert plain("示例") == "示例"


def test_only_relative_references_are_split() -> None:
    assert split_reference("Patient/a-1") == ("Patient", "a-1")
    assert split_reference("Patient/a/_history/2") == ("Patient", "a")
    assert split_reference("http://other/fhir/Patient/1") == ("", "http://other/fhir/Patient/1")
    assert split_reference("urn:uuid:x") == ("", "urn:uuid:x")
