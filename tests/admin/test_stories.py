"""The pages of a turn, an event and a message tell what happened, in words."""

from datetime import timedelta

import pytest
from django.test import Client

from pipeline.admin import words
from pipeline.models import Outcome
from pipeline.policies.errors import Code
from tests import factories
from tests.admin import site

pytestmark = pytest.mark.django_db


def text_of(client: Client, record: object) -> str:
    return client.get(site.page(record)).content.decode()  # type: ignore[arg-type]  # any model


@pytest.mark.parametrize("code", list(Code))
def test_every_code_has_a_sentence(code: Code) -> None:
    assert words.of_code(code)


def test_every_outcome_has_a_sentence() -> None:
    assert set(words.OUTCOMES) == set(Outcome)


def test_a_turn_shows_its_phases_steps_events_and_messages(staff: Client) -> None:
    turn = factories.turn()
    factories.step(turn=turn, name="order_status", kind="tool", request={"order_id": "A-77"})
    event = factories.event(conversation=turn.conversation, turn=turn, outcome="replied")
    said = factories.outbound(conversation=turn.conversation, turn_id=turn.pk, text="It arrives today.")

    shown = text_of(staff, turn)

    assert all(name in shown for name, _ in factories.PHASES)
    assert "order_status" in shown
    assert "A-77" in shown
    assert site.page(event) in shown
    assert site.page(said) in shown
    assert "It arrives today." in shown


def test_what_a_model_says_is_escaped(staff: Client) -> None:
    step = factories.step(response={"content": "<script>alert(1)</script>"})

    assert "<script>alert(1)" not in text_of(staff, step.turn)
    assert "<script>alert(1)" not in text_of(staff, step)


def test_a_turn_names_the_configuration_it_ran_under(staff: Client) -> None:
    turn = factories.turn()
    agent = turn.conversation.channel.agent
    agent.model = "another"
    agent.save()

    assert f"/admin/conversations/agent/{agent.pk}/history/{turn.policy_version}/" in text_of(staff, turn)


def test_a_failed_turn_says_what_failed_and_where(staff: Client) -> None:
    turn = factories.turn(status="failed", attempts=3)

    shown = text_of(staff, turn)

    assert "The model did not answer in time." in shown
    assert "It failed in agentic_loop." in shown
    assert "It was begun 3 times." in shown


def test_a_running_turn_says_where_it_is(staff: Client) -> None:
    turn = factories.turn(status="running", phase="agentic_loop", phases=[])

    assert "now in agentic_loop." in text_of(staff, turn)


def test_an_effect_nobody_knows_about_is_held_up(staff: Client) -> None:
    step = factories.step(status="unknown", turn=factories.turn(status="failed"))

    assert "1 effect is unknown" in text_of(staff, step.turn)


def test_an_event_tells_its_way_to_the_answer(staff: Client) -> None:
    turn = factories.turn()
    first = factories.event(
        conversation=turn.conversation, turn=turn, outcome="replied", duplicates=2, conflicts=1
    )
    second = factories.event(conversation=turn.conversation, turn=turn, outcome="merged")
    answer = factories.outbound(conversation=turn.conversation, turn_id=turn.pk, text="Here it is.")

    shown = text_of(staff, first)

    assert "Delivered again 2 times, and answered once" in shown
    assert "1 redelivery had different content" in shown
    assert "Outcome: replied" in shown
    assert site.page(turn) in shown
    assert site.page(second) in shown
    assert site.page(answer) in shown


def test_an_event_without_a_turn_tells_why(staff: Client) -> None:
    event = factories.event(conversation=None, outcome="ignored", outcome_code="event.unknown_number")

    assert "a number that is not one of ours" in text_of(staff, event)


def test_a_waiting_event_says_that_it_waits(staff: Client) -> None:
    assert "It waits for a worker." in text_of(staff, factories.event())


def test_a_message_of_unknown_fate_says_so(staff: Client) -> None:
    message = factories.outbound(delivery="unknown", attempts=1, error_code="send.unanswered")

    shown = text_of(staff, message)

    assert "Nobody knows whether it arrived" in shown
    assert "Tried 1 time." in shown


def test_a_read_message_tells_when_it_arrived(staff: Client) -> None:
    message = factories.outbound(delivery="read")
    message.sent_at = message.created_at + timedelta(seconds=1)
    message.delivered_at = message.read_at = message.sent_at
    message.save()

    shown = text_of(staff, message)

    assert "Accepted by the platform" in shown
    assert "Read by the contact" in shown


def test_a_conversation_leads_to_its_live_page(staff: Client) -> None:
    message = factories.message(text="Hello there")

    shown = text_of(staff, message.conversation)

    assert f"/review/conversations/{message.conversation_id}/" in shown
    assert "Hello there" in shown


def test_a_reply_by_hand_is_told_as_one(staff: Client) -> None:
    message = factories.outbound(author_kind="person", delivery="sent")
    message.sent_at = message.created_at
    message.save()

    shown = text_of(staff, message)

    assert "Written by hand on the phone itself" in shown
    assert "Accepted by the platform" not in shown
