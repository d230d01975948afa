"""The demo: a shop called Demo, its agent, three channels that the simulator plays, and three people.

Seeding again changes only what must follow the present ports and the kept secrets; what staff edited stays.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import transaction

from audit.operations import Fact, record
from conversations.models import Agent, Channel, ChannelKind, Tenant, UnknownPolicy
from review import groups
from zupa_site.demo.kept_secrets import DemoSecrets
from zupa_site.environment import Environment

TENANT = "demo"
WHATSAPP = "whatsapp-demo"
WAHA = "waha-demo"
HTTP = "http-demo"
PHONE_NUMBER_ID = "100000000000001"
PROMPT = """\
You are $agent_name, the shop assistant of $tenant_name. You are talking with $contact_name; it is $now.

- Answer in the language the customer writes in, Portuguese or English; if unsure, in $language.
- Be brief, warm and exact: one to three sentences, no lists.
- For orders, refunds and opening hours use your tools. Never invent an order, a price, a date or a promise.
- Ask for the order number if you need it and do not have it.
- If the customer asks for a person, or you cannot help, use talk_to_a_person.
"""
TOOLS = ["order_status", "opening_hours", "request_refund", "offer_voucher", "talk_to_a_person"]


class DemoRefusedError(Exception):
    """The demo has passwords in a file and must not exist in production."""


@dataclass(frozen=True, kw_only=True)
class _ChannelSeed:
    slug: str
    kind: ChannelKind
    external_id: str
    api_url: str
    credentials: dict[str, str]
    unknown_policy: UnknownPolicy = UnknownPolicy.HOLD


def seed(environment: Environment, *, now: datetime) -> DemoSecrets:
    """Make the demo stand as described above. Raises `DemoRefusedError` in production."""
    if environment.production:
        raise DemoRefusedError("The demo has no place in production: seed it where ZUPA_ENV is development.")
    secrets = DemoSecrets.kept(environment.home)
    with transaction.atomic():
        shop = {"name": "Demo", "time_zone": "America/Sao_Paulo"}
        tenant, created = Tenant.objects.get_or_create(slug=TENANT, defaults=shop)
        agent = _agent(tenant)
        for channel in _channel_seeds(environment, secrets):
            _channel(tenant, agent, channel)
        _people(secrets)
        if created:
            fact = Fact(
                action="demo.seeded",
                object_type="tenant",
                object_id=tenant.pk,
                ids={"tenant_id": tenant.pk},
            )
            record(fact, now=now)
    return secrets


def _agent(tenant: Tenant) -> Agent:
    defaults = {"prompt_template": PROMPT, "allowed_tools": TOOLS}
    return Agent.objects.get_or_create(tenant=tenant, name="Ana", defaults=defaults)[0]


def _channel_seeds(environment: Environment, secrets: DemoSecrets) -> tuple[_ChannelSeed, ...]:
    return (
        _ChannelSeed(
            slug=WHATSAPP,
            kind=ChannelKind.WHATSAPP_CLOUD,
            external_id=PHONE_NUMBER_ID,
            api_url=f"{environment.simulator_url}/graph",
            credentials={
                "app_secret": secrets.whatsapp_app_secret,
                "verify_token": secrets.whatsapp_verify_token,
                "access_token": secrets.whatsapp_access_token,
            },
        ),
        _ChannelSeed(
            slug=WAHA,
            kind=ChannelKind.WAHA,
            external_id=WAHA,
            api_url=f"{environment.simulator_url}/waha",
            credentials={"api_key": secrets.waha_api_key, "hmac_key": secrets.waha_hmac_key},
        ),
        _ChannelSeed(
            slug=HTTP,
            kind=ChannelKind.HTTP,
            external_id="",
            api_url=f"{environment.simulator_url}/http/{HTTP}/messages",
            credentials={"signing_secret": secrets.http_signing_secret},
            unknown_policy=UnknownPolicy.RESEND,  # the simulator drops repeats
        ),
    )


def _channel(tenant: Tenant, agent: Agent, wanted: _ChannelSeed) -> None:
    """Saves only what differs, so that the channel's history tells of changes and not of restarts."""
    follows: dict[str, Any] = {"api_url": wanted.api_url, "credentials": wanted.credentials}
    channel, created = Channel.objects.get_or_create(
        slug=wanted.slug,
        defaults={
            "tenant": tenant,
            "agent": agent,
            "kind": wanted.kind,
            "external_id": wanted.external_id,
            "unknown_policy": wanted.unknown_policy,
            **follows,
        },
    )
    if created or all(getattr(channel, name) == value for name, value in follows.items()):
        return
    for name, value in follows.items():
        setattr(channel, name, value)
    channel.save(update_fields=list(follows))


def _people(secrets: DemoSecrets) -> None:
    groups.establish()  # a migration made them; staff may have deleted one
    _person("admin", secrets.admin_password, is_superuser=True)
    _person("reviewer", secrets.reviewer_password, "reviewer")
    _person("auditor", secrets.auditor_password, "auditor")


def _person(username: str, password: str, *roles: str, is_superuser: bool = False) -> None:
    defaults = {"is_staff": True, "is_superuser": is_superuser}
    user = User.objects.get_or_create(username=username, defaults=defaults)[0]
    if not user.check_password(password):
        user.set_password(password)
        user.save(update_fields=["password"])
    user.groups.add(*Group.objects.filter(name__in=roles))
