from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.system import System


@pytest.fixture(scope="package")
def system() -> Iterator[System]:
    with (
        TemporaryDirectory(prefix="zupa-", ignore_cleanup_errors=True) as folder,
        System(Path(folder)) as running,
    ):
        yield running
