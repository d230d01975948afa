"""The phone's page in a real browser, with the simulator behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import browser
from tests.simulator.world import Outside, Zupa, eventually

pytestmark = pytest.mark.browser
ANA = "/?channel=whatsapp-demo&from=5511999990001&name=Ana"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    program = browser.executable()
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def phone(chromium: Browser, outside: Outside) -> Iterator[Page]:
    context = chromium.new_context(base_url=outside.url, locale="en-US")
    page = context.new_page()
    page.goto(ANA)
    yield page
    context.close()


def write(phone: Page, text: str) -> None:
    phone.get_by_test_id("composer").fill(text)
    phone.get_by_test_id("composer").press("Enter")


def test_a_conversation_is_seen_live_and_read(phone: Page, outside: Outside, zupa: Zupa) -> None:
    write(phone, "Where is <b>my</b> order?")
    mine = phone.get_by_test_id("bubble-out")
    expect(mine).to_contain_text("Where is <b>my</b> order?")
    expect(mine).to_have_attribute("data-state", "sent")
    message = zupa.received[0].body["entry"][0]["changes"][0]["value"]["messages"][0]
    outside.graph({"status": "read", "message_id": message["id"], "typing_indicator": {"type": "text"}})
    expect(mine).to_have_attribute("data-state", "read")
    expect(phone.get_by_test_id("typing")).to_be_visible()
    outside.send_text("It is on its way.")
    expect(phone.get_by_test_id("bubble-in")).to_contain_text("It is on its way.")
    expect(phone.get_by_test_id("typing")).to_have_count(0)
    eventually(lambda: "read" in [each["status"] for each in zupa.statuses()])


def test_a_refused_message_stays_failed_until_it_is_tried_again(phone: Page, zupa: Zupa) -> None:
    zupa.answers = [503]
    write(phone, "hello")
    mine = phone.get_by_test_id("bubble-out")
    expect(mine).to_have_attribute("data-state", "failed")
    expect(mine).to_contain_text("HTTP 503")
    phone.get_by_test_id("retry").click()
    expect(mine).to_have_attribute("data-state", "sent")
    ids = [each.body["entry"][0]["changes"][0]["value"]["messages"][0]["id"] for each in zupa.received]
    assert ids[0] == ids[1]


def test_what_was_said_is_there_again_after_a_reload_and_other_people_have_their_own_chat(
    phone: Page, outside: Outside
) -> None:
    outside.send_text("good morning")
    expect(phone.get_by_test_id("bubble-in")).to_have_count(1)
    phone.reload()
    expect(phone.get_by_test_id("bubble-in")).to_have_count(1)
    phone.get_by_test_id("person").filter(has_text="Bruno").click()
    expect(phone.get_by_test_id("bubble-in")).to_have_count(0)
    outside.send_text("hello Bruno", to="5511999990002")
    expect(phone.get_by_test_id("bubble-in")).to_contain_text("hello Bruno")


def test_a_fault_is_added_and_cleared_from_the_panel(phone: Page, outside: Outside) -> None:
    phone.get_by_text("Make things fail").click()
    phone.get_by_label("How").select_option("error")
    phone.get_by_test_id("add-fault").click()
    expect(phone.get_by_test_id("faults-panel").get_by_role("listitem")).to_contain_text("Error 500")
    (fault,) = outside.get("/_sim/faults")["faults"]
    assert (fault["target"], fault["mode"], fault["rate"]) == ("llm", "error", 1)
    phone.get_by_test_id("clear-faults").click()
    expect(phone.get_by_test_id("faults-panel").get_by_role("listitem")).to_have_count(0)
    assert outside.get("/_sim/faults") == {"faults": []}


def test_the_owner_answers_by_hand_on_the_channel_that_tells_of_it(phone: Page, zupa: Zupa) -> None:
    expect(phone.get_by_test_id("hand-text")).to_be_hidden()
    phone.get_by_test_id("channel").select_option("waha-demo")
    write(phone, "hello")
    expect(phone.get_by_test_id("bubble-out")).to_have_attribute("data-state", "sent")
    phone.get_by_test_id("hand-text").fill("One moment, please.")
    phone.get_by_test_id("hand-send").click()
    theirs = phone.get_by_test_id("bubble-in")
    expect(theirs).to_contain_text("One moment, please.")
    expect(theirs).to_contain_text("by hand")
    expect(phone.get_by_test_id("hand-text")).to_have_value("")
    assert zupa.told("message")[0]["id"].startswith("false_5511999990001@c.us_3EB0")
    assert zupa.told("message.any")[0]["source"] == "app"
