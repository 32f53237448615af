"""What tests of several levels share: a PostgreSQL, started for the first test that wants it."""

from collections.abc import Iterator

import pytest

from tests.support.postgresql import PostgresServer, postgres_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """Whoever restarts it, or changes its settings, takes one of its own (`postgres_server`)."""
    with postgres_server() as server:
        yield server
