"""What somebody with a scope finds on the pages that count and gather: figures, lists, forms, the trail."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from audit.models import AuditEntry
from conversations import channels, sessions
from conversations.models import Agent, Channel, Conversation, Message, Session, Tenant
from pipeline import dead_letters
from pipeline.health.figures import read, scope_of
from pipeline.models import ProcessedEvent
from review import passes
from tests import factories
from tests.access.world import MARK, World
from tests.admin.site import list_page, page

pytestmark = pytest.mark.django_db


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def olga(world: World) -> User:
    user = factories.member("administrator", username="olga")
    factories.staff_scope(user, world.ours[Tenant])
    return user


@pytest.fixture
def browser(olga: User) -> Client:
    client = Client()
    client.force_login(olga)
    return client


def test_figures_count_ones_own_tenants_and_leave_the_machine_out(olga: User) -> None:
    factories.event(conversation=factories.conversation())
    figures = read(timezone.now(), scope_of(olga))

    assert figures.queue is not None
    assert (figures.queue.pending, figures.queue.in_flight, figures.failed) == (0, 1, 1)
    assert figures.outcomes == {"failed": 1}
    assert figures.outbox is not None
    assert figures.outbox.unknown == 1
    assert [channel.slug for channel in figures.paused_channels or ()] == ["channel-ours"]
    assert (figures.workers, figures.breakers, figures.housekeeping) == (None, None, None)


def test_figures_of_who_sees_all_tenants_are_of_all(world: World) -> None:
    figures = read(timezone.now(), scope_of(factories.member("administrator")))

    assert figures.outcomes == {"failed": 2}
    assert figures.workers
    assert figures.breakers


def test_the_console_lists_ones_own_conversations_and_channels(browser: Client) -> None:
    listed = browser.get(reverse("review:conversations")).content.decode()

    assert "Contact ours" in listed
    assert "channel-ours" in listed
    assert MARK not in listed


def test_a_pass_for_a_conversation_does_not_outlive_the_scope(
    browser: Client, olga: User, world: World
) -> None:
    pk = world.theirs[Conversation].pk
    reading = {"pass": passes.issue(pk, olga.pk)}

    assert browser.get(reverse("review:transcript", args=[pk]), reading).status_code == 404


def test_a_form_takes_no_record_of_another_tenant(browser: Client, world: World) -> None:
    agent = world.ours[Agent]

    response = browser.post(page(agent), {"tenant": world.theirs[Tenant].pk, "name": "Mine"})

    assert "tenant" in response.context["adminform"].form.errors
    agent.refresh_from_db()
    assert agent.tenant == world.ours[Tenant]


def test_agents_and_channels_of_two_tenants_do_not_mix(client: Client, world: World) -> None:
    client.force_login(factories.superuser())
    ours, theirs = world.ours, world.theirs

    for record, data, field in (
        (ours[Channel], {"tenant": ours[Tenant].pk, "agent": theirs[Agent].pk}, "agent"),
        (ours[Agent], {"tenant": theirs[Tenant].pk}, "tenant"),
    ):
        assert field in client.post(page(record), data).context["adminform"].form.errors


def test_tenants_are_not_added_or_deleted_by_who_sees_only_some(browser: Client, world: World) -> None:
    assert browser.get(reverse("admin:conversations_tenant_add")).status_code == 403
    assert browser.post(page(world.ours[Tenant], "delete"), {"post": "yes"}).status_code == 403


def test_the_sidebar_offers_nothing_of_the_whole_machine(browser: Client) -> None:
    shown = browser.get(reverse("admin:index")).content.decode()

    assert list_page(Conversation) in shown
    for name in ("pipeline_worker", "pipeline_breaker", "auth_user", "conversations_staffscope"):
        assert reverse(f"admin:{name}_changelist") not in shown


def test_what_staff_do_is_in_the_trail_of_the_tenant(world: World) -> None:
    by, now = {"by": "ana", "reason": "so"}, timezone.now()
    channels.resume(channel_id=world.ours[Channel].pk, now=now, **by)
    channels.pause(channel_id=world.ours[Channel].pk, now=now, **by)
    sessions.close_by_operator(session_ids=[world.ours[Session].pk], now=now, **by)
    dead_letters.requeue(event_ids=[world.ours[ProcessedEvent].pk], now=now, **by)
    dead_letters.mark_delivered(message_ids=[world.ours[Message].pk], now=now, **by)

    done = AuditEntry.objects.filter(actor="ana")
    assert done.count() == 5
    assert set(done.values_list("tenant_id", flat=True)) == {str(world.ours[Tenant].pk)}


def test_the_trail_and_its_export_tell_of_ones_own_tenant_alone(browser: Client, world: World) -> None:
    exported = browser.get(reverse("admin:audit_auditentry_export_jsonl"))

    text = b"".join(exported).decode()
    assert "actor-ours" in text
    assert MARK not in text
    assert f'"tenant_id":"{world.ours[Tenant].pk}"' in text
