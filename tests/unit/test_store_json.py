from decimal import Decimal

import pytest

from adapter.fhir.json import canonical, dumps, loads


@pytest.mark.parametrize("text", [b"0.70", b"0.0000001000", b"12345678901234567890.5", b"1E+3", b"1E-999999"])
def test_decimal_is_written_as_it_was_read(text: bytes):
    assert dumps(loads(text)) == text


def test_whole_number_stays_one():
    assert dumps(loads(b'{"n":7}')) == b'{"n":7}'


def test_equal_values_are_equal_bytes_whatever_the_order_of_their_keys():
    one, other = {"b": [{"y": 1, "x": 2}], "a": Decimal("0.70")}, {"a": Decimal("0.70"), "b": [{"x": 2, "y": 1}]}
    assert canonical(one) == canonical(other)


def test_what_is_no_json_number_is_refused():
    with pytest.raises(TypeError):
        dumps(Decimal("NaN"))
    with pytest.raises(ValueError, match="NaN"):
        loads("NaN")
