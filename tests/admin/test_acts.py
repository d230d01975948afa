"""What staff do to records: asked why, told what will happen, on record with name and reason."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import Model
from django.test import Client

from audit.models import ActorKind, AuditEntry
from audit.staff import acts as staff_acts
from conversations.models import Channel, Delivery, EndReason, Message, Session
from pipeline.models import Breaker, BreakerState, EventStatus, Mailbox, ProcessedEvent
from tests import factories
from tests.admin import site

pytestmark = pytest.mark.django_db
REASON = "The customer called."


def act(client: Client, record: Model, name: str, reason: str = REASON) -> str:
    """Do it on the record's page and read the page one comes back to."""
    answer = client.post(site.page(record, name), {"confirmed": "yes", "reason": reason}, follow=True)
    assert answer.status_code == 200
    record.refresh_from_db()
    return answer.content.decode()


def choose(client: Client, model: type[Model], name: str, chosen: list[Any], **more: Any) -> Any:
    data = {"action": name, "_selected_action": [record.pk for record in chosen], **more}
    query = data.pop("query", "")
    return client.post(f"{site.list_page(model)}?{query}", data, follow=True)


def done() -> bool:
    """Whether the trail tells of anything but the reading of a page."""
    return AuditEntry.objects.exclude(action__endswith=".read").exists()


def evidence(action: str) -> AuditEntry:
    entry = AuditEntry.objects.get(action=action)
    assert (entry.actor_kind, entry.actor, entry.reason) == (
        ActorKind.PERSON,
        User.objects.get().username,
        REASON,
    )
    return entry


def failed(**fields: Any) -> ProcessedEvent:
    event = factories.event(outcome="failed", outcome_code="model.timeout", **fields)
    factories.mailbox(conversation=event.conversation)
    return event


MAKERS: dict[str, Any] = {
    "requeue": failed,
    "mark-delivered": lambda: factories.outbound(delivery="unknown"),
    "send-again": lambda: factories.outbound(delivery="failed"),
    "trip": factories.breaker,
    "pause": factories.channel,
}
each_act = pytest.mark.parametrize("name", MAKERS)


@each_act
def test_the_page_offers_it_and_asks_for_a_reason(staff: Client, name: str) -> None:
    record = MAKERS[name]()

    assert site.page(record, name) in staff.get(site.page(record)).content.decode()
    refused = staff.post(site.page(record, name), {"confirmed": "yes", "reason": "  "})

    assert "This field is required." in refused.content.decode()
    assert not done()


@each_act
def test_somebody_who_may_only_look_is_not_offered_it_and_cannot_do_it(client: Client, name: str) -> None:
    record = MAKERS[name]()
    client.force_login(factories.user(site.view_permission(type(record))))

    shown = client.get(site.page(record)).content.decode()
    listed = client.get(site.list_page(type(record))).content.decode()
    posted = client.post(site.page(record, name), {"confirmed": "yes", "reason": REASON})
    choose(client, type(record), name, [record], confirmed="yes", reason=REASON)

    assert site.page(record, name) not in shown
    assert f'value="{name}"' not in listed
    assert (client.get(site.page(record, name)).status_code, posted.status_code) == (403, 403)
    assert not done()


def test_a_failed_event_goes_back_into_the_queue(staff: Client) -> None:
    event = failed()

    shown = act(staff, event, "requeue")

    assert "1 event is back in the queue." in shown
    assert (event.status, event.outcome, event.requeues) == (EventStatus.RECEIVED, None, 1)
    assert Mailbox.objects.get(conversation=event.conversation).due_at is not None
    assert evidence("event.requeued").object_id == str(event.pk)
    assert "Sent back into the queue by a person" in staff.get(site.page(event)).content.decode()


def test_selected_events_are_counted_before_they_are_requeued(staff: Client) -> None:
    chosen = [failed(), failed(), factories.event(outcome="replied")]

    asked = choose(staff, ProcessedEvent, "requeue", chosen).content.decode()
    assert "2 events go back into the queue" in asked
    assert "1 selected record is left as it is. Only what failed" in asked
    assert ProcessedEvent.objects.filter(status=EventStatus.DONE).count() == 3
    done = choose(staff, ProcessedEvent, "requeue", chosen, confirmed="yes", reason=REASON)

    assert "2 events are back in the queue." in done.content.decode()
    assert ProcessedEvent.objects.filter(status=EventStatus.DONE).count() == 1


def test_all_that_match_the_filter_are_requeued_and_no_others(staff: Client) -> None:
    matching = [failed(), failed(), failed()]
    expired = factories.event(outcome="expired")
    across = {"query": "outcome=failed", "select_across": "1"}

    asked = choose(staff, ProcessedEvent, "requeue", matching[:1], **across).content.decode()
    choose(staff, ProcessedEvent, "requeue", matching[:1], confirmed="yes", reason=REASON, **across)

    expired.refresh_from_db()
    assert "3 events go back into the queue" in asked
    assert ProcessedEvent.objects.filter(status=EventStatus.RECEIVED).count() == 3
    assert expired.status == EventStatus.DONE


