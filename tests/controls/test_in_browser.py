"""Switching in a real browser: what it touches, the strip on every page, undo in one click."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, Page, Route, expect

from pipeline.models import Switch
from tests import factories
from tests.browser import WAIT_MS
from tests.controls.switching import REASON, lift, switch
from tests.live.test_in_browser import Site, site, window

__all__ = ["site", "window"]
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def signed_in(browser: Browser, site: Site, user: User, path: str, width: int = 1280) -> Page:
    client = Client()
    client.force_login(user)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": site.url}
    context = browser.new_context(viewport={"width": width, "height": 900}, base_url=site.url)
    context.add_cookies([cookie])  # type: ignore[list-item]
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.goto(path)
    return page


@pytest.fixture
def browser(window: object) -> Browser:
    made: Browser = window.browser  # type: ignore[attr-defined]
    return made


def test_pause_shows_what_it_touches_and_is_undone_in_one_click(browser: Browser, site: Site) -> None:
    conversation = factories.event().conversation
    assert conversation is not None
    page = signed_in(
        browser, site, factories.superuser(), f"/admin/conversations/conversation/{conversation.pk}/change/"
    )
    page.get_by_role("link", name="Set a switch").click()
    page.get_by_text("no answer is begun").click()
    page.get_by_label("Reason").fill(REASON)
    page.get_by_role("button", name="Show what this would do").click()
    expect(page.get_by_text("Messages that wait for an answer")).to_be_visible()
    assert not Switch.objects.exists()
    page.get_by_role("button", name="Set it").click()
    strip = page.locator("#strip")
    expect(strip).to_contain_text(REASON)
    expect(strip).to_contain_text(f"conversation {conversation}")
    strip.get_by_role("button", name="Undo").click()
    expect(strip.get_by_text(REASON)).to_have_count(0)
    assert Switch.objects.get().status == "ended"


@pytest.mark.parametrize("path", ["/review/", "/admin/", "/admin/conversations/contact/"])
def test_strip_appears_and_goes_by_itself_on_every_page(browser: Browser, site: Site, path: str) -> None:
    page = signed_in(browser, site, factories.superuser(), path)
    expect(page.locator("html")).to_have_attribute("data-live-state", "connected")
    row = switch("outbound:stop")
    expect(page.locator("#strip")).to_contain_text(REASON)
    lift(row)
    expect(page.locator("#strip").get_by_text(REASON)).to_have_count(0)


def test_what_is_switched_while_the_strip_is_on_its_way_appears_too(browser: Browser, site: Site) -> None:
    """Its answer is older than the news, and the news comes before the page has put the answer in."""
    earlier = switch("replies:stop", reason="an hour ago")
    page = signed_in(browser, site, factories.superuser(), "/review/")
    expect(page.locator("html")).to_have_attribute("data-live-state", "connected")
    page.wait_for_load_state("networkidle")

    def overtaken(route: Route) -> None:
        answer = route.fetch()
        switch("outbound:stop")
        page.wait_for_timeout(500)  # so that the page has heard of it
        route.fulfill(response=answer)

    page.route("**/review/strip/", overtaken, times=1)
    lift(earlier)
    expect(page.locator("#strip")).to_contain_text(REASON)


def test_second_person_approves_on_the_strip_and_the_first_cannot(browser: Browser, site: Site) -> None:
    ana = factories.superuser()
    page = signed_in(browser, site, ana, "/admin/pipeline/switch/add/")
    page.locator("input[value='intake:stop']").check()
    page.get_by_label("Reason").fill(REASON)
    page.get_by_role("button", name="Show what this would do").click()
    expect(page.get_by_text("until a second person approves it")).to_be_visible()
    page.get_by_role("button", name="Set it").click()
    expect(page.locator("#strip")).to_contain_text("waits for a second person")
    expect(page.locator("#strip").get_by_role("button", name="Approve")).to_have_count(0)
    other = signed_in(browser, site, factories.superuser(), "/review/")
    other.locator("#strip").get_by_role("button", name="Approve").click()
    expect(other.locator("#strip").get_by_role("button", name="Undo")).to_be_visible()
    assert Switch.objects.get().status == "active"


def test_narrow_screen_shows_the_strip_without_scrolling_sideways(browser: Browser, site: Site) -> None:
    switch("replies:stop")
    for path in ("/review/", "/admin/pipeline/switch/add/"):
        page = signed_in(browser, site, factories.superuser(), path, width=390)
        expect(page.locator("#strip")).to_contain_text(REASON)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
