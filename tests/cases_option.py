"""`pytest --update-cases`: write expected.json of every case anew; the diff is the review."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-cases", action="store_true", help="write tests/cases/**/expected.json anew")
