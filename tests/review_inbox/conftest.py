from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from playwright.sync_api import sync_playwright

from tests import factories
from tests.browser import executable
from tests.engine_room import database_threads, loop_thread, outside, room
from tests.live.test_in_browser import Site, site
from tests.review_inbox.people import AUDITOR, REVIEWER, Browser

__all__ = ["database_threads", "loop_thread", "outside", "room", "site"]


@pytest.fixture
def rita(db: None) -> User:
    return factories.user(*REVIEWER, username="rita")


@pytest.fixture
def reviewer(rita: User) -> Client:
    return signed_in(rita)


@pytest.fixture
def auditor(db: None) -> Client:
    return signed_in(factories.user(*AUDITOR, username="audrey"))


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def browser(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """Playwright's own event loop makes Django's ORM shy: it is told not to be."""
    program = executable()
    with sync_playwright() as playwright:
        monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield Browser(site, chromium)
        chromium.close()
        connection.close()  # the loop's own, which nobody else would close
