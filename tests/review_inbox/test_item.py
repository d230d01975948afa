"""One item: what it shows, and what comes of deciding on it."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from pipeline.models import Step
from review.models import ReviewItem
from review.proposals import Piece, arguments, composed, difference
from tests import factories
from tests.engine_room import Room, make_due
from tests.holds.people import VOUCHER, the_item
from tests.review_inbox.people import act_address, post

CALL = {"tool": "offer_voucher", "arguments": {"order_id": "1234", "amount": 50}}


def page_of(client: Client, item: ReviewItem) -> str:
    return client.get(reverse("review:item", args=[item.pk])).content.decode()


def said(page: str) -> str:
    """Without markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


@pytest.fixture
def held(room: Room) -> Room:
    room.configure(allowed_tools=["offer_voucher"], burst_window_s=0.001)
    room.say(VOUCHER)
    room.work()
    return room


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"kind": "tool_approval", "proposal": CALL, "why_code": "review.required"}, "amount 50"),
        ({"kind": "reply_approval"}, "Your order is on its way."),
        ({"kind": "failed_turn", "proposal": {}, "why_code": "model.credentials"}, "Our key is refused"),
        ({"kind": "person_asked", "proposal": {}, "why": "It is broken."}, "called a person It is broken."),
        ({"kind": "unknown_send", "why_code": "send.unanswered"}, "may not have arrived"),
    ],
)
def test_item_shows_what_is_to_be_decided(fields: dict[str, object], shown: str, reviewer: Client) -> None:
    assert shown in said(page_of(reviewer, factories.review_item(**fields)))


@pytest.mark.django_db
def test_form_has_an_input_of_its_type_for_each_argument(reviewer: Client) -> None:
    page = page_of(reviewer, factories.review_item(kind="tool_approval", proposal=CALL))
    assert re.search(r'<input type="text"[^>]*name="argument.order_id" value="1234"', page)
    assert re.search(r'<input type="number" step="1"[^>]*name="argument.amount" value="50"', page)
    assert 'name="arguments"' in page


@pytest.mark.parametrize(
    ("filled_in", "written", "made"),
    [
        ({"argument.order_id": "7", "argument.amount": "20"}, "", '{"order_id": "7", "amount": 20}'),
        ({"argument.order_id": "7", "argument.amount": "lots"}, "", '{"order_id": "7", "amount": "lots"}'),
        ({"argument.order_id": "7"}, '{"amount": 1}', '{"amount": 1}'),
    ],
)
def test_arguments_are_composed_from_what_was_filled_in(
    filled_in: dict[str, str], written: str, made: str
) -> None:
    assert composed(CALL, filled_in, written) == made


def test_argument_that_does_not_fit_its_type_is_edited_as_it_is() -> None:
    odd = {"tool": "offer_voucher", "arguments": {"order_id": 7, "amount": "fifty", "more": [1]}}
    assert [argument.input for argument in arguments(odd)] == ["json", "json", "json"]
    gone = {"tool": "no_such_tool", "arguments": {"order_id": "7"}}
    assert composed(gone, {"argument.order_id": '"8"'}, "") == '{"order_id": "8"}'


def test_difference_of_texts_is_told_word_by_word() -> None:
    made = difference({"text": "Your order is late."}, {"text": "Your order is on time."})
    assert list(made.pieces) == [
        Piece(mark="", text="Your order is "),
        Piece(mark="-", text="late"),
        Piece(mark="+", text="on time"),
        Piece(mark="", text="."),
    ]
    assert not difference({"text": "The same."}, {"text": "The same."})


@pytest.mark.django_db(transaction=True)
def test_changed_call_runs_as_changed_and_its_page_shows_the_difference(held: Room, reviewer: Client) -> None:
    item = the_item()
    answer = post(
        reviewer,
        item,
        "edit",
        **{"argument.order_id": "1234", "argument.amount": "20", "reason": "Fifty is too much."},
    )
    assert answer.headers["HX-Redirect"] == "/review/"
    held.work()
    assert "voucher of R$ 20" in held.accepted()[0]
    shown = said(page_of(reviewer, item))
    assert "rita decided: approve with changes" in shown
    assert "amount 50 20" in shown
    assert "Fifty is too much." in shown


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("decision", "fields"),
    [("approve", {}), ("reject", {"reason": "No."}), ("answer", {"text": "I call you."})],
)
def test_decision_goes_on_with_the_turn_and_to_the_next_item(
    held: Room, reviewer: Client, decision: str, fields: dict[str, str]
) -> None:
    following = factories.review_item(kind="policy")
    answer = post(reviewer, the_only(held), decision, **fields)
    assert answer.headers["HX-Redirect"] == f"/review/items/{following.pk}/"
    held.work()
    assert held.outcomes() == ["replied"]
    (sent,) = held.accepted()
    assert ("voucher of R$ 50" in sent) == (decision == "approve")
    assert len(Step.objects.filter(kind="tool")) == (decision == "approve")
    assert "toast-success" in page_of(reviewer, following)


