"""Converting a quantity is exact for every number that is read."""

from decimal import Decimal

import pytest

from adapter.mapper.datatypes.nm import decimal_of
from adapter.mapper.datatypes.quantity import scaled


@pytest.mark.parametrize(
    ("sent", "factor", "expected"),
    [
        ("0.70", "10", "7.00"),
        ("7e1", "10", "700"),
        ("1e50", "100", "1" + "0" * 52),
        ("1e999", "0.01", "1" + "0" * 997),
        ("1e-99", "10", "1.0E-98"),
        ("1234567890.123456789012345678901234567891", "0.1", "123456789.0123456789012345678901234567891"),
    ],
)
def test_the_product_is_exact(sent: str, factor: str, expected: str) -> None:
    value = decimal_of(sent)
    assert value is not None
    assert str(scaled(value, Decimal(factor))) == expected