def test_no_more_are_done_at_once_than_one_transaction_should(
    staff: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staff_acts, "MOST_AT_ONCE", 2)
    chosen = [failed(), failed(), failed()]

    asked = choose(staff, ProcessedEvent, "requeue", chosen).content.decode()
    choose(staff, ProcessedEvent, "requeue", chosen, confirmed="yes", reason=REASON)

    assert "These are the oldest 2" in asked
    assert ProcessedEvent.objects.get(status=EventStatus.DONE) == chosen[2]


def test_what_cannot_be_requeued_is_refused_in_words(staff: Client) -> None:
    answered = factories.event(outcome="replied")

    shown = act(staff, answered, "requeue")

    assert "Only what failed, expired, was shed, rate limited, silenced, blocked or left" in shown
    assert site.page(answered, "requeue") not in staff.get(site.page(answered)).content.decode()
    assert not done()


def test_dead_letters_are_those_that_can_be_requeued(staff: Client) -> None:
    dead = {factories.event(outcome=outcome).pk for outcome in ("failed", "shed", "needs_human")}
    factories.event(outcome="replied")
    factories.event()

    shown = staff.get(site.list_page(ProcessedEvent), {"outcome": "dead"})

    assert {row.pk for row in shown.context["cl"].result_list} == dead
    assert "?outcome=dead" in shown.content.decode()


def test_an_unknown_send_is_marked_as_delivered(staff: Client) -> None:
    message = factories.outbound(delivery="unknown")

    act(staff, message, "mark-delivered")

    assert message.delivery == Delivery.DELIVERED
    evidence("message.marked_delivered")


def test_sending_again_warns_that_it_may_arrive_twice(staff: Client) -> None:
    message = factories.outbound(delivery="unknown")
    factories.mailbox(conversation=message.conversation)

    asked = staff.get(site.page(message, "send-again")).content.decode()
    act(staff, message, "send-again")

    assert "the contact may then read it twice" in asked
    assert message.delivery == Delivery.QUEUED
    evidence("message.sent_again")


def test_unknown_sends_can_be_settled_from_the_list(staff: Client) -> None:
    chosen = [factories.outbound(delivery="unknown"), factories.outbound(delivery="unknown")]

    choose(staff, Message, "mark-delivered", chosen, confirmed="yes", reason=REASON)

    assert Message.objects.filter(delivery=Delivery.DELIVERED).count() == 2


def test_a_breaker_is_tripped_and_closed_by_hand(staff: Client) -> None:
    breaker = factories.breaker(name="model:openai/gpt_4.1")

    tripped = act(staff, breaker, "trip")
    assert (breaker.state, breaker.is_tripped, breaker.reason) == (BreakerState.OPEN, True, REASON)
    assert "a person has to close it" in tripped
    evidence("breaker.open")
    closed = act(staff, breaker, "close")

    assert (breaker.state, breaker.is_tripped) == (BreakerState.CLOSED, False)
    assert f"by {User.objects.get().username}" in closed
    evidence("breaker.closed")


def test_before_the_first_call_there_is_no_breaker_and_the_list_says_so(staff: Client) -> None:
    shown = staff.get(site.list_page(Breaker)).content.decode()

    assert "A breaker appears with the first call to what it guards" in shown


def test_a_channel_is_paused_and_sends_what_waited_once_it_is_resumed(staff: Client) -> None:
    channel = factories.channel()
    waiting = factories.outbound(conversation=factories.conversation(channel=channel))
    factories.mailbox(conversation=waiting.conversation)

    act(staff, channel, "pause")
    assert (channel.paused_at is not None, channel.paused_reason) == (True, REASON)
    evidence("channel.paused")
    act(staff, channel, "resume")

    assert channel.paused_at is None
    assert Mailbox.objects.get(conversation=waiting.conversation).due_at is not None
    evidence("channel.resumed")


def test_a_session_is_ended_by_an_operator(staff: Client) -> None:
    session = factories.session()

    act(staff, session, "close")

    assert (session.end_reason, session.ended_at is not None) == (EndReason.OPERATOR, True)
    assert evidence("session.closed").details == {"end_reason": "operator"}


def test_several_sessions_are_ended_from_the_list(staff: Client) -> None:
    chosen = [factories.session(), factories.session()]

    choose(staff, Session, "close", chosen, confirmed="yes", reason=REASON)

    assert not Session.objects.filter(ended_at__isnull=True).exists()


def test_a_record_that_is_gone_leads_back_to_the_start(staff: Client) -> None:
    channel = factories.channel()
    address = site.page(channel, "pause")
    Channel.objects.all().delete()

    assert staff.get(address).status_code == 302
