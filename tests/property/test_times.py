"""Laws of times: a real time keeps its instant and precision, an unreal one gives nothing."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from adapter.mapper import times

SHANGHAI = ZoneInfo("Asia/Shanghai")
moments = st.datetimes(min_value=datetime(1930, 1, 1), max_value=datetime(2100, 1, 1))  # noqa: DTZ001
offsets = st.integers(-12 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))
PRECISIONS = {4: "%Y", 6: "%Y-%m", 8: "%Y-%m-%d"}


def v2_offset(zone: timezone) -> str:
    return datetime(2000, 1, 1, tzinfo=zone).strftime("%z")


@given(moments, offsets)
def test_an_offset_keeps_the_instant(moment: datetime, zone: timezone) -> None:
    aware = moment.replace(tzinfo=zone, microsecond=0)
    made = times.fhir_datetime(aware.strftime("%Y%m%d%H%M%S") + v2_offset(zone), SHANGHAI)
    assert made is not None
    assert datetime.fromisoformat(made) == aware
    assert not made.endswith("Z")


@given(moments)
def test_no_offset_means_the_zone_of_the_site_at_that_time(moment: datetime) -> None:
    local = moment.replace(tzinfo=SHANGHAI, microsecond=0)
    made = times.fhir_datetime(local.strftime("%Y%m%d%H%M%S"), SHANGHAI)
    assert made is not None
    assert datetime.fromisoformat(made).utcoffset() == local.utcoffset()
    assert made.startswith(local.strftime("%Y-%m-%dT%H:%M:%S"))


@given(moments, st.sampled_from(sorted(PRECISIONS)))
def test_a_date_keeps_its_precision(moment: datetime, length: int) -> None:
    text = moment.strftime("%Y%m%d")[:length]
    expected = moment.strftime(PRECISIONS[length])
    assert times.fhir_date(text) == times.fhir_datetime(text, SHANGHAI) == expected


@given(moments, st.from_regex(r"[0-9]{1,4}", fullmatch=True))
def test_a_fraction_keeps_its_digits(moment: datetime, fraction: str) -> None:
    made = times.fhir_datetime(moment.strftime("%Y%m%d%H%M%S") + "." + fraction, SHANGHAI)
    assert made is not None
    assert f".{fraction}+" in made


@given(st.text(max_size=24) | st.from_regex(r"[0-9]{4,14}(\.[0-9]*)?([+-][0-9]{0,4})?", fullmatch=True))
def test_whatever_comes_is_a_real_time_or_none(text: str) -> None:
    made = times.fhir_datetime(text, SHANGHAI)
    assert bool(times.order_key(text, SHANGHAI)) == (made is not None) or text.startswith(("0001", "9999"))
    if made is None:
        return
    assert text.isascii()
    assert text.startswith(made[:10].replace("-", ""))
    if "T" in made:
        assert datetime.fromisoformat(made[:19])
        assert "".join(filter(str.isdigit, made[:16])) == text[:12]


@given(moments, moments, offsets, offsets)
def test_order_keys_sort_as_instants_do(one: datetime, other: datetime, here: timezone, there: timezone) -> None:
    pair = [one.replace(tzinfo=here, microsecond=0), other.replace(tzinfo=there, microsecond=0)]
    keys = [
        times.order_key(moment.strftime("%Y%m%d%H%M%S") + v2_offset(zone), SHANGHAI)
        for moment, zone in zip(pair, (here, there), strict=True)
    ]
    assert (keys[0] < keys[1]) == (pair[0] < pair[1])
    assert keys[0].startswith(pair[0].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S"))
