from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.system import System


@pytest.fixture(scope="module")
def system() -> Iterator[System]:
    """One for all tests of a module: each brings its own load, and leaves a worker that works."""
    with (
        TemporaryDirectory(prefix="zupa-", ignore_cleanup_errors=True) as folder,
        System(Path(folder)) as running,
    ):
        yield running
