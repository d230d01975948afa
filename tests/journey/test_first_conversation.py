"""The first ten minutes with Zupa, in a real browser: a customer writes from the phone, staff see it happen."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import WAIT_MS
from tests.system import System

pytestmark = [pytest.mark.browser, pytest.mark.acceptance, pytest.mark.xdist_group("journey")]

SIZES = {"wide": (1280, 800), "narrow": (390, 844)}
ARRIVED = re.compile("^(Delivered|Read)$")
TURN_PHASES = ("access_policy", "prompt_build", "agentic_loop", "persistence")


@pytest.fixture
def staff(chromium: Browser, system: System) -> Iterator[Page]:
    """Somebody at the login, on the way to the conversations."""
    context = chromium.new_context(
        base_url=system.url, locale="en-US", viewport={"width": 1280, "height": 800}
    )
    context.set_default_timeout(WAIT_MS)
    page = context.new_page()
    page.goto("/review/conversations/")
    yield page
    context.close()


@pytest.fixture
def phone(chromium: Browser, system: System) -> Iterator[Page]:
    context = chromium.new_context(base_url=system.simulator_url, locale="en-US")
    context.set_default_timeout(WAIT_MS)
    yield context.new_page()
    context.close()


def sign_in(page: Page, system: System) -> None:
    page.locator("[name=username]").fill(system.demo["admin"]["username"])
    page.locator("[name=password]").fill(system.demo["admin"]["password"])
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_url(f"{system.url}/review/conversations/")
    expect(page.locator("html")).to_have_attribute("data-live-state", "connected")


def pick_up(phone: Page, name: str, number: str) -> None:
    phone.goto(f"/?channel=whatsapp-demo&from={number}&name={name}")


def write(phone: Page, text: str) -> None:
    phone.get_by_test_id("composer").fill(text)
    phone.get_by_test_id("composer").press("Enter")


def photograph(page: Page, name: str) -> None:
    """For people to look at, where ZUPA_SCREENSHOTS names a folder; at both widths nothing may stick out."""
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (
            f"{name} is too wide ({size})"
        )
        if folder := os.environ.get("ZUPA_SCREENSHOTS"):
            page.screenshot(path=Path(folder) / f"{name}-{size}.png")
    page.set_viewport_size({"width": 1280, "height": 800})


def test_message_from_the_phone_is_answered_and_watched_without_a_reload(
    staff: Page, phone: Page, system: System
) -> None:
    photograph(staff, "1-login")
    sign_in(staff, system)
    expect(staff.get_by_text("No conversations yet")).to_be_visible()
    photograph(staff, "2-empty")
    mark(staff)

    pick_up(phone, "Ana", "5511999990001")
    write(phone, "Where is my order 123?")
    expect(phone.get_by_test_id("bubble-in")).to_contain_text("Order 123")

    staff.get_by_role("link", name="Ana").click()
    said = staff.locator("#transcript article")
    expect(said).to_have_count(2)
    expect(said.nth(0)).to_contain_text("Where is my order 123?")
    expect(said.nth(1)).to_contain_text("Order 123")
    expect(said.nth(1).get_by_title(ARRIVED)).to_be_visible()
    photograph(staff, "3-conversation")

    mark(staff)
    write(phone, "#sleep 4 Thank you!")
    expect(staff.get_by_text("is typing…")).to_be_visible()
    expect(staff.locator(".running code")).to_have_text("agentic_loop")
    photograph(staff, "4-running")
    expect(said).to_have_count(4)
    expect(said.nth(3).get_by_title(ARRIVED)).to_be_visible()
    expect(staff.locator(".running")).to_have_count(0)
    assert is_marked(staff), "the page was loaded anew"


def mark(page: Page) -> None:
    page.evaluate("window.hereAllAlong = true")


def is_marked(page: Page) -> bool:
    return bool(page.evaluate("window.hereAllAlong === true"))


def note_states(page: Page) -> None:
    page.evaluate("""() => {
        const html = document.documentElement;
        window.liveStates = [html.dataset.liveState];
        new MutationObserver(() => window.liveStates.push(html.dataset.liveState))
            .observe(html, { attributeFilter: ["data-live-state"] });
    }""")


def noted_states(page: Page) -> list[str]:
    return list(page.evaluate("window.liveStates"))


def test_answer_leads_to_the_timeline_of_its_turn(staff: Page, phone: Page, system: System) -> None:
    sign_in(staff, system)
    pick_up(phone, "Bruno", "5511999990002")
    write(phone, "Where is my order 1077?")
    staff.get_by_role("link", name="Bruno").click()
    answer = staff.locator("#transcript article").filter(has_text="Order 1077 ")
    answer.get_by_role("link", name="turn").click()
    expect(staff.get_by_text("with 2 model calls and 1 tool call")).to_be_visible()
    timeline = staff.locator(".zupa-waterfall")
    for phase in TURN_PHASES:
        expect(timeline.get_by_text(phase, exact=True)).to_be_visible()
    tool = timeline.get_by_role("group").filter(has=staff.locator("summary", has_text="order_status"))
    tool.locator("summary").click()
    expect(tool).to_contain_text("was delivered yesterday")
    photograph(staff, "5-turn")
    staff.goto("/admin/")
    expect(staff.get_by_text("In flight", exact=False).first).to_be_visible()
    photograph(staff, "6-dashboard")


def test_staff_see_an_outage_of_the_database_and_its_end_by_themselves(
    staff: Page, phone: Page, system: System
) -> None:
    sign_in(staff, system)
    pick_up(phone, "Clara", "5511999990003")
    write(phone, "Good morning")
    staff.get_by_role("link", name="Clara").click()
    said = staff.locator("#transcript article")
    expect(said).to_have_count(2)
    expect(staff.locator("html")).to_have_attribute("data-live-state", "connected")
    mark(staff)

    system.stop_postgres("immediate")
    expect(staff.get_by_text("Reconnecting…")).to_be_visible()
    note_states(staff)
    photograph(staff, "7-outage")
    write(phone, "Are you there?")
    expect(phone.get_by_test_id("bubble-out").last).to_have_attribute("data-state", "failed")
    other = staff.context.new_page()
    other.goto("/review/conversations/")
    expect(other.get_by_role("heading", name="The database does not answer")).to_be_visible()
    photograph(other, "8-outage-page")
    assert "connected" not in noted_states(staff)
    system.start_postgres()

    expect(staff.get_by_text("Reconnecting…")).to_be_hidden()
    expect(other.get_by_role("link", name="Clara")).to_be_visible()
    phone.get_by_test_id("retry").click()
    expect(said).to_have_count(4)
    expect(said.nth(3)).to_contain_text("Are you there?")
    assert is_marked(staff), "the page was loaded anew"


def test_developer_reads_the_api_without_the_internet(staff: Page, system: System) -> None:
    staff.goto("/api/docs")
    expect(staff.get_by_text("/api/webhooks/whatsapp/{slug}").first).to_be_visible()
    photograph(staff, "9-api")
