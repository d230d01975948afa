"""Many items at once: only where one is as good as another."""

import pytest
from django.test import Client
from django.urls import reverse

from review.models import ReviewItem
from tests import factories
from tests.review_inbox.people import REVIEWER

pytestmark = pytest.mark.django_db


def alike(number: int) -> list[ReviewItem]:
    made = [
        factories.review_item(
            kind="failed_turn", risk="low", bulk_key="same", turn=factories.turn(status="failed")
        )
        for _ in range(number)
    ]
    for item in made:
        factories.event(conversation=item.conversation, turn=item.turn, outcome="failed")
    return made


def bar(client: Client, *items: ReviewItem) -> str:
    return client.get(reverse("review:chosen"), {"item": [item.pk for item in items]}).content.decode()


def test_identical_items_of_low_risk_are_decided_together(reviewer: Client) -> None:
    items = alike(3)
    assert "3 selected" in bar(reviewer, *items)
    assert "Try again" in bar(reviewer, *items)
    form = {"item": [item.pk for item in items], "decision": "requeue", "reason": "The key is mended."}
    answer = reviewer.post(reverse("review:decide_chosen"), form)
    assert answer.headers["HX-Redirect"] == "/review/"
    assert set(ReviewItem.objects.values_list("status", "decided_by__username")) == {("decided", "rita")}
    assert "Decided 3 items: requeue." in reviewer.get("/review/").content.decode()


def test_others_are_not_and_the_bar_says_why(reviewer: Client) -> None:
    items = [*alike(1), factories.review_item(kind="failed_turn")]
    assert "Only identical proposals of low risk" in bar(reviewer, *items)
    assert "<form" not in bar(reviewer, *items)
    form = {"item": [item.pk for item in items], "decision": "dismiss", "reason": "x"}
    assert reviewer.post(reverse("review:decide_chosen"), form).status_code == 422
    assert not ReviewItem.objects.exclude(status="open").exists()


def test_reason_is_asked_for_before_anything_is_decided(reviewer: Client) -> None:
    items = alike(2)
    form = {"item": [item.pk for item in items], "decision": "dismiss"}
    answer = reviewer.post(reverse("review:decide_chosen"), form)
    assert (answer.status_code, "Please say why." in answer.content.decode()) == (422, True)
    assert not ReviewItem.objects.exclude(status="open").exists()


def test_items_of_foreign_tenants_are_left_alone(client: Client) -> None:
    ours, theirs = alike(2)
    client.force_login(factories.scoped_user(ours.tenant, permissions=REVIEWER))
    form = {"item": [ours.pk, theirs.pk], "decision": "dismiss", "reason": "x"}
    client.post(reverse("review:decide_chosen"), form)
    assert {item.pk: item.status for item in ReviewItem.objects.all()} == {
        ours.pk: "decided",
        theirs.pk: "open",
    }
