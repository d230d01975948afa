"""Takeover in a real browser, beside a real worker and a real web process."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, expect, sync_playwright

from conversations.live import announce, conversation_topic
from conversations.models import Attachment, Conversation, Message
from tests import factories
from tests.acceptance.load import eventually
from tests.browser import WAIT_MS, executable
from tests.engine.test_sends import closing_connections
from tests.engine_room import ADDRESS, Room
from tests.live.test_in_browser import Site, site
from tests.takeover.acts import fresh, take_over

__all__ = ["site"]

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Open = Callable[[User, Conversation], Page]
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


@pytest.fixture
def open_page(site: Site, monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """The conversation's page, live, in a browser of that person's own. No page may break its own policy."""
    complaints: list[str] = []

    def opened(user: User, conversation: Conversation) -> Page:
        client = Client()
        client.force_login(user)
        context = chromium.new_context(viewport={"width": 1280, "height": 700}, base_url=site.url)
        value = client.cookies["sessionid"].value
        context.add_cookies([{"name": "sessionid", "value": value, "url": site.url}])
        context.set_default_timeout(WAIT_MS)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(said.text) if "Policy" in said.text else None)
        page.goto(f"/review/conversations/{conversation.pk}/")
        expect(page.locator("html")).to_have_attribute("data-live-state", "connected")
        return page

    program = executable()
    with sync_playwright() as playwright:
        monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
        chromium = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        chromium.close()
        connection.close()
    assert complaints == []


@pytest.fixture
def conversation(room: Room) -> Conversation:
    """The contact wrote an hour ago, and was answered."""
    contact = factories.contact(channel=room.channel, address=ADDRESS, name="Helena")
    conversation = factories.conversation(contact=contact)
    factories.message(conversation=conversation, created_at=timezone.now() - timedelta(hours=1))
    factories.outbound(conversation=conversation, delivery="delivered")
    return conversation


def banner(page: Page) -> Any:
    return page.get_by_role("region", name="Who answers")


def heard(conversation: Conversation, text: str) -> None:
    with transaction.atomic():
        factories.message(conversation=conversation, text=text)
        announce(conversation_topic(conversation.pk))


def test_takeover_during_a_slow_model_call_silences_the_agent(
    room: Room, conversation: Conversation, rita: User, open_page: Open
) -> None:
    page = open_page(rita, conversation)
    room.say("#sleep 8 Where is it?")
    worker = threading.Thread(target=closing_connections(room.work))
    worker.start()
    eventually(lambda: room.calls("llm") == 1, within_s=20)
    expect(page.get_by_text("is typing")).to_be_visible()
    page.keyboard.press("t")
    page.keyboard.type("she is upset")
    page.keyboard.press("Enter")
    expect(banner(page)).to_contain_text("You answer")
    worker.join()
    expect(page.get_by_text("is typing")).to_be_hidden()
    assert room.accepted() == []
    assert fresh(conversation).owner == rita


@pytest.mark.parametrize(
    ("choice", "answers"),
    [("Answer what was missed", 1), ("Wait for the next message", 0), ("Wait, and read this note first", 0)],
)
def test_conversation_is_handed_back_in_three_ways(
    room: Room, conversation: Conversation, rita: User, open_page: Open, choice: str, answers: int
) -> None:
    take_over(conversation, rita)
    room.say("Are you there?")
    room.work()
    page = open_page(rita, conversation)
    page.keyboard.press("b")
    page.get_by_label(choice).check()
    if "note" in choice:
        page.get_by_label("Note for the agent").fill("Her refund is approved.")
    page.get_by_label("Why?").fill("settled")
    page.get_by_label("Why?").press("Enter")
    expect(banner(page)).to_contain_text("(agent) answers")
    room.work()
    assert len(room.accepted()) == answers
    note = page.locator("article.note", has_text="Her refund is approved.")
    expect(note).to_have_count(1 if "note" in choice else 0)


def test_what_somebody_types_outlives_whatever_comes_in(
    conversation: Conversation, rita: User, bruno: User, open_page: Open
) -> None:
    take_over(conversation, rita)
    page = open_page(rita, conversation)
    text = page.get_by_label("Message to the contact")
    text.fill("Half a sen")
    heard(conversation, "Still waiting")
    expect(page.get_by_text("Still waiting").first).to_be_visible()
    expect(text).to_have_value("Half a sen")
    expect(text).to_be_focused()
    take_over(conversation, bruno)
    expect(banner(page)).to_contain_text("Bruno answers")
    expect(text).to_be_disabled()
    expect(text).to_have_value("Half a sen")
    page.reload()
    expect(text).to_have_value("Half a sen")


def test_form_that_somebody_fills_in_rests_while_the_page_goes_on(
    conversation: Conversation, rita: User, open_page: Open
) -> None:
    page = open_page(rita, conversation)
    page.keyboard.press("t")
    page.keyboard.type("she is up")
    heard(conversation, "Hello?")
    expect(page.get_by_text("Hello?").first).to_be_visible()
    page.keyboard.type("set")
    expect(page.get_by_label("Why?")).to_have_value("she is upset")


def test_two_who_look_at_the_same_conversation_see_each_other(
    conversation: Conversation, rita: User, bruno: User, open_page: Open
) -> None:
    page = open_page(rita, conversation)
    other = open_page(bruno, conversation)
    expect(page.get_by_text("Bruno is also here")).to_be_visible()
    expect(other.get_by_text("Rita is also here")).to_be_visible()
    other.close()
    expect(page.get_by_text("Bruno is also here")).to_be_hidden()


def test_canned_reply_is_found_and_sent_by_keys_alone_and_only_once(
    conversation: Conversation, rita: User, open_page: Open
) -> None:
    factories.canned_reply(shortcut="hello", text="Hello $contact_name, how can I help?")
    take_over(conversation, rita)
    page = open_page(rita, conversation)
    text = page.get_by_label("Message to the contact")
    text.press_sequentially("/he")
    expect(page.get_by_role("option", name="/hello")).to_have_attribute("aria-selected", "true")
    text.press("Enter")
    expect(text).to_have_value("Hello Helena, how can I help?")
    page.get_by_role("button", name="Send").dblclick()
    expect(page.locator(".by-person").get_by_text("Hello Helena, how can I help?")).to_be_visible()
    expect(text).to_have_value("")
    assert Message.objects.filter(author_kind="person").count() == 1


def test_picture_is_attached_sent_and_shown(conversation: Conversation, rita: User, open_page: Open) -> None:
    take_over(conversation, rita)
    page = open_page(rita, conversation)
    file = page.locator("#attach-file")
    file.set_input_files({"name": "notes.exe", "mimeType": "application/x-msdownload", "buffer": b"MZ"})
    expect(page.get_by_role("alert")).to_contain_text("cannot be sent")
    file.set_input_files({"name": "pixel.png", "mimeType": "image/png", "buffer": PIXEL})
    expect(page.locator(".attached")).to_contain_text("pixel.png")
    page.get_by_role("button", name="Send").click()
    picture = page.get_by_role("img", name="pixel.png")
    expect(picture).to_be_visible()
    eventually(lambda: bool(picture.evaluate("image => image.naturalWidth")), within_s=15)
    (settings.ZUPA.home / "media" / str(Attachment.objects.get().file.name)).unlink()


def test_document_larger_than_any_webhook_may_be_attached(
    conversation: Conversation, rita: User, open_page: Open
) -> None:
    take_over(conversation, rita)
    page = open_page(rita, conversation)
    pages = b"%PDF-1.7" + b"x" * 6 * 1024 * 1024
    file = {"name": "manual.pdf", "mimeType": "application/pdf", "buffer": pages}
    page.locator("#attach-file").set_input_files(file)  # type: ignore[arg-type]
    expect(page.locator(".attached")).to_contain_text("manual.pdf")
    kept = Attachment.objects.get()
    assert kept.size_bytes == len(pages)
    (settings.ZUPA.home / "media" / str(kept.file.name)).unlink()


def test_composer_closes_with_the_window(conversation: Conversation, rita: User, open_page: Open) -> None:
    take_over(conversation, rita)
    Message.objects.filter(direction="in").update(
        created_at=timezone.now() - timedelta(hours=24) + timedelta(seconds=12)
    )
    page = open_page(rita, conversation)
    expect(page.get_by_text("WhatsApp takes messages for")).to_be_visible()
    expect(page.get_by_text("More than 24 hours have passed")).to_be_visible()
    expect(page.get_by_label("Message to the contact")).to_be_disabled()


@pytest.mark.parametrize("width", [1280, 390])
def test_page_has_no_serious_barrier_and_fits(
    conversation: Conversation, rita: User, open_page: Open, width: int
) -> None:
    factories.note(conversation=conversation, for_agent=True)
    take_over(conversation, rita)
    page = open_page(rita, conversation)
    page.set_viewport_size({"width": width, "height": 844})
    page.keyboard.press("n")
    for key in ("n", "b"):
        page.get_by_role("heading", name="Helena").click()
        page.keyboard.press(key)
        found = Axe().run(page).response["violations"]
        assert [issue["id"] for issue in found if issue["impact"] in ("serious", "critical")] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
