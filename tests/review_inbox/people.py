"""Reviewers at their browsers, and the engine that goes on with what they decide."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import cast

import playwright.sync_api as playwright
from django.contrib.auth.models import User
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page, expect

from review.models import ReviewItem
from tests import factories
from tests.browser import WAIT_MS
from tests.engine_room import Room
from tests.live.test_in_browser import Site

REVIEWER = (
    "view_conversation",
    "view_turn",
    "view_reviewitem",
    "decide_reviewitem",
    "take_over_conversation",
)
AUDITOR = ("view_conversation", "view_turn", "view_reviewitem", "export_reviewitem")
WIDE = (1280, 800)
NARROW = (390, 844)


@dataclass
class Browser:
    site: Site
    chromium: playwright.Browser

    def of(self, user: User, size: tuple[int, int] = WIDE, scheme: str = "light") -> Page:
        """A page of their own, signed in."""
        client = Client()
        client.force_login(user)
        cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": self.site.url}
        context = self.chromium.new_context(
            viewport={"width": size[0], "height": size[1]},
            base_url=self.site.url,
            locale="en-US",
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        context.add_cookies([cookie])  # type: ignore[list-item]
        context.set_default_timeout(WAIT_MS)
        return context.new_page()

    def of_reviewer(self, name: str = "rita") -> Page:
        return self.of(factories.user(*REVIEWER, username=name))


def opened(page: Page, address: str) -> Page:
    """The page, once it hears of changes."""
    page.goto(address)
    wait_until_live(page)
    return page


def wait_until_live(page: Page) -> None:
    """Once it hears of changes, it hears keys, too; what a page shows is there before its scripts are."""
    expect(page.locator("html")).to_have_attribute("data-live-state", "connected")


def act_address(client: Client, item: ReviewItem, act: str = "decide") -> str:
    """Where the item's page posts to, with the pass that it hands out."""
    page = client.get(reverse("review:item", args=[item.pk])).content.decode()
    found = re.search(rf'hx-post="([^"]*/{act}/[^"]*)"', page)
    assert found, f"the page does not offer to {act}"
    return found[1].replace("&amp;", "&")


def post(client: Client, item: ReviewItem, decision: str, **fields: str) -> HttpResponse:
    """What the button does, on the item as it is now."""
    form = {"decision": decision, "fingerprint": item.fingerprint} | fields
    return cast("HttpResponse", client.post(act_address(client, item), form))


def work(room: Room) -> None:
    """In a thread of its own: Playwright's event loop runs in this one."""

    def run() -> None:
        room.work()
        connection.close()

    with ThreadPoolExecutor(1) as thread:
        thread.submit(run).result(60)
