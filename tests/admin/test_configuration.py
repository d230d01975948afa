"""Tenants, agents and channels: changed by staff, with evidence; secrets go in and never come out."""

from dataclasses import replace
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from audit.models import ActorKind, AuditEntry
from conversations.configuration import save_configuration
from conversations.models import Agent, Channel, ChannelKind, Tenant
from pipeline.agents import registry
from tests import factories
from tests.admin import site

pytestmark = pytest.mark.django_db
SECRETS = ("an-app-secret", "a-verify-token", "an-access-token", "a-new-secret")


def agent_form(agent: Agent, **changes: Any) -> dict[str, Any]:
    fields = (
        "overload_reply",
        "fallback_model",
        "outage_policy",
        "burst_window_s",
        "session_idle_minutes",
        "rate_limit_per_minute",
        "name",
        "language",
        "prompt_template",
        "fallback_reply",
        "model",
        "temperature",
        "max_output_tokens",
        "history_limit",
        "max_tool_iterations",
        "allowed_tools",
        "refusal_reply",
        "mode",
        "review_minutes",
        "review_default",
        "takeover_idle_minutes",
        "takeover_idle_policy",
    )
    return {"tenant": agent.tenant_id} | {name: getattr(agent, name) for name in fields} | changes


def channel_form(channel: Channel, **changes: Any) -> dict[str, Any]:
    fields = ("slug", "kind", "external_id", "api_url", "overload_policy", "unknown_policy")
    fields_in_minutes = ("settle_minutes", "hand_reply_minutes")
    data = {"tenant": channel.tenant_id, "agent": channel.agent_id, "is_active": "on"}
    return data | {name: getattr(channel, name) for name in (*fields, *fields_in_minutes)} | changes


def test_a_changed_agent_leaves_who_changed_which_fields(staff: Client) -> None:
    agent = factories.agent()

    staff.post(site.page(agent), agent_form(agent, temperature="0.9", model="gpt-4.1"))

    entry = AuditEntry.objects.get()
    assert (entry.action, entry.object_type, entry.object_id) == ("agent.changed", "agent", str(agent.pk))
    assert (entry.actor_kind, entry.actor) == (ActorKind.PERSON, staff_name())
    assert entry.details["fields"] == ["model", "temperature"]
    assert entry.policy_version == str(agent.history.first().history_id)


def staff_name() -> str:
    return str(User.objects.get().username)


def test_an_agent_may_stay_silent_where_its_model_cannot_answer(staff: Client) -> None:
    agent = factories.agent()

    response = staff.post(site.page(agent), agent_form(agent, fallback_reply=""))

    assert response.status_code == 302
    agent.refresh_from_db()
    assert agent.fallback_reply == ""


def test_an_agent_saved_unchanged_keeps_its_policy_version(staff: Client) -> None:
    agent = factories.agent()

    response = staff.post(site.page(agent), agent_form(agent))

    assert response.status_code == 302
    assert agent.history.count() == 1
    assert not AuditEntry.objects.exists()


def test_going_back_to_an_earlier_version_is_a_change_like_any_other(staff: Client) -> None:
    agent = factories.agent(model="first")
    first = agent.history.first()
    agent.model = "second"
    agent.save()
    address = reverse("admin:conversations_agent_simple_history", args=[agent.pk, first.history_id])

    response = staff.post(address, agent_form(agent, model="first"))

    assert response.status_code == 302
    agent.refresh_from_db()
    assert agent.model == "first"
    assert AuditEntry.objects.get().details["fields"] == ["model"]


def test_history_names_the_person(staff: Client) -> None:
    agent = factories.agent()

    staff.post(site.page(agent), agent_form(agent, model="other"))

    assert agent.history.first().history_user.username == staff_name()
    assert staff.get(site.page(agent, "history")).status_code == 200


