"""What else lies on the desk: what expired, failed, is unknown, or was asked of a person; and how it settles itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from conversations.models import Message
from pipeline import dead_letters, housekeeping
from pipeline.policies.errors import Code
from review import decisions
from review.decisions import InvalidError, Verdict
from review.models import ReviewDecision, ReviewItem
from tests import factories
from tests.engine_room import Room
from tests.holds.people import VOUCHER, decide, open_items, the_item

pytestmark = pytest.mark.django_db(transaction=True)


def keep_house() -> None:
    run = housekeeping.run(now=timezone.now())
    assert run is not None
    assert run.error == ""


@pytest.mark.parametrize(("default", "is_carried_out"), [("deny", False), ("approve", True)])
def test_proposal_that_nobody_decided_goes_the_way_of_its_agents_default(
    room: Room, default: str, is_carried_out: bool
) -> None:
    room.configure(allowed_tools=["offer_voucher"], review_default=default)
    room.say(VOUCHER)
    room.work()
    ReviewItem.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    keep_house()
    room.work()
    item = ReviewItem.objects.get()
    assert (item.status, item.decided_by) == ("expired", None)
    (answer,) = room.accepted()
    assert ("voucher of" in answer) == is_carried_out


def test_failed_turn_lies_on_the_desk_and_is_tried_again_from_there(room: Room) -> None:
    room.fault("llm", "error", rate=1, status=401)
    room.say("Hello")
    room.work()
    item = the_item()
    assert (item.kind, item.why_code) == ("failed_turn", Code.MODEL_CREDENTIALS)
    room.mend()
    decide(item, ReviewDecision.REQUEUE, reason="The key is mended.")
    room.work()
    assert room.outcomes() == ["replied"]
    assert open_items() == []


def test_failed_turn_that_is_requeued_elsewhere_needs_no_decision(room: Room) -> None:
    room.fault("llm", "error", rate=1, status=401)
    (key,) = room.say("Hello")
    room.work()
    room.mend()
    event_ids = [room.event(key).pk]
    dead_letters.requeue(event_ids=event_ids, by="ada", reason="mended", now=timezone.now())
    assert ReviewItem.objects.get().status == "settled"


def test_outage_that_the_agent_leaves_to_people_lies_on_the_desk(room: Room) -> None:
    room.configure(outage_policy="person")
    room.fault("llm", "error", rate=1, status=500)
    room.say("Hello")
    room.work()
    assert (the_item().kind, the_item().why_code) == ("policy", Code.MODEL_SERVER)


def test_send_whose_fate_stays_unknown_is_held_up_and_settled_by_a_person(room: Room) -> None:
    room.fault("whatsapp", "disconnect_after_accept", rate=1)
    room.say("Hello")
    room.work()
    assert open_items() == []
    Message.objects.filter(direction="out").update(created_at=timezone.now() - timedelta(hours=1))
    keep_house()
    item = the_item()
    assert item.kind == "unknown_send"
    decide(item, ReviewDecision.MARK_DELIVERED, reason="They answered it on the phone.")
    assert Message.objects.get(direction="out").delivery == "delivered"


def test_agent_that_calls_a_person_answers_and_puts_the_conversation_on_the_desk(room: Room) -> None:
    room.configure(allowed_tools=["talk_to_a_person"])
    room.say('#tool talk_to_a_person {"reason": "The parcel is broken"}')
    room.work()
    assert len(room.accepted()) == 1
    assert (the_item().kind, the_item().why) == ("person_asked", "The parcel is broken")


def test_identical_proposals_of_low_risk_are_decided_together(room: Room) -> None:
    rule = {"on": "tool", "tool": "order_status", "low_risk": True}
    room.configure(risk_rules=[rule])
    for sender in ("5511999990001", "5511999990002", "5511999990003"):
        room.say('#tool order_status {"order_id": "7"}', sender=sender)
    room.work()
    ids = [item.pk for item in open_items()]
    verdict = Verdict(decision=ReviewDecision.APPROVE, fingerprint="")
    assert decisions.decide_all(ids, verdict, by=factories.user(), now=timezone.now()) == (3, [])
    room.work()
    assert room.outcomes() == ["replied"] * 3


def test_proposals_that_differ_or_are_risky_are_decided_one_by_one() -> None:
    low = [factories.review_item(kind="policy", risk="low", bulk_key=key) for key in ("a", "b")]
    high = [factories.review_item(kind="policy", bulk_key="a") for _ in range(2)]
    verdict = Verdict(decision=ReviewDecision.DISMISS, fingerprint="", reason="Done.")
    for items in (low, high):
        with pytest.raises(InvalidError, match="identical"):
            decisions.decide_all(
                [item.pk for item in items], verdict, by=factories.user(), now=timezone.now()
            )


def test_decision_that_its_kind_does_not_offer_is_refused() -> None:
    with pytest.raises(InvalidError, match="cannot be decided so"):
        decide(factories.review_item(kind="failed_turn"), ReviewDecision.APPROVE)


def test_person_who_takes_over_owns_the_conversation_and_nothing_proposed_is_carried_out(room: Room) -> None:
    room.configure(allowed_tools=["offer_voucher"])
    (key,) = room.say(VOUCHER)
    room.work()
    rita = factories.user(username="rita")
    decide(the_item(), ReviewDecision.TAKE_OVER, by=rita)
    room.work()
    assert room.conversation().owner == rita
    assert room.outcome(key) == ("needs_human", "")
    assert room.accepted() == []
    assert open_items() == []
    assert [step.status for step in room.steps() if step.kind == "tool"] == []
