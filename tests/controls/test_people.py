"""Who may set, approve and lift what; what it leaves behind; and what it touches."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from audit.models import AuditEntry
from conversations.access import tenant_ids
from conversations.models import StaffScope, Tenant
from pipeline.controls import blocking, incidents, operations, queries
from pipeline.controls.blocking import Unwanted
from pipeline.controls.concerned import blast_radius
from pipeline.controls.errors import (
    ConflictError,
    ControlError,
    InvalidError,
    NotAllowedError,
    SecondPersonError,
)
from pipeline.models import BlocklistKind, Mailbox, Switch
from pipeline.policies.switches import Subject, SwitchScope
from tests import factories
from tests.controls.switching import REASON, lift, switch, wanted

pytestmark = pytest.mark.django_db
RIGHTS = ("add_switch", "change_switch", "add_incident", "change_incident")


def lead(*tenants: Tenant) -> User:
    """May switch: everything, or for these tenants only."""
    user = factories.user(*RIGHTS)
    if tenants:
        StaffScope.objects.create(user=user).tenants.set(tenants)
    return user


def set_(what: str, by: User, **more: Any) -> Switch:
    return operations.set_switch(wanted(what, **more), by=by, now=timezone.now())


def approve(row: Switch, by: User) -> Switch:
    return operations.approve(row.pk, by=by, now=timezone.now())


def test_a_switch_over_everything_is_in_force_only_once_a_second_person_says_so() -> None:
    ana, rui = lead(), lead()
    row = set_("replies:pause", ana)
    assert (row.status, row.active_since) == ("pending", None)
    with pytest.raises(SecondPersonError):
        approve(row, ana)
    approved = approve(row, rui)
    assert (approved.status, approved.approved_by) == ("active", rui)
    with pytest.raises(ConflictError):
        approve(row, rui)


def test_in_an_incident_one_person_is_enough_and_its_switches_outlast_it() -> None:
    ana = lead()
    incident = incidents.open_incident(by=ana, reason="nothing answers", now=timezone.now())
    row = set_("replies:pause", ana)
    assert (row.status, row.incident) == ("active", incident)
    with pytest.raises(ConflictError):
        incidents.open_incident(by=ana, reason="again", now=timezone.now())
    incidents.close_incident(incident.pk, by=ana, now=timezone.now())
    assert Switch.objects.get().status == "active"
    assert set_("model:pause", ana).status == "pending"


def test_who_asked_may_take_it_back_and_another_may_refuse_it() -> None:
    ana, rui = lead(), lead()
    for by in (ana, rui):
        row = operations.refuse(
            set_("replies:pause", ana).pk, by=by, reason="not that bad", now=timezone.now()
        )
        assert (row.status, row.active_since, row.end_reason) == ("ended", None, "not that bad")


@pytest.mark.parametrize(
    ("what", "more", "error"),
    [
        ("voice_out:stop", {}, InvalidError),
        ("outbound:degrade", {}, InvalidError),
        ("replies:stop", {"reason": "  "}, InvalidError),
        ("replies:stop", {"scope": "tenant", "target_id": 10**12}, InvalidError),
        ("replies:stop", {"target_id": 3}, InvalidError),
        ("tool:stop", {}, InvalidError),
        ("replies:stop", {"ends_at": timezone.now() - timedelta(minutes=1)}, InvalidError),
        ("intake:pause", {"scope": "conversation", "target_id": 1}, InvalidError),
    ],
)
def test_what_does_not_fit_together_is_refused(
    what: str, more: dict[str, Any], error: type[ControlError]
) -> None:
    with pytest.raises(error):
        set_(what, lead(), **more)
    assert not Switch.objects.exists()


def test_the_same_switch_is_set_once() -> None:
    ana, tenant = lead(), factories.tenant()
    set_("replies:stop", ana, scope="tenant", target_id=tenant.pk)
    with pytest.raises(ConflictError):
        set_("replies:stop", ana, scope="tenant", target_id=tenant.pk)
    assert set_("replies:pause", ana, scope="tenant", target_id=tenant.pk).status == "active"


def test_staff_of_a_tenant_switch_for_their_own_and_never_for_everything() -> None:
    own, other = factories.channel(), factories.channel()
    mine = lead(own.tenant)
    assert set_("replies:pause", mine, scope="channel", target_id=own.pk).tenant == own.tenant
    for scope, target in (("everything", None), ("channel", other.pk), ("agent", other.agent_id)):
        with pytest.raises(NotAllowedError):
            set_("replies:stop", mine, scope=scope, target_id=target)
    theirs = switch("replies:pause", scope="tenant", target_id=other.tenant_id)
    with pytest.raises(NotAllowedError):
        operations.lift(theirs.pk, by=mine, now=timezone.now())
    assert {row.tenant for row in queries.not_ended(tenant_ids(mine))} == {own.tenant}


@pytest.mark.parametrize("user", [{}, {"is_superuser": True, "is_active": False}])
def test_who_has_not_the_right_is_refused(user: dict[str, Any]) -> None:
    active = user.pop("is_active", True)
    person = factories.user(**user)
    person.is_active = active
    with pytest.raises(NotAllowedError):
        set_("replies:stop", person)


def test_each_act_names_its_person_and_its_reason_and_shows_what_changed() -> None:
    ana, rui = lead(), lead()
    row = set_("replies:stop", ana)
    approve(row, rui)
    operations.lift(row.pk, by=rui, reason="mended", now=timezone.now())
    assert list(AuditEntry.objects.order_by("pk").values_list("action", "actor", "reason")) == [
        ("switch.requested", ana.username, REASON),
        ("switch.approved", rui.username, REASON),
        ("switch.lifted", rui.username, "mended"),
    ]
    history = Switch.history.filter(id=row.pk).order_by("history_id")
    assert [(then.status, then.history_user) for then in history] == [
        ("pending", ana),
        ("active", rui),
        ("ended", rui),
    ]
    assert AuditEntry.objects.latest("pk").details["history_id"] == history.last().history_id


def test_lifting_twice_is_lifting_once() -> None:
    row = switch("replies:stop")
    lift(row)
    lift(row)
    assert AuditEntry.objects.filter(action="switch.lifted").count() == 1


def test_the_blast_radius_counts_what_the_scope_holds() -> None:
    own, other = factories.channel(), factories.channel()
    where = [factories.conversation(channel=own) for _ in range(3)]
    factories.conversation(channel=other)
    factories.event(conversation=where[0])
    factories.event(conversation=where[0], outcome="replied")
    factories.outbound(conversation=where[1])
    factories.outbound(conversation=where[1], delivery="sent")
    for scope, target in (("channel", own.pk), ("agent", own.agent_id), ("tenant", own.tenant_id)):
        radius = blast_radius(SwitchScope(scope), target)
        assert (radius.conversations, radius.waiting_messages, radius.queued_answers) == (3, 1, 1)
    assert blast_radius(SwitchScope.EVERYTHING, None).conversations == 4
    assert blast_radius(SwitchScope.CONVERSATION, where[2].pk).waiting_messages == 0
    assert blast_radius(SwitchScope.CONTACT, where[0].contact_id).waiting_messages == 1


def test_lifting_wakes_all_that_waited_in_as_many_queries_for_many_as_for_few(
    django_assert_max_num_queries: Any,
) -> None:
    door = factories.channel()
    row = switch("replies:pause", scope="channel", target_id=door.pk)
    for _ in range(60):
        factories.event(conversation=factories.conversation(channel=door))
    elsewhere = factories.event()
    with django_assert_max_num_queries(25):
        lift(row)
    assert Mailbox.objects.filter(due_at__lte=timezone.now() + timedelta(seconds=1)).count() == 60
    assert not Mailbox.objects.filter(conversation=elsewhere.conversation).exists()


def test_the_switches_of_a_moment_can_be_asked_for_later() -> None:
    conversation = factories.conversation()
    subject = Subject(
        tenant_id=conversation.tenant_id,
        channel_id=conversation.channel_id,
        agent_id=conversation.channel.agent_id,
        conversation_id=conversation.pk,
        contact_id=conversation.contact_id,
    )
    start = timezone.now()
    mine = factories.switch(
        tenant=conversation.tenant,
        active_since=start,
        status="ended",
        ended_at=start + timedelta(hours=1),
    )
    factories.switch(active_since=start)
    assert queries.in_force_at(subject, start + timedelta(minutes=1)) == [mine]
    assert queries.in_force_at(subject, start - timedelta(minutes=1)) == []
    assert queries.in_force_at(subject, start + timedelta(hours=2)) == []


def block(kind: BlocklistKind, value: str, **more: Any) -> Any:
    unwanted = Unwanted(kind=kind, value=value, reason="advertising", **more)
    return blocking.block(unwanted, by=factories.superuser(), now=timezone.now())


@pytest.mark.parametrize(
    "pattern",
    [
        "(55",
        "[",
        "a{5,2}",
        "^(a+)+\\1$",
        "(?=55)",
        "***=55",
        "x*",
        "",
        "5" * 101,
        "((((a{1,255}){1,255}){1,255}))",
    ],
)
def test_a_pattern_that_is_none_or_names_everybody_or_may_be_slow_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidError):
        block(BlocklistKind.PATTERN, pattern)


def test_a_preview_tells_whom_an_entry_would_have_caught_in_the_last_day() -> None:
    now = timezone.now()
    for address, age in (("5511999", 1), ("5511888", 2), ("4411777", 3), ("5511666", 30)):
        contact = factories.contact(address=address)
        factories.event(
            conversation=factories.conversation(contact=contact, last_message_at=now - timedelta(hours=age)),
            received_at=now - timedelta(hours=age),
        )
    caught = queries.would_have_caught(BlocklistKind.PREFIX, "5511", None, now=now)
    assert (caught.contacts, caught.messages, caught.examples) == (2, 2, ["5511999", "5511888"])
    pattern = queries.would_have_caught(BlocklistKind.PATTERN, "^(55|44)11", None, now=now)
    assert pattern.contacts == 3
    assert queries.would_have_caught(BlocklistKind.ADDRESS, "4411777", 10**9, now=now).contacts == 0