def test_an_added_tenant_is_audited(staff: Client) -> None:
    limits = {"max_in_flight": 5, "max_waiting": 50, "max_waiting_per_conversation": 5, "retention_days": 30}
    data = {"name": "Acme", "slug": "acme", "time_zone": "America/Sao_Paulo"}

    staff.post(site.list_page(Tenant) + "add/", data | limits)

    tenant = Tenant.objects.get()
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.object_id, entry.tenant_id) == (
        "tenant.added",
        str(tenant.pk),
        str(tenant.pk),
    )


def test_tools_are_ticked_from_what_the_apps_offer(staff: Client) -> None:
    name = registry.names()[0]
    agent = factories.agent(allowed_tools=["long_gone"])

    shown = staff.get(site.page(agent)).content.decode()
    staff.post(site.page(agent), agent_form(agent, allowed_tools=[name]))

    agent.refresh_from_db()
    assert agent.allowed_tools == [name]
    assert "long_gone (no app offers it)" in shown


def test_the_prompt_is_shown_as_the_model_will_read_it(staff: Client) -> None:
    agent = factories.agent(name="Ana", prompt_template="I am $agent_name, and <b>bold</b>.")

    assert "I am Ana, and &lt;b&gt;bold&lt;/b&gt;." in staff.get(site.page(agent)).content.decode()


def test_secrets_are_never_shown(staff: Client) -> None:
    channel = factories.channel()

    for address in (site.page(channel), site.list_page(Channel), site.page(channel, "history")):
        shown = staff.get(address).content.decode()
        assert not [secret for secret in SECRETS if secret in shown]


def test_an_empty_input_keeps_the_stored_secret(staff: Client) -> None:
    channel = factories.channel()

    staff.post(site.page(channel), channel_form(channel, app_secret="a-new-secret"))

    channel.refresh_from_db()
    assert channel.credentials == factories.CREDENTIALS[ChannelKind.WHATSAPP_CLOUD] | {
        "app_secret": "a-new-secret"
    }


def test_a_changed_secret_is_named_in_the_evidence_without_its_value(staff: Client) -> None:
    channel = factories.channel()

    staff.post(site.page(channel), channel_form(channel, app_secret="a-new-secret"))

    entry = AuditEntry.objects.get()
    assert entry.details["fields"] == ["credentials.app_secret"]
    assert "a-new-secret" not in str(entry.__dict__)


def test_saving_a_channel_leaves_the_engines_pause_alone(staff: Client) -> None:
    channel = factories.channel()
    stale = Channel.objects.get(pk=channel.pk)
    Channel.objects.update(paused_at=timezone.now(), paused_reason="send.credentials")
    stale.api_url = "https://example.org/"

    save_configuration(stale, by=User.objects.get(), now=timezone.now())

    channel.refresh_from_db()
    assert (channel.api_url, channel.paused_reason) == ("https://example.org/", "send.credentials")


def test_the_form_says_which_secrets_are_stored_and_which_are_missing(staff: Client) -> None:
    channel = factories.channel(credentials={"app_secret": "an-app-secret"})

    form = staff.get(site.page(channel)).context["adminform"].form

    assert form.fields["app_secret"].help_text.startswith("Stored")
    assert form.fields["access_token"].help_text.startswith("Missing")


def test_an_active_channel_needs_all_its_secrets(staff: Client) -> None:
    channel = factories.channel(credentials={"app_secret": "an-app-secret"})

    active = staff.post(site.page(channel), channel_form(channel))
    off = staff.post(site.page(channel), channel_form(channel, is_active=""))

    assert set(active.context["adminform"].form.errors) == {"verify_token", "access_token"}
    assert off.status_code == 302


def test_an_active_waha_channel_needs_its_session_its_address_and_its_keys(staff: Client) -> None:
    bare = factories.channel(kind=ChannelKind.WAHA, external_id="", credentials={})
    whole = {"external_id": "shop", "api_url": "https://waha.example.org", "api_key": "a", "hmac_key": "h"}

    refused = staff.post(site.page(bare), channel_form(bare))
    saved = staff.post(site.page(bare), channel_form(bare, **whole))

    assert set(refused.context["adminform"].form.errors) == {"external_id", "api_url", "api_key", "hmac_key"}
    assert saved.status_code == 302
    assert Channel.objects.get().credentials == {"api_key": "a", "hmac_key": "h"}


