"""The inbox in a real browser, served by a real daphne; the real engine goes on with what was decided."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.utils import timezone
from playwright.sync_api import Page, expect

from pipeline import housekeeping
from review import decisions
from review.decisions import Verdict
from review.models import ReviewDecision, ReviewItem
from tests import factories
from tests.engine_room import Room, make_due
from tests.holds.people import VOUCHER, the_item
from tests.review_inbox.people import NARROW, REVIEWER, WIDE, Browser, opened, wait_until_live, work

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def held(room: Room, browser: Browser) -> Room:
    """A voucher is proposed, and waits."""
    room.configure(allowed_tools=["offer_voucher"], burst_window_s=0.001)
    room.say(VOUCHER)
    work(room)
    return room


@pytest.fixture
def rita(held: Room, browser: Browser) -> Page:
    """She looks at it."""
    return opened(browser.of_reviewer(), f"/review/items/{the_item().pk}/")


def test_approve_by_keys_and_the_turn_goes_on(held: Room, rita: Page) -> None:
    rita.keyboard.press("a")
    expect(rita.get_by_text("is carried out once")).to_be_visible()
    assert the_item().status == "open", "one key decides nothing"
    rita.keyboard.press("Enter")
    expect(rita.get_by_text("Approved:")).to_be_visible()
    expect(rita.get_by_text("Nothing waits for a person.")).to_be_visible()
    work(held)
    assert "voucher of R$ 50" in held.accepted()[0]


def test_edit_in_the_form_runs_as_changed(held: Room, rita: Page) -> None:
    rita.keyboard.press("e")
    rita.get_by_label("amount").fill("20")
    expect(rita.get_by_text("You are deciding on this")).to_be_visible()
    rita.get_by_role("button", name="Approve with changes").click()
    expect(rita.get_by_text("Approved with changes:")).to_be_visible()
    work(held)
    assert "voucher of R$ 20" in held.accepted()[0]


def test_reject_with_a_reason_and_the_next_item_opens_by_itself(held: Room, rita: Page) -> None:
    following = factories.review_item(kind="policy", why_code="review.rejected")
    rita.keyboard.press("r")
    rita.get_by_label("Why? The agent is told").fill("No vouchers this month.")
    rita.locator("#act-reject").get_by_role("button", name="Reject").click()
    expect(rita).to_have_url(re.compile(f"/review/items/{following.pk}/$"))
    expect(rita.get_by_text("Rejected:")).to_be_visible()
    work(held)
    assert held.outcomes() == ["replied"]


def test_expires_while_somebody_looks_and_their_words_stay(held: Room, rita: Page) -> None:
    rita.get_by_role("button", name="Answer yourself").click()
    rita.get_by_label("Your answer").fill("I will call you.")
    ReviewItem.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    housekeeping.run(now=timezone.now())
    expect(rita.get_by_text("Expired.")).to_be_visible()
    expect(rita.locator("#act-answer [data-decides]")).to_be_disabled()
    expect(rita.get_by_label("Your answer")).to_have_value("I will call you.")


def test_superseded_while_somebody_looks_and_it_leads_to_the_new_one(held: Room, rita: Page) -> None:
    before = the_item()
    held.say("And one for my sister.")
    make_due()
    work(held)
    expect(rita.get_by_text("Superseded.")).to_be_visible()
    rita.get_by_role("link", name="Open what stands in its place").click()
    expect(rita.get_by_text("In place of an earlier proposal")).to_be_visible()
    before.refresh_from_db()
    assert (before.status, held.accepted()) == ("superseded", [])


def test_of_two_reviewers_one_decides_and_the_other_is_told(held: Room, rita: Page, browser: Browser) -> None:
    item = the_item()
    rita.route(
        "**/standing/*", lambda route: route.abort()
    )  # her line is slow: she sees nothing of what otto does
    rita.keyboard.press("r")
    expect(rita.get_by_text("You are deciding on this")).to_be_visible()
    decisions.release(item.pk, by=User.objects.get(username="rita"), now=timezone.now())
    otto = opened(browser.of_reviewer("otto"), f"/review/items/{item.pk}/")
    otto.keyboard.press("a")
    otto.keyboard.press("Enter")
    expect(otto.get_by_text("Approved:")).to_be_visible()
    rita.get_by_label("Why? The agent is told").fill("Too much.")
    rita.locator("#act-reject").get_by_role("button", name="Reject").click()
    expect(rita.get_by_role("alert")).to_contain_text("otto decided on this already: approve.")
    expect(rita.get_by_label("Why? The agent is told")).to_have_value("Too much.")
    work(held)
    assert sum("voucher of" in text for text in held.accepted()) == 1


def test_claim_of_somebody_else_is_seen_at_once(held: Room, rita: Page) -> None:
    otto = factories.user(*REVIEWER, username="otto")
    decisions.claim(the_item().pk, by=otto, now=timezone.now())
    expect(rita.get_by_text("otto is deciding on this right now")).to_be_visible()
    expect(rita.locator("#row-" + str(the_item().pk))).to_contain_text("otto")
    expect(rita.locator("#act-approve [data-decides]")).to_be_disabled()


def test_keys_walk_the_list_select_search_and_explain_themselves(browser: Browser) -> None:
    items = [factories.review_item(kind="policy", risk="low", bulk_key="same") for _ in range(3)]
    page = opened(browser.of_reviewer(), "/review/")
    for key in ("j", "x", "j", "x", "k"):
        page.keyboard.press(key)
    expect(page.locator(f"#row-{items[0].pk}")).to_be_focused()
    expect(page.get_by_text("2 selected")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("jax?")
    expect(page.get_by_role("searchbox")).to_have_value("jax?")
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    dialog = page.get_by_role("dialog", name="Keys")
    expect(dialog.get_by_text("Select the row")).to_be_visible()
    expect(dialog.get_by_text("Take over")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()


def test_keys_walk_the_conversations_too(browser: Browser) -> None:
    newest = factories.review_item().conversation
    page = opened(browser.of_reviewer(), "/review/conversations/")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name=newest.contact.name)).to_be_visible()
    wait_until_live(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys").get_by_text("Search")).to_be_visible()
    expect(page.get_by_role("dialog", name="Keys").get_by_text("Select the row")).to_be_hidden()


def test_live_rows_come_and_go_and_selection_and_focus_stay(browser: Browser) -> None:
    kept, gone = (factories.review_item(kind="policy", risk="low", bulk_key="same") for _ in range(2))
    page = opened(browser.of_reviewer(), "/review/")
    page.keyboard.press("j")
    page.keyboard.press("x")
    otto = factories.user(*REVIEWER)
    verdict = Verdict(decision=ReviewDecision.DISMISS, fingerprint=gone.fingerprint, reason="Settled.")
    decisions.decide(gone.pk, verdict, by=otto, now=timezone.now())
    expect(page.locator(f"#row-{gone.pk}")).to_have_count(0)
    expect(page.locator(f"#row-{kept.pk}")).to_be_focused()
    expect(page.get_by_role("checkbox").first).to_be_checked()
    expect(page.locator("#number-open")).to_contain_text("1 item is open")


def test_identical_items_are_decided_together_in_the_bar(browser: Browser) -> None:
    for _ in range(3):
        factories.review_item(kind="policy", risk="low", bulk_key="same")
    page = opened(browser.of_reviewer(), "/review/")
    for key in ("j", "x", "j", "x"):
        page.keyboard.press(key)
    expect(page.get_by_text("2 selected")).to_be_visible()
    page.get_by_label("Decide together").select_option("dismiss")
    page.get_by_label("Why? (not needed").fill("Spam.")
    page.get_by_role("button", name="Decide all").click()
    expect(page.get_by_text("Decided 2 items: dismiss.")).to_be_visible()
    assert ReviewItem.objects.filter(status="decided", decision_reason="Spam.").count() == 2


def test_narrow_screen_goes_from_list_to_item_and_back(browser: Browser) -> None:
    item = factories.review_item()
    page = opened(browser.of(factories.user(*REVIEWER), NARROW), "/review/")
    page.locator(f"#row-{item.pk}").click()
    expect(page.get_by_role("button", name="Approve")).to_be_visible()
    expect(page.get_by_role("searchbox")).to_be_hidden()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_role("link", name="Back to the list").click()
    expect(page.get_by_role("searchbox")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_no_serious_violation_of_accessibility(scheme: str, size: tuple[int, int], browser: Browser) -> None:
    call = {"tool": "offer_voucher", "arguments": {"order_id": "7", "amount": 50}}
    item = factories.review_item(kind="tool_approval", proposal=call, why_code="review.required")
    factories.review_item(due_at=timezone.now() - timedelta(hours=1), kind="failed_turn", proposal={})
    page = browser.of(factories.user(*REVIEWER, "export_reviewitem"), size, scheme)
    assert serious(opened(page, "/review/")) == []
    assert serious(opened(page, "/review/?tab=done&kind=policy")) == []
    opened(page, f"/review/items/{item.pk}/")
    page.get_by_role("button", name="Edit").click()
    expect(page.get_by_text("You are deciding on this")).to_be_visible()
    assert serious(page) == []
    page.get_by_role("button", name="Reject").click()
    assert serious(page) == []


def serious(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['html'][:160]}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