def the_only(room: Room) -> ReviewItem:
    return ReviewItem.objects.get(conversation=room.conversation(), status="open")


@pytest.mark.django_db(transaction=True)
def test_late_answer_is_a_plain_sentence_that_leads_to_what_is_proposed_now(
    held: Room, reviewer: Client
) -> None:
    seen = the_item()
    address = act_address(reviewer, seen)
    held.say("And one for my sister.")
    make_due()
    held.work()
    anew = the_item()
    answer = reviewer.post(address, {"decision": "approve", "fingerprint": seen.fingerprint})
    assert answer.status_code == 409
    assert "holds no longer" in answer.content.decode()
    assert f'href="/review/items/{anew.pk}/' in answer.content.decode()
    assert "The same is proposed once more" in said(page_of(reviewer, anew))
    held.work()
    assert not held.accepted()


@pytest.mark.django_db
def test_proposal_in_place_of_an_earlier_one_says_what_is_different(reviewer: Client) -> None:
    anew = factories.review_item(kind="tool_approval", proposal=CALL | {"arguments": {"amount": 70}})
    factories.review_item(
        kind="tool_approval", proposal=CALL, status="superseded", ended_at=timezone.now(), superseded_by=anew
    )
    shown = said(page_of(reviewer, anew))
    assert "In place of an earlier proposal" in shown
    assert "amount 50 70 order_id 1234 –" in shown


@pytest.mark.django_db(transaction=True)
def test_item_says_that_the_configuration_changed_since(held: Room, reviewer: Client) -> None:
    held.configure(prompt_template="You give no vouchers.")
    shown = said(page_of(reviewer, the_item()))
    assert "Changed since it was proposed" in shown
    assert "prompt template" in shown


@pytest.mark.django_db
def test_item_shows_what_the_contact_wrote_that_is_not_answered_with_it(reviewer: Client) -> None:
    item = factories.review_item(context={"said": [], "newer": ["Are you there?"]})
    assert "this is not answered with it: Are you there?" in said(page_of(reviewer, item))


@pytest.mark.django_db
def test_what_cannot_be_carried_out_is_said_and_changes_nothing(reviewer: Client) -> None:
    item = factories.review_item(kind="tool_approval", proposal=CALL)
    for decision, fields, problem in (
        ("reject", {}, "Please say why."),
        ("edit", {"argument.order_id": "7", "argument.amount": "lots"}, "amount"),
        ("requeue", {"reason": "x"}, "cannot be decided so"),
    ):
        answer = post(reviewer, item, decision, **fields)
        assert (answer.status_code, problem in answer.content.decode()) == (422, True), decision
    item.refresh_from_db()
    assert item.status == "open"


@pytest.mark.django_db
def test_take_over_needs_its_own_right_and_leads_to_the_conversation(reviewer: Client) -> None:
    item = factories.review_item(kind="policy")
    answer = post(reviewer, item, "take_over", reason="A delicate matter.")
    assert answer.headers["HX-Redirect"] == f"/review/conversations/{item.conversation_id}/"
    item.conversation.refresh_from_db()
    assert item.conversation.owner_kind == "person"

    other = factories.review_item(kind="policy")
    client = Client()
    client.force_login(factories.user("view_reviewitem", "decide_reviewitem"))
    assert 'id="act-take_over"' not in page_of(client, other)
    assert post(client, other, "take_over", reason="x").status_code == 422


@pytest.mark.django_db
def test_filters_stay_from_item_to_item(reviewer: Client) -> None:
    first = factories.review_item(kind="policy")
    factories.review_item()
    last = factories.review_item(kind="policy")
    page = reviewer.get(reverse("review:item", args=[first.pk]), {"kind": "policy"}).content.decode()
    found = re.search(r'hx-post="([^"]*/decide/[^"]*)"', page)
    assert found
    form = {"decision": "dismiss", "fingerprint": first.fingerprint, "reason": "Settled."}
    answer = reviewer.post(found[1].replace("&amp;", "&"), form)
    assert answer.headers["HX-Redirect"] == f"/review/items/{last.pk}/?kind=policy"
