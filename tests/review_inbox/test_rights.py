"""Who gets into the inbox, sees which items there, and may do what."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from audit.models import AuditEntry
from review import access, passes
from review.models import ReviewItem
from review.topics import REVIEWS
from tests import factories
from tests.review_inbox.people import AUDITOR, REVIEWER, act_address, post

pytestmark = pytest.mark.django_db
PAGES = ("inbox", "inbox_rows", "more_inbox_rows", "number_open", "chosen", "cases")
ACTS = ("claim", "release", "decide")


@pytest.mark.parametrize("name", PAGES)
def test_pages_refuse_whoever_has_no_right_to_them(name: str, client: Client) -> None:
    assert client.get(reverse(f"review:{name}")).status_code == 302
    client.force_login(factories.user("view_turn"))
    assert client.get(reverse(f"review:{name}")).status_code == 403
    client.force_login(factories.user(*REVIEWER, *AUDITOR, is_staff=False))
    assert client.get(reverse(f"review:{name}")).status_code == 403


def test_who_may_only_read_conversations_is_led_to_them(client: Client) -> None:
    client.force_login(factories.user("view_conversation"))
    assert client.get("/review/").headers["Location"] == "/review/conversations/"


@pytest.mark.parametrize("name", ["item", "item_standing", *ACTS])
def test_item_of_a_foreign_tenant_is_not_there(name: str, client: Client) -> None:
    ours, theirs = factories.review_item(), factories.review_item()
    user = factories.scoped_user(ours.tenant, permissions=REVIEWER)
    client.force_login(user)
    reading_pass = passes.issue(theirs.conversation_id, user.pk)
    address = f"{reverse(f'review:{name}', args=[theirs.pk])}?pass={reading_pass}"
    answer = client.post(address) if name in ACTS else client.get(address)
    assert answer.status_code == 404


def test_scoped_reviewer_sees_and_counts_their_tenants_alone(client: Client) -> None:
    ours, theirs = factories.review_item(), factories.review_item()
    client.force_login(factories.scoped_user(ours.tenant, permissions=REVIEWER))
    page = client.get("/review/").content.decode()
    assert f'data-row="{ours.pk}"' in page
    assert f'data-row="{theirs.pk}"' not in page
    assert "1 item is open" in page


def test_auditor_reads_everything_and_has_no_button(auditor: Client) -> None:
    item = factories.review_item()
    page = auditor.get(reverse("review:item", args=[item.pk])).content.decode()
    assert "Your order is on its way." in page
    assert "data-act=" not in page
    assert "data-select value" not in page
    assert "hx-post" not in page


@pytest.mark.parametrize("name", ACTS)
def test_auditor_is_refused_every_change(name: str, auditor: Client) -> None:
    item = factories.review_item(kind="policy")
    answer = auditor.post(
        reverse(f"review:{name}", args=[item.pk]),
        {"decision": "dismiss", "fingerprint": item.fingerprint, "reason": "x"},
    )
    assert answer.status_code == 403
    item.refresh_from_db()
    assert (item.status, item.claimed_by) == ("open", None)


def test_auditor_is_refused_to_decide_many(auditor: Client) -> None:
    item = factories.review_item(kind="policy", risk="low", bulk_key="same")
    form = {"item": item.pk, "decision": "dismiss", "reason": "x"}
    assert auditor.post(reverse("review:decide_chosen"), form).status_code == 403
    assert ReviewItem.objects.get().status == "open"


def test_pages_only_read_and_acts_only_act(reviewer: Client) -> None:
    item = factories.review_item()
    assert reviewer.post(reverse("review:item", args=[item.pk])).status_code == 405
    assert reviewer.get(reverse("review:decide", args=[item.pk])).status_code == 405


def test_opening_an_item_is_recorded_as_reading_its_conversation(reviewer: Client) -> None:
    item = factories.review_item()
    reviewer.get("/review/")
    assert not AuditEntry.objects.exists()
    reviewer.get(reverse("review:item", args=[item.pk]))
    entry = AuditEntry.objects.get(action="conversation.read")
    assert (entry.actor, entry.conversation_id) == ("rita", str(item.conversation_id))


def test_fragment_and_act_need_the_pass_of_an_opened_item(reviewer: Client, rita: User) -> None:
    item = factories.review_item(kind="policy")
    standing = reverse("review:item_standing", args=[item.pk])
    assert reviewer.get(standing).status_code == 403
    assert reviewer.get(standing, {"pass": passes.issue(item.conversation_id, rita.pk)}).status_code == 200
    blind = reviewer.post(reverse("review:decide", args=[item.pk]), {"decision": "dismiss", "reason": "x"})
    assert blind.status_code == 422
    assert "too old" in blind.content.decode()


def test_claim_is_recorded_once_however_often_it_is_renewed(reviewer: Client) -> None:
    item = factories.review_item()
    address = act_address(reviewer, item, "claim")
    for _ in range(3):
        assert "You are deciding on this" in reviewer.post(address).content.decode()
    assert AuditEntry.objects.filter(action="review_item.claimed").count() == 1


def test_only_who_sees_the_inbox_hears_of_it(rita: User) -> None:
    assert access.watchable(rita, [REVIEWS]) == {REVIEWS}
    assert access.watchable(factories.user("view_conversation"), [REVIEWS]) == set()


def test_page_runs_no_inline_script_and_is_not_kept(reviewer: Client) -> None:
    answer = reviewer.get(reverse("review:item", args=[factories.review_item().pk]))
    assert "no-store" in answer.headers["Cache-Control"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "style=" not in answer.content.decode()


def test_what_somebody_wrote_stays_text(reviewer: Client) -> None:
    item = factories.review_item(proposal={"text": "<script>alert(1)</script>"})
    page = reviewer.get(reverse("review:item", args=[item.pk])).content.decode()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page
    assert post(reviewer, item, "nonsense").status_code == 422
