"""The live conversation page in a real browser, served by a real daphne."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import quote

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright

from conversations.live import DASHBOARD, announce, conversation_topic
from conversations.models import Conversation
from tests import factories
from tests.browser import WAIT_MS, executable
from zupa_site.environment import CHECKOUT

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

START_S = 30


class Site:
    """A daphne on the test's database; stopped and started again at the same port."""

    def __init__(self) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as free:
            self.port: int = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "daphne", "-p", str(self.port), "zupa_site.asgi:application"]
        variables = {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": _database_url(),
            "ZUPA_PROCESS": "web",
        }
        self._process = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env=os.environ | variables | {"ZUPA_PROCESS": "web"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait_until_it_answers()

    def stop(self) -> None:
        """As an outage would: daphne asked politely waits for requests that nobody finishes any more."""
        self._process.kill()
        self._process.wait(timeout=20)

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_S
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/static/review/live.js").close()  # noqa: S310 - loopback
            except urllib.error.URLError:
                assert time.monotonic() < deadline, "daphne did not start"
                time.sleep(0.1)
            else:
                return


def _database_url() -> str:
    target = connection.settings_dict
    password = f":{quote(target['PASSWORD'], safe='')}" if target["PASSWORD"] else ""
    port = f"&port={target['PORT']}" if target["PORT"] else ""
    host = quote(target["HOST"], safe="")
    return f"postgresql://{quote(target['USER'])}{password}@/{target['NAME']}?host={host}{port}"


@pytest.fixture
def site() -> Iterator[Site]:
    running = Site()
    yield running
    running.stop()


@pytest.fixture
def window(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[BrowserContext]:
    """Signed in as a reviewer. Playwright's own event loop makes Django's ORM shy: it is told not to be."""
    client = Client()
    client.force_login(factories.user("view_conversation", "view_turn"))
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site.url}
    program = executable()
    with sync_playwright() as playwright:
        monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        context = chromium.new_context(viewport={"width": 1280, "height": 600}, base_url=site.url)
        context.add_cookies([cookie])  # type: ignore[list-item]
        context.set_default_timeout(WAIT_MS)
        yield context
        chromium.close()
        connection.close()  # the loop's own, which nobody else would close


def opened(window: BrowserContext, conversation: Conversation) -> Page:
    page = window.new_page()
    page.goto(f"/review/conversations/{conversation.pk}/")
    expect(page.locator("html")).to_have_attribute("data-live-state", "connected")
    return page


def say(conversation: Conversation, text: str) -> None:
    with transaction.atomic():
        factories.outbound(conversation=conversation, text=text)
        Conversation.objects.filter(pk=conversation.pk).update(last_message_at=timezone.now())
        announce(conversation_topic(conversation.pk), DASHBOARD)


def distance_to_end(page: Page) -> int:
    distance: int = page.locator("#transcript").evaluate(
        "log => Math.round(log.scrollHeight - log.scrollTop - log.clientHeight)"
    )
    return distance


def test_message_appears_by_itself_and_the_reader_stays_where_they_read(window: BrowserContext) -> None:
    conversation = factories.conversation()
    for number in range(20):
        factories.message(conversation=conversation, text=f"Earlier {number}")
    page = opened(window, conversation)
    say(conversation, "At the end")
    expect(page.get_by_text("At the end").first).to_be_visible()
    assert distance_to_end(page) == 0
    page.locator("#transcript").evaluate("log => log.scrollTo(0, 40)")
    say(conversation, "While reading above")
    expect(page.get_by_role("button", name="Newest messages")).to_be_visible()
    assert page.locator("#transcript").evaluate("log => log.scrollTop") == 40
    expect(page.locator("#said-last")).to_contain_text("While reading above")


def test_page_recovers_by_itself_from_an_outage_and_catches_up(site: Site, window: BrowserContext) -> None:
    conversation = factories.conversation()
    page = opened(window, conversation)
    site.stop()
    expect(page.get_by_text("Reconnecting…")).to_be_visible()
    say(conversation, "Said in the meantime")
    site.start()
    expect(page.get_by_text("Said in the meantime").first).to_be_visible()
    expect(page.get_by_text("Reconnecting…")).to_be_hidden()


def test_whoever_walks_the_list_by_keys_stays_where_they_are_while_it_renews_itself(
    window: BrowserContext,
) -> None:
    chosen = factories.conversation(contact=factories.contact(name="Helena"))
    page = window.new_page()
    page.goto("/review/conversations/")
    expect(page.locator("html")).to_have_attribute("data-live-state", "connected")
    page.keyboard.press("j")
    say(factories.conversation(contact=factories.contact(name="Igor")), "Hello")
    expect(page.get_by_role("link", name="Igor")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/review/conversations/{chosen.pk}/$"))


def test_list_shows_a_new_conversation_by_itself_and_filters_as_one_types(window: BrowserContext) -> None:
    page = window.new_page()
    page.goto("/review/conversations/")
    expect(page.get_by_text("No conversations yet")).to_be_visible()
    say(factories.conversation(contact=factories.contact(name="Helena")), "Hello")
    expect(page.get_by_role("link", name="Helena")).to_be_visible()
    page.get_by_role("searchbox").fill("Igor")
    expect(page.get_by_text("No conversation matches")).to_be_visible()
    assert page.url.endswith("/review/conversations/?q=Igor")


def test_narrow_screen_goes_from_list_to_conversation_and_back(window: BrowserContext) -> None:
    conversation = factories.conversation(contact=factories.contact(name="Helena"))
    page = window.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/review/conversations/")
    page.get_by_role("link", name="Helena").click()
    expect(page.get_by_role("heading", name="Helena")).to_be_visible()
    expect(page.get_by_role("searchbox")).to_be_hidden()
    page.get_by_role("link", name="Back to the list").click()
    expect(page).to_have_url(f"{page.url.split('/review/')[0]}/review/conversations/")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), conversation.pk
