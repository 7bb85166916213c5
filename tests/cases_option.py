"""`pytest --update-cases` and `--update-ratchet`: write what is expected anew; the diff is the review."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-cases", action="store_true", help="write tests/cases/**/expected.json anew")
    anew = "write ratchet.json of tests/coverage and tests/agreement anew"
    parser.addoption("--update-ratchet", action="store_true", help=anew)
