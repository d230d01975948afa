"""Each constraint of the database refuses, by its own name, what it is there to refuse."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.db import IntegrityError, transaction
from django.utils import timezone

from audit.models import AuditEntry, Seal
from conversations.models import Channel, Contact
from pipeline.models import Breaker, Mailbox
from review.models import Presence
from tests import factories
from tests.engine.test_layers import LAYERS


def audit_entry(**fields: Any) -> AuditEntry:
    facts = {"at": timezone.now(), "action": "a", "object_type": "t", "object_id": "1"}
    return AuditEntry.objects.create(**facts | fields)


def seal(**fields: Any) -> Seal:
    facts = {"sequence": 1, "hash": "0" * 64, "sealed_at": timezone.now()}
    return Seal.objects.create(entry_id=1, **facts | fields)


def breaker(**fields: Any) -> Breaker:
    return Breaker.objects.create(**{"name": f"b{uuid.uuid4()}", "threshold": 5, "rest_s": 30.0} | fields)


def twice(make: Callable[..., Any], **fields: Any) -> None:
    make(**fields)
    make(**fields)


def same_contact() -> None:
    known = factories.contact()
    factories.contact(channel=known.channel, address=known.address)


def same_event() -> None:
    known = factories.event()
    factories.event(channel=known.channel, dedupe_key=known.dedupe_key)


def approved_by_oneself() -> None:
    person = factories.user()
    factories.switch(requested_by=person, approved_by=person)


def same_presence() -> None:
    facts = {"conversation": factories.conversation(), "user": factories.user(), "seen_at": timezone.now()}
    twice(Presence.objects.create, socket="socket-1", **facts)


def mailbox(**fields: Any) -> Mailbox:
    return factories.mailbox(**fields)


VIOLATIONS: dict[str, list[Callable[[], object]]] = {
    "audit_seal_sequence_from_1": [lambda: seal(sequence=0)],
    "audit_seal_hash_is_sha256": [lambda: seal(hash="not a hash")],
    "agent_name_once_a_tenant": [lambda: twice(factories.agent, tenant=factories.tenant(), name="Ana")],
    "channel_kind": [lambda: Channel.objects.filter(pk=factories.channel().pk).update(kind="fax")],
    "channel_external_id_once_a_kind": [lambda: twice(factories.channel, external_id="1001")],
    "channel_platform_pause_is_a_pause": [lambda: factories.channel(paused_by_platform=True)],
    "contact_address_once_a_channel": [same_contact],
    "conversation_owner_is_named": [
        lambda: factories.conversation(owner_kind="person"),
        lambda: factories.conversation(owner=factories.user(), owner_kind="agent"),
        lambda: factories.conversation(owner_kind="robot"),
        lambda: factories.conversation(owned_until=timezone.now()),
        lambda: factories.conversation(owner=factories.user(), owned_since=None),
        lambda: factories.conversation(owner_kind="phone"),
    ],
    "session_one_open_a_conversation": [
        lambda: twice(factories.session, conversation=factories.conversation())
    ],
    "session_end_has_reason": [
        lambda: factories.session(ended_at=timezone.now()),
        lambda: factories.session(end_reason="idle"),
    ],
    "message_outbound_is_outbox_row": [
        lambda: factories.outbound(idempotency_key=None),
        lambda: factories.outbound(delivery=""),
        lambda: factories.outbound(delivery="lost"),
        lambda: factories.message(delivery="sent"),
        lambda: factories.message(idempotency_key=uuid.uuid4()),
    ],
    "message_author_fits_direction": [
        lambda: factories.message(author_kind="agent"),
        lambda: factories.outbound(author_kind="contact"),
    ],
    "event_once_a_channel": [same_event],
    "event_done_has_outcome": [
        lambda: factories.event(status="done"),
        lambda: factories.event(status="done", outcome="replied", done_at=None),
        lambda: factories.event(status="received", outcome="replied"),
        lambda: factories.event(status="processing", done_at=timezone.now()),
        lambda: factories.event(outcome="forgotten"),
        lambda: factories.event(status="lost"),
    ],
    "mailbox_lease_has_owner_and_end": [
        lambda: mailbox(lease_owner="me"),
        lambda: mailbox(lease_expires_at=timezone.now()),
    ],
    "turn_one_unfinished_a_conversation": [
        lambda: twice(factories.turn, conversation=factories.conversation(), status="running"),
        lambda: twice(factories.turn, conversation=factories.conversation(), status="suspended"),
    ],
    "turn_finished_when_not_open": [
        lambda: factories.turn(status="running", finished_at=timezone.now()),
        lambda: factories.turn(status="suspended", finished_at=timezone.now()),
        lambda: factories.turn(status="succeeded", finished_at=None),
        lambda: factories.turn(status="lost"),
    ],
    "turn_failure_has_code": [lambda: factories.turn(status="failed", error_code="")],
    "step_once_a_turn": [lambda: twice(factories.step, turn=factories.turn(), key="model:0")],
    "step_finished_when_not_started": [
        lambda: factories.step(status="started", finished_at=timezone.now()),
        lambda: factories.step(status="succeeded", finished_at=None),
        lambda: factories.step(status="failed", finished_at=None),
        lambda: factories.step(status="lost"),
    ],
    "breaker_open_since": [
        lambda: breaker(state="open"),
        lambda: breaker(state="closed", opened_at=timezone.now()),
    ],
    "breaker_trip_has_reason": [lambda: breaker(state="open", opened_at=timezone.now(), is_tripped=True)],
    "canned_reply_once_a_tenant": [
        lambda: twice(factories.canned_reply, tenant=factories.tenant(), shortcut="hi")
    ],
    "canned_reply_once_for_all": [lambda: twice(factories.canned_reply, shortcut="hi")],
    "incident_one_open": [lambda: twice(factories.incident)],
    "incident_closed_by_somebody": [
        lambda: factories.incident(closed_at=timezone.now()),
        lambda: factories.incident(closed_by=factories.user()),
    ],
    "switch_names_what_it_is_for": [
        lambda: factories.switch(scope="everything", tenant=factories.tenant()),
        lambda: factories.switch(channel=factories.channel()),
        lambda: factories.switch(scope="channel", tenant=factories.tenant()),
        lambda: factories.switch(scope="galaxy"),
    ],
    "switch_of_a_tool_names_it": [
        lambda: factories.switch(capability="tool"),
        lambda: factories.switch(tool="request_refund"),
    ],
    "switch_has_reason": [lambda: factories.switch(reason="")],
    "switch_approved_by_another": [approved_by_oneself],
    "switch_status_fits_its_times": [
        lambda: factories.switch(active_since=None),
        lambda: factories.switch(status="pending", active_since=timezone.now()),
        lambda: factories.switch(status="ended"),
        lambda: factories.switch(ended_at=timezone.now()),
    ],
    "switch_over_everything_has_two": [lambda: factories.switch(scope="everything")],
    "blocklist_entry_has_value_and_reason": [
        lambda: factories.blocklist_entry(value=""),
        lambda: factories.blocklist_entry(reason=""),
    ],
    "review_decided_by_somebody": [
        lambda: factories.review_item(status="decided", decision="approve", ended_at=timezone.now()),
        lambda: factories.review_item(status="open", decision="approve"),
        lambda: factories.review_item(status="superseded"),
        lambda: factories.review_item(status="lost"),
    ],
    "review_claim_has_end": [
        lambda: factories.review_item(claimed_by=factories.user()),
        lambda: factories.review_item(claim_expires_at=timezone.now()),
    ],
    "review_approval_names_its_step": [lambda: factories.review_item(step_key="")],
    "presence_once_a_socket": [same_presence],
    "audit_entry_actor_kind": [lambda: audit_entry(actor_kind="ghost")],
}


def declared() -> set[str]:
    models = [model for model in apps.get_models() if model._meta.app_label in LAYERS]
    return {constraint.name for model in models for constraint in model._meta.constraints}


def test_every_constraint_has_its_violations_here() -> None:
    assert declared() == set(VIOLATIONS)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "violate"),
    [(name, violate) for name, violations in VIOLATIONS.items() for violate in violations],
    ids=[f"{name}-{number}" for name, violations in VIOLATIONS.items() for number in range(len(violations))],
)
def test_constraint_refuses_what_it_is_there_to_refuse(name: str, violate: Callable[[], object]) -> None:
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        violate()
    cause = refusal.value.__cause__
    assert isinstance(cause, psycopg.Error)
    assert cause.diag.constraint_name == name


@pytest.mark.django_db
def test_contact_of_the_same_address_on_another_channel_is_another_contact() -> None:
    first = factories.contact(address="5511999990001")
    factories.contact(address=first.address)
    assert Contact.objects.filter(address=first.address).count() == 2
