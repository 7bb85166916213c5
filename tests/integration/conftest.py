"""What several integration tests share, because it takes a minute to make."""

import asyncio

import pytest

from tests.integration.cohort_world import World, play


@pytest.fixture(scope="session")
def played_cohort(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The reference cohort after all four streams were sent."""
    return asyncio.run(play(tmp_path_factory.mktemp("cohort")))