def test_a_pause_by_the_platform_says_why(staff: Client) -> None:
    channel = factories.channel(kind=ChannelKind.WAHA)
    reason = "WhatsApp logged this number out. Scan the QR code in WAHA with the phone."
    Channel.objects.update(paused_at=timezone.now(), paused_reason=reason, paused_by_platform=True)

    assert reason in staff.get(site.page(channel)).content.decode()
    assert "It goes on by itself" in staff.get("/admin/").content.decode()


@pytest.mark.parametrize(
    "secret", ["whsec_", "whsec_c2hvcnQ=", "whsec_%%%", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]
)
def test_a_signing_secret_that_is_none_is_refused(staff: Client, secret: str) -> None:
    channel = factories.channel(kind=ChannelKind.HTTP, api_url="https://example.org/in")

    response = staff.post(site.page(channel), channel_form(channel, signing_secret=secret))

    assert "signing_secret" in response.context["adminform"].form.errors


def test_a_signed_channel_is_added_with_its_secret(staff: Client) -> None:
    agent = factories.agent()
    data = {"tenant": agent.tenant_id, "agent": agent.pk, "slug": "shop", "kind": "http", "is_active": "on"}
    data |= {"overload_policy": "push_back", "unknown_policy": "hold", "settle_minutes": 10}
    data |= {"hand_reply_minutes": 30}

    staff.post(
        site.list_page(Channel) + "add/",
        data | {"api_url": "https://example.org/in", "signing_secret": factories.SIGNING_SECRET},
    )

    assert Channel.objects.get().credentials == {"signing_secret": factories.SIGNING_SECRET}


def test_the_page_shows_the_address_to_give_to_the_platform(staff: Client) -> None:
    channel = factories.channel(kind=ChannelKind.HTTP, slug="shop")

    assert "/api/webhooks/http/shop" in staff.get(site.page(channel)).content.decode()


def test_secrets_whose_key_is_gone_can_be_put_in_again(staff: Client, settings: Any) -> None:
    channel = factories.channel()
    with override_settings(
        ZUPA=replace(settings.ZUPA, field_encryption_keys=(Fernet.generate_key().decode(),))
    ):
        opened = staff.get(site.page(channel))
        secrets = factories.CREDENTIALS[ChannelKind.WHATSAPP_CLOUD]
        saved = staff.post(site.page(channel), channel_form(channel, **secrets))

        assert (opened.status_code, saved.status_code) == (200, 302)
        assert Channel.objects.get().credentials == secrets


def test_a_channel_in_use_cannot_be_deleted_and_the_page_says_why(staff: Client) -> None:
    channel = factories.conversation().channel

    shown = staff.get(site.page(channel, "delete")).content.decode()
    staff.post(site.page(channel, "delete"), {"post": "yes"})

    assert "contacts and conversations belong to it. Switch it off instead." in shown
    assert Channel.objects.filter(pk=channel.pk).exists()


def test_deleting_many_is_refused_when_one_is_in_use(staff: Client) -> None:
    used, free = factories.conversation().channel.agent, factories.agent()
    data = {"action": "delete_selected", "_selected_action": [used.pk, free.pk]}

    shown = staff.post(site.list_page(Agent), data).content.decode()
    staff.post(site.list_page(Agent), data | {"post": "yes"})

    assert "channels belong to it" in shown
    assert Agent.objects.filter(pk__in=[used.pk, free.pk]).count() == 2


def test_what_nobody_uses_is_deleted_with_evidence(staff: Client) -> None:
    agent = factories.agent()
    data = {"action": "delete_selected", "_selected_action": [agent.pk], "post": "yes"}

    staff.post(site.list_page(Agent), data)

    assert not Agent.objects.exists()
    assert AuditEntry.objects.get().action == "agent.deleted"
