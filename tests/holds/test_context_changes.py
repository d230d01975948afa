"""A proposal holds for the context it was made in. When that changes it is made anew, never carried out stale."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from audit.models import AuditEntry
from review import decisions
from review.decisions import LateError, Verdict
from review.models import ReviewDecision, ReviewItem
from tests import factories
from tests.engine_room import Room, make_due
from tests.holds.people import VOUCHER, decide, the_item

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def held(room: Room) -> Room:
    room.configure(allowed_tools=["offer_voucher", "request_refund"], burst_window_s=0.001)
    room.say(VOUCHER)
    room.work()
    return room


def test_contact_who_writes_again_has_it_proposed_anew_over_all_they_said(held: Room) -> None:
    before = the_item()
    held.say("No, wait: seventy please " + VOUCHER.replace("50", "70"))
    make_due()
    held.work()
    before.refresh_from_db()
    after = next(item for item in ReviewItem.objects.filter(status="open") if "70" in str(item.proposal))
    assert before.status == "superseded"
    assert before.superseded_by is not None
    assert AuditEntry.objects.get(action="review_item.superseded").object_id == str(before.pk)
    assert len(after.context["said"]) == 2
    assert held.turn().generation == 1


def test_late_click_gets_a_plain_answer_and_nothing_happens(held: Room) -> None:
    seen = the_item()
    held.say("Never mind.")
    make_due()
    held.work()
    with pytest.raises(LateError, match="holds no longer"):
        decide(seen, ReviewDecision.APPROVE)
    held.work()
    assert not any("voucher of" in text for text in held.accepted())


def test_click_between_the_message_and_its_worker_is_late_too(held: Room) -> None:
    seen = the_item()
    held.say("Never mind.")
    with pytest.raises(LateError, match="wrote again"):
        decide(seen, ReviewDecision.APPROVE)
    assert the_item() == seen


def test_agent_that_answers_each_message_alone_proposes_anew_in_the_knowledge_of_the_next(room: Room) -> None:
    room.configure(allowed_tools=["offer_voucher"])
    room.say(VOUCHER)
    room.work()
    before = the_item()
    room.say("Are you there?")
    room.work()
    after = the_item()
    assert after.pk != before.pk
    assert after.context["newer"] == ["Are you there?"]
    decide(after, ReviewDecision.APPROVE)
    room.work()
    assert room.outcomes() == ["replied", "replied"]


def test_what_waited_behind_the_turn_from_the_start_does_not_keep_it_from_being_decided(room: Room) -> None:
    room.configure(allowed_tools=["offer_voucher"])
    room.say(VOUCHER, "Are you there?")
    room.work()
    assert the_item().context["newer"] == ["Are you there?"]
    decide(the_item(), ReviewDecision.APPROVE)
    room.work()
    assert room.outcomes() == ["replied", "replied"]


def test_after_a_tool_has_acted_a_new_message_waits_and_people_see_it(held: Room) -> None:
    held.say('#tool request_refund {"order_id": "7", "reason": "x"} ' + VOUCHER, sender="5511999990002")
    held.work()
    item = ReviewItem.objects.get(conversation=held.conversation("5511999990002"))
    held.say("Hello?", sender="5511999990002")
    make_due()
    held.work()
    item.refresh_from_db()
    anew = ReviewItem.objects.get(conversation=item.conversation, status="open")
    assert (item.status, item.superseded_by) == ("superseded", anew)
    assert anew.proposal == item.proposal


def test_changed_configuration_has_it_proposed_anew_under_the_new_one(held: Room) -> None:
    seen = the_item()
    held.configure(prompt_template="You give no vouchers.")
    with pytest.raises(LateError, match="configuration"):
        decide(seen, ReviewDecision.APPROVE)
    held.work()
    anew = the_item()
    assert anew.policy_version > seen.policy_version
    assert held.turn().policy_version == anew.policy_version


def test_changed_configuration_does_not_change_a_turn_that_was_decided_before(held: Room) -> None:
    decide(the_item(), ReviewDecision.APPROVE)
    version = held.turn().policy_version
    held.configure(model="another-model")
    held.work()
    assert held.turn().policy_version == version
    assert {step.name for step in held.steps() if step.kind == "model"} == {"gpt-4.1-mini"}


def test_claim_keeps_others_away_until_it_ends() -> None:
    item, rita, otto = factories.review_item(kind="policy"), factories.user(username="rita"), factories.user()
    now = timezone.now()
    decisions.claim(item.pk, by=rita, now=now)
    with pytest.raises(LateError, match="rita is deciding"):
        decisions.claim(item.pk, by=otto, now=now)
    with pytest.raises(LateError, match="rita is deciding"):
        decide(item, ReviewDecision.DISMISS, by=otto, reason="x")
    later = now + decisions.CLAIM + timedelta(seconds=1)
    assert decisions.claim(item.pk, by=otto, now=later).claimed_by == otto


def test_released_item_is_free_for_others() -> None:
    item, rita, otto = factories.review_item(kind="policy"), factories.user(), factories.user()
    decisions.claim(item.pk, by=rita, now=timezone.now())
    decisions.release(item.pk, by=rita, now=timezone.now())
    assert decisions.claim(item.pk, by=otto, now=timezone.now()).claimed_by == otto


def test_of_two_who_decide_at_once_one_does_and_the_other_is_told(held: Room) -> None:
    item, people = the_item(), [factories.user(), factories.user()]
    barrier = Barrier(2)

    def click(person: User) -> str:
        barrier.wait(10)
        try:
            decisions.decide(
                item.pk,
                Verdict(decision=ReviewDecision.APPROVE, fingerprint=item.fingerprint),
                by=person,
                now=timezone.now(),
            )
        except LateError as late:
            return str(late)
        finally:
            connection.close()
        return ""

    with ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(click, people))
    assert answers[0] == ""
    assert "decided on this already: approve" in answers[1]
    held.work()
    assert sum("voucher of" in text for text in held.accepted()) == 1


def test_decision_on_another_proposal_than_the_one_seen_is_refused(held: Room) -> None:
    stale = the_item()
    stale.fingerprint = "0" * 64
    with pytest.raises(LateError, match="not the proposal that you saw"):
        decide(stale, ReviewDecision.APPROVE)
