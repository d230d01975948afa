"""An auditor in a real browser: sees everything, is offered nothing, and is refused every change."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from conversations.models import Conversation
from review.models import ReviewItem
from tests import factories
from tests.controls.test_in_browser import signed_in
from tests.live.test_in_browser import Site, site, window

__all__ = ["site", "window"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

POST = """
path => fetch(path, {
  method: "POST",
  headers: {"X-CSRFToken": document.cookie.match(/csrftoken=([^;]+)/)[1]},
}).then(answer => answer.status)
"""


@pytest.fixture
def browser(window: BrowserContext) -> Browser:
    assert window.browser is not None
    return window.browser


@pytest.fixture
def auditors_page(browser: Browser, site: Site) -> Page:
    return signed_in(browser, site, factories.member("auditor"), "/admin/")


def test_auditor_reads_everything_is_offered_nothing_and_refused_every_change(auditors_page: Page) -> None:
    item, switch = factories.review_item(), factories.switch()
    conversation, agent = item.conversation, item.conversation.channel.agent
    page = auditors_page

    page.goto(f"/review/items/{item.pk}/")
    expect(page.get_by_role("region", name="Review item").get_by_text(item.proposal["text"])).to_be_visible()
    for act in ("Approve", "Edit", "Reject", "Answer yourself", "Take over"):
        expect(page.get_by_role("button", name=act)).to_have_count(0)
    page.goto(f"/review/conversations/{conversation.pk}/")
    expect(page.get_by_role("button", name="Take over")).to_have_count(0)
    expect(page.get_by_role("button", name="Send")).to_have_count(0)
    page.goto(f"/admin/conversations/agent/{agent.pk}/change/")
    expect(page.get_by_role("button", name="Save", exact=True)).to_have_count(0)
    page.goto(f"/admin/pipeline/switch/{switch.pk}/change/")
    expect(page.get_by_text(switch.reason).first).to_be_visible()
    expect(page.get_by_role("button", name="Undo")).to_have_count(0)

    for path in (
        f"/review/items/{item.pk}/decide/",
        f"/review/conversations/{conversation.pk}/take-over/",
        f"/review/conversations/{conversation.pk}/say/",
        f"/review/conversations/{conversation.pk}/note/",
        "/admin/pipeline/switch/add/",
        f"/admin/conversations/agent/{agent.pk}/change/",
    ):
        assert page.evaluate(POST, path) == 403, path
    page.evaluate(POST, f"/admin/pipeline/switch/{switch.pk}/lift/")
    switch.refresh_from_db()
    assert (switch.status, ReviewItem.objects.get().status) == ("active", "open")
    assert Conversation.objects.get(pk=conversation.pk).owner_kind == "agent"


@pytest.mark.parametrize(
    "path", ["/admin/pipeline/switch/add/", "/admin/pipeline/switch/", "/admin/pipeline/blocklistentry/add/"]
)
def test_pages_of_the_controls_have_no_serious_barrier(browser: Browser, site: Site, path: str) -> None:
    factories.switch()
    page = signed_in(browser, site, factories.superuser(), path)
    content = page.locator("#content-main, #changelist, #content").first
    expect(content).to_be_visible()
    found = Axe().run(page, context="#main, #content, main").response["violations"]
    serious = [one["id"] for one in found if one["impact"] in ("serious", "critical")]
    assert serious == []
