from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.chaos.faults import Outside
from tests.system import System


@pytest.fixture(scope="session")
def running() -> Iterator[System]:
    """One for all tests of the folder, with a PostgreSQL of its own: each test brings its own load."""
    with (
        TemporaryDirectory(prefix="zupa-", ignore_cleanup_errors=True) as folder,
        System(Path(folder), own_postgres=True) as system,
    ):
        yield system


@pytest.fixture
def outside(running: System) -> Iterator[Outside]:
    there = Outside(running.simulator_url)
    there.mend()
    yield there
    there.mend()


@pytest.fixture
def system(running: System, outside: Outside) -> System:
    """The outside is well, and no breaker remembers what the test before did."""
    running.rows("DELETE FROM pipeline_breaker RETURNING name")
    return running
