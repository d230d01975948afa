"""A tool call that needs a person: proposed, held without a worker, carried out once or not at all."""

from __future__ import annotations

import json

import pytest
from django.utils import timezone

from audit.models import AuditEntry
from conversations.models import Message
from pipeline import queries
from pipeline.models import Step
from pipeline.policies.errors import Code
from review.decisions import InvalidError
from review.models import ReviewDecision, ReviewItem
from tests import factories
from tests.engine_room import Room
from tests.holds.people import VOUCHER, decide, open_items, the_item

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def held(room: Room) -> Room:
    """A voucher is proposed, and waits."""
    room.configure(allowed_tools=["offer_voucher", "order_status"])
    room.say(VOUCHER)
    room.work()
    return room


def tool_runs() -> list[Step]:
    return list(Step.objects.filter(kind="tool"))


def test_call_waits_for_a_person_and_holds_no_worker(held: Room) -> None:
    assert held.turn().status == "suspended"
    assert [event.status for event in held.turn().events.all()] == ["held"]
    assert held.mailbox().lease_owner == ""
    assert held.accepted() == []
    assert tool_runs() == []
    item = the_item()
    assert (item.kind, item.risk, item.why_code) == ("tool_approval", "high", Code.REVIEW_REQUIRED)
    assert item.proposal == {"tool": "offer_voucher", "arguments": {"order_id": "1234", "amount": 50}}
    assert item.context["said"] == [{"role": "user", "text": VOUCHER}]


def test_what_waits_for_a_person_is_not_late(held: Room) -> None:
    assert queries.queue(timezone.now()).pending == 0


def test_approved_call_runs_once_and_nothing_recorded_runs_again(held: Room) -> None:
    decide(the_item(), ReviewDecision.APPROVE)
    held.work()
    (run,) = tool_runs()
    assert run.status == "succeeded"
    assert held.calls("llm") == 2, "one to propose, one to answer"
    (answer,) = held.accepted()
    assert "voucher of R$ 50" in answer
    assert held.outcomes() == ["replied"]
    assert open_items() == []


def test_waiting_for_people_uses_up_no_attempt(held: Room) -> None:
    decide(the_item(), ReviewDecision.APPROVE)
    held.work()
    assert held.turn().attempts == 1


def test_changed_call_runs_as_changed_and_the_difference_is_kept(held: Room) -> None:
    changed = {"order_id": "1234", "amount": 20}
    item = decide(the_item(), ReviewDecision.EDIT, arguments=json.dumps(changed), reason="Fifty is too much.")
    held.work()
    assert "voucher of R$ 20" in held.accepted()[0]
    assert item.decided == {"tool": "offer_voucher", "arguments": changed}
    assert item.history.count() == 1


@pytest.mark.parametrize(
    "arguments", ["", "no JSON", "[]", '{"amount": 20}', '{"order_id": "1", "amount": "x"}']
)
def test_change_that_the_tool_would_refuse_is_refused_at_once(held: Room, arguments: str) -> None:
    with pytest.raises(InvalidError, match="do not fit"):
        decide(the_item(), ReviewDecision.EDIT, arguments=arguments)
    assert the_item().status == "open"


def test_refused_call_does_not_run_and_the_model_is_told_why(held: Room) -> None:
    decide(the_item(), ReviewDecision.REJECT, reason="No vouchers this month.")
    held.work()
    assert tool_runs() == []
    asked = Step.objects.filter(kind="model").order_by("pk")[1].request["messages"][-1]
    assert asked["role"] == "tool"
    assert Code.TOOL_REFUSED in asked["content"]
    assert "No vouchers this month." in asked["content"]
    assert held.outcomes() == ["replied"]


def test_refusal_needs_its_reason(held: Room) -> None:
    with pytest.raises(InvalidError, match="say why"):
        decide(the_item(), ReviewDecision.REJECT, reason="  ")


def test_person_answers_in_place_of_the_agent(held: Room) -> None:
    rita = factories.user(username="rita")
    decide(the_item(), ReviewDecision.ANSWER, by=rita, text="I will call you, Bruno.")
    held.work()
    assert held.accepted() == ["I will call you, Bruno."]
    said = Message.objects.get(direction="out")
    assert (said.author_kind, said.author) == ("person", rita)
    assert tool_runs() == []
    assert (held.outcomes(), held.turn().error_code) == (["replied"], Code.REVIEW_ANSWERED)


def test_turn_goes_on_when_the_last_of_several_calls_is_decided(room: Room) -> None:
    room.configure(allowed_tools=["offer_voucher"])
    room.say(VOUCHER + " " + VOUCHER.replace("50", "70"))
    room.work()
    first, second = open_items()
    decide(first, ReviewDecision.APPROVE)
    room.work()
    assert room.turn().status == "suspended"
    decide(second, ReviewDecision.REJECT, reason="One is enough.")
    room.work()
    assert room.outcomes() == ["replied"]
    assert len(tool_runs()) == 1


def test_other_calls_of_the_round_are_made_and_recorded_before_the_turn_waits(room: Room) -> None:
    room.configure(allowed_tools=["offer_voucher", "order_status"])
    room.say(VOUCHER + ' #tool order_status {"order_id": "1234"}')
    room.work()
    assert [run.name for run in tool_runs()] == ["order_status"]
    decide(the_item(), ReviewDecision.APPROVE)
    room.work()
    assert sorted((run.name, run.attempts) for run in tool_runs()) == [
        ("offer_voucher", 1),
        ("order_status", 1),
    ]


@pytest.mark.parametrize(("amount", "is_held"), [(99, False), (100, True), (250, True)])
def test_rule_about_an_amount_holds_calls_from_it_on(room: Room, amount: int, is_held: bool) -> None:
    rule = {"on": "tool", "tool": "order_status", "argument": "order_id", "operator": ">=", "value": 100}
    room.configure(risk_rules=[rule])
    room.say(f'#tool order_status {{"order_id": "{amount}"}}')
    room.work()
    assert bool(open_items()) == is_held
    if is_held:
        assert (the_item().why_code, the_item().why) == (Code.REVIEW_RULE, "order_status: order_id >= 100")


def test_every_decision_is_on_record_with_its_person_reason_and_version(held: Room) -> None:
    rita = factories.user(username="rita")
    item = the_item()
    decide(item, ReviewDecision.REJECT, by=rita, reason="No vouchers this month.")
    entry = AuditEntry.objects.get(action="review_item.reject")
    assert (entry.actor, entry.reason) == ("rita", "No vouchers this month.")
    assert (entry.policy_version, entry.object_id) == (str(item.policy_version), str(item.pk))
    assert AuditEntry.objects.filter(action="turn.suspended", turn_id=str(item.turn_id)).exists()
    assert entry.details["history_id"] == ReviewItem.history.get().history_id
