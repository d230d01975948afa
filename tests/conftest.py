"""Tests run against a real PostgreSQL: DATABASE_URL's, or an embedded one that lives as long as the run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.conf import settings
from django.contrib.auth.signals import user_logged_in
from django.db import connection
from playwright.sync_api import expect
from pytest_django import DjangoDbBlocker

from pipeline.engine import database
from tests.browser import WAIT_MS
from zupa_site import embedded_postgres, logins


def pytest_configure(config: pytest.Config) -> None:
    """Every process of the run holds the server, the workers of xdist too; the last to end stops it."""
    expect.set_options(timeout=WAIT_MS)
    if settings.ZUPA.embedded_database:
        stack = ExitStack()
        stack.enter_context(embedded_postgres.in_use(settings.ZUPA.home))
        config.add_cleanup(stack.close)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Tests that commit have their tables emptied afterwards, which the audit trail's own trigger would refuse."""
    with django_db_blocker.unblock(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_auditentry DISABLE TRIGGER audit_entry_no_truncate")
        cursor.execute("ALTER TABLE audit_seal DISABLE TRIGGER audit_seal_no_truncate")
    yield
    database._threads.close()


@pytest.fixture(autouse=True, scope="session")
def _logged_in_before() -> None:
    """`force_login` stands for somebody who has logged in before the test begins: the trail tells nothing of it."""
    user_logged_in.disconnect(logins.on_login)


@pytest.fixture
def home() -> Iterator[Path]:
    """A ZUPA_HOME of the test's own. Not in tmp_path, whose parents every start of pytest closes to other users:
    started by root, PostgreSQL is one."""
    with TemporaryDirectory(prefix="zupa-", ignore_cleanup_errors=True) as folder:
        yield Path(folder).resolve()
