"""What a person or a script needs to use the demo."""

from typing import Any

from conversations.models import Channel, ChannelKind
from zupa_site.demo.kept_secrets import DemoSecrets
from zupa_site.demo.seed import TENANT
from zupa_site.environment import Environment

WEBHOOKS = {ChannelKind.WHATSAPP_CLOUD: "whatsapp", ChannelKind.WAHA: "waha", ChannelKind.HTTP: "http"}
ASKED_OF_US = ("access_token", "api_key")


def as_json(environment: Environment, secrets: DemoSecrets) -> dict[str, Any]:
    """The object of the outside contract; scripts read it."""
    return {
        "tenant": TENANT,
        "admin": {
            "url": f"{environment.public_url}/admin/", "username": "admin", "password": secrets.admin_password
        },
        "reviewer": {"username": "reviewer", "password": secrets.reviewer_password},
        "auditor": {"username": "auditor", "password": secrets.auditor_password},
        "channels": channels(environment),
        "simulator": {"url": environment.simulator_url, "phone_url": f"{environment.simulator_url}/"},
    }  # fmt: skip


def channels(environment: Environment) -> list[dict[str, str]]:
    """The demo's active channels with what their platform must know to call us."""
    active = Channel.objects.filter(tenant__slug=TENANT, is_active=True).order_by("-slug")
    return [_channel(environment, channel) for channel in active]


def channels_for_simulator(environment: Environment) -> list[dict[str, str]]:
    """The same, with the token or key that the simulated platform asks of us."""
    asked = {
        channel.slug: {name: channel.credentials.get(name, "") for name in ASKED_OF_US}
        for channel in Channel.objects.filter(tenant__slug=TENANT)
    }
    return [channel | asked[channel["slug"]] for channel in channels(environment)]


def _channel(environment: Environment, channel: Channel) -> dict[str, str]:
    kind = ChannelKind(channel.kind)
    common = {
        "slug": channel.slug,
        "kind": kind.value,
        "webhook_url": f"{environment.public_url}/api/webhooks/{WEBHOOKS[kind]}/{channel.slug}",
    }
    if kind is ChannelKind.HTTP:
        return common | {"signing_secret": channel.credentials["signing_secret"]}
    if kind is ChannelKind.WAHA:
        return common | {"hmac_key": channel.credentials["hmac_key"]}
    return common | {
        "verify_token": channel.credentials["verify_token"],
        "app_secret": channel.credentials["app_secret"],
        "phone_number_id": channel.external_id,
    }


def as_text(environment: Environment, secrets: DemoSecrets) -> str:
    rows = (
        ("Write as a customer", f"{environment.simulator_url}/"),
        ("Decide what waits", f"{environment.public_url}/review/"),
        ("Watch the conversations", f"{environment.public_url}/review/conversations/"),
        ("Admin", f"{environment.public_url}/admin/"),
        ("Log in as", f"admin / {secrets.admin_password}"),
        ("or", f"reviewer / {secrets.reviewer_password}"),
        ("or", f"auditor / {secrets.auditor_password}"),
    )
    return "\n".join(["The demo is ready.", "", *(f"  {label:<24}{value}" for label, value in rows), ""])
