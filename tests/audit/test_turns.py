"""What a turn decided on its way stands in the trail: names, states and codes, never what was said."""

from __future__ import annotations

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from audit.models import AuditEntry
from audit.sentences import sentence
from conversations.models import OutagePolicy
from pipeline.engine.commit import commit
from pipeline.models import Capability, Step, Turn
from tests import factories
from tests.engine.flights import begun
from tests.engine_room import Room, make_due

ORDER = "1234"


def told() -> list[str]:
    """The actions about turns and what happened in them, oldest first."""
    parts = ("turn.", "tool.", "step.", "event.")
    entries = AuditEntry.objects.order_by("pk").values_list("action", flat=True)
    return [action for action in entries if action.startswith(parts)]


def the(action: str) -> AuditEntry:
    return AuditEntry.objects.get(action=action)


def test_a_tool_call_is_told_by_name_state_and_key(room: Room) -> None:
    room.say(f"Where is order {ORDER}?")
    room.work()
    step = Step.objects.get(kind="tool")

    assert told() == ["tool.called", "turn.replied"]
    entry = the("tool.called")
    assert (entry.object_type, entry.object_id) == ("step", str(step.pk))
    assert entry.details == {
        "name": "order_status",
        "status": "succeeded",
        "attempts": 1,
        "idempotency_key": str(step.idempotency_key),
    }
    assert "called the tool order_status in step" in sentence(entry)


def test_every_entry_of_a_turn_names_its_configuration_and_all_it_belongs_to(room: Room) -> None:
    room.configure(burst_window_s=0.5)
    room.say("Hello", f"Where is order {ORDER}?")
    make_due()
    room.work()
    turn = Turn.objects.get()

    entries = AuditEntry.objects.filter(turn_id=turn.pk)
    assert {entry.action for entry in entries} == {"event.merged", "tool.called", "turn.replied"}
    assert {entry.policy_version for entry in entries} == {str(turn.policy_version)}
    assert {entry.session_id for entry in entries} == {str(room.sessions()[0].pk)}
    assert {entry.conversation_id for entry in entries} == {str(turn.conversation_id)}


def test_what_was_said_and_asked_is_not_in_the_trail(room: Room) -> None:
    room.say(f"Where is order {ORDER}?")
    room.work()

    trail = json.dumps(list(AuditEntry.objects.values("reason", "details")))
    assert ORDER not in trail
    assert "arguments" not in trail


def test_each_message_that_was_taken_together_with_another_is_told(room: Room) -> None:
    room.configure(burst_window_s=0.5)
    first, second = room.say("Hello", "Are you there?")
    make_due()
    room.work()

    entry = the("event.merged")
    assert (entry.object_id, entry.event_id) == (str(room.event(first).pk),) * 2
    assert entry.dedupe_key == first
    assert entry.details == {"into": room.event(second).pk}


def test_tries_and_the_policys_verdicts_are_told(room: Room) -> None:
    room.fault("llm", "error", status=503, count=1)
    room.say("Hello")
    room.work()

    assert told() == ["step.retried", "turn.replied"]
    (tried,) = the("step.retried").details["tries"]
    assert (tried["attempt"], tried["error_code"], tried["verdict"]) == (1, "model.server", "retry")
    assert set(tried) == {"attempt", "error_code", "verdict", "wait_s"}


def test_an_answer_of_the_fallback_model_is_told_as_degraded(room: Room) -> None:
    room.configure(fallback_model="another-model")
    room.fault("llm", "error", status=503, count=3)
    room.say("Hello")
    room.work()

    assert told() == ["step.given_up", "turn.degraded", "turn.replied"]
    assert the("step.given_up").reason == "attempts_used"
    assert the("turn.degraded").details == {"rung": "fallback_model", "name": "another-model"}


def test_the_canned_reply_is_told_as_degraded(room: Room) -> None:
    room.configure(outage_policy=OutagePolicy.REPLY, fallback_reply="We are out for lunch.")
    room.fault("llm", "error", status=503)
    room.say("Hello")
    room.work()

    assert told() == ["step.given_up", "turn.degraded", "turn.failed"]
    assert the("turn.degraded").reason == "fallback_reply"


def test_a_turn_that_waits_for_its_model_is_told_once(room: Room) -> None:
    room.configure(outage_policy=OutagePolicy.WAIT)
    room.fault("llm", "error", status=503)
    room.say("Hello")
    for _again in range(2):
        room.work()
        make_due()

    assert told() == ["turn.postponed"]
    assert the("turn.postponed").policy_version == str(Turn.objects.get().policy_version)


def test_a_turn_that_waits_for_a_switch_is_told_once(room: Room) -> None:
    factories.switch(tenant=room.channel.tenant, capability=Capability.MODEL)
    room.say("Hello")
    for _again in range(2):
        room.work()
        make_due()

    assert told() == ["turn.paused"]
    assert the("turn.paused").policy_version == str(Turn.objects.get().policy_version)


def test_a_call_that_was_kept_from_being_made_is_not_told_as_made(transactional_db: None) -> None:
    flight = begun()
    factories.step(
        turn_id=flight.turn.turn_id, kind="tool", name="refund", status="failed", attempts=0, error_code="x"
    )
    commit(flight.decided("I may not."), now=timezone.now())

    assert told() == ["tool.refused", "turn.replied"]
    assert "was kept from calling the tool refund" in sentence(the("tool.refused"))


def test_a_send_that_is_tried_again_is_told_with_the_version_of_its_turn(room: Room) -> None:
    room.fault("whatsapp", "error", status=503, count=1)
    room.say("Hello")
    room.work()

    entry = the("message.retried")
    assert entry.details["verdict"] == "retry"
    assert entry.policy_version == str(Turn.objects.get().policy_version)


@pytest.mark.parametrize("effects", [1, 20])
def test_evidence_costs_one_question_and_one_insert_however_much_was_decided(
    transactional_db: None, effects: int
) -> None:
    flight = begun()
    for number in range(effects):
        factories.step(turn_id=flight.turn.turn_id, kind="tool", key=f"tool:0.{number}", decisions=[])

    with CaptureQueriesContext(connection) as asked:
        commit(flight.decided("Done."), now=timezone.now())

    statements = [query["sql"] for query in asked]
    assert len([sql for sql in statements if "pipeline_step" in sql]) == 1
    assert len([sql for sql in statements if 'INTO "audit_auditentry"' in sql]) == 1
    assert AuditEntry.objects.filter(action="tool.called").count() == effects
