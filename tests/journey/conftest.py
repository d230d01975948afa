from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests import browser
from tests.system import System

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


@pytest.fixture(scope="package")
def system() -> Iterator[System]:
    """With a database server of its own, which may be stopped under a reader's eyes."""
    with (
        TemporaryDirectory(prefix="zupa-", ignore_cleanup_errors=True) as folder,
        System(Path(folder), own_postgres=True) as running,
    ):
        yield running


@pytest.fixture(scope="package")
def chromium(system: System) -> Iterator[Browser]:
    program = browser.executable()
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield running
        running.close()
