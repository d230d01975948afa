"""The channels the simulator plays, as `manage.py demo --json` describes them."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import Any

from pipeline.simulator.errors import InputError
from pipeline.simulator.fields import JsonObject, as_object, text_field
from pipeline.simulator.signing import standard_key

PLAYED_KINDS = ("whatsapp_cloud", "waha", "http")
REQUIRED = {
    "whatsapp_cloud": ("webhook_url", "app_secret", "phone_number_id"),
    "waha": ("webhook_url", "hmac_key"),
    "http": ("webhook_url", "signing_secret"),
}


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel of Zupa's as its platform knows it. With an `access_token` or `api_key`, only that is let in."""

    slug: str
    kind: str
    name: str = ""
    webhook_url: str = ""
    verify_token: str = ""
    app_secret: str = ""
    phone_number_id: str = ""
    access_token: str = ""
    signing_secret: str = ""
    hmac_key: str = ""
    api_key: str = ""
    secret_token: str = ""

    @classmethod
    def parse(cls, value: Any) -> "Channel":
        """Keys of no use here are left out; kinds not played are kept, so that the whole list can be sent."""
        data = as_object(value, "a channel")
        slug, kind = text_field(data, "slug"), text_field(data, "kind")
        for name in REQUIRED.get(kind, ()):
            if not data.get(name):
                raise InputError(f"channel {slug}: `{name}` is required for kind {kind}")
        known = {field.name: _string(data, field.name) for field in fields(cls)}
        channel = cls(**known)
        if kind == "http":
            standard_key(channel.signing_secret)
        return channel

    @property
    def title(self) -> str:
        return self.name or self.slug

    def as_json(self) -> dict[str, str]:
        return {name: value for name, value in asdict(self).items() if value}

    def address(self, raw: str) -> str:
        """How this platform writes a person's address: WhatsApp drops the plus, WAHA says what kind of chat it is."""
        if self.kind == "waha" and "@" not in raw:
            return f"{raw.removeprefix('+')}@c.us"
        return raw.removeprefix("+") if self.kind == "whatsapp_cloud" else raw


class ChannelBook:
    def __init__(self, channels: Iterable[Channel] = ()) -> None:
        self._by_slug: dict[str, Channel] = {}
        self._by_phone_number_id: dict[str, Channel] = {}
        for channel in channels:
            self.put(channel)

    def put(self, channel: Channel) -> None:
        """Adds, or replaces by slug. The channel added last answers for a shared phone number id."""
        self._by_slug[channel.slug] = channel
        self._by_phone_number_id = {
            each.phone_number_id: each for each in self._by_slug.values() if each.kind == "whatsapp_cloud"
        }

    def all(self) -> list[Channel]:
        return list(self._by_slug.values())

    def played(self) -> list[Channel]:
        return [channel for channel in self._by_slug.values() if channel.kind in PLAYED_KINDS]

    def by_phone_number_id(self, phone_number_id: str) -> Channel | None:
        return self._by_phone_number_id.get(phone_number_id)

    def find(self, slug: str) -> Channel | None:
        return self._by_slug.get(slug)

    def playable(self, slug: str) -> Channel:
        channel = self._by_slug.get(slug)
        if channel is None or channel.kind not in PLAYED_KINDS:
            slugs = ", ".join(each.slug for each in self.played()) or "none yet: POST /_sim/channels"
            raise InputError(f"`channel` must be the slug of a channel the simulator plays ({slugs})")
        return channel


def parse_channels(value: Any) -> list[Channel]:
    if not isinstance(value, list):
        raise InputError('the channels must be a JSON list, as under "channels" in `manage.py demo --json`')
    return [Channel.parse(item) for item in value]


def _string(data: JsonObject, name: str) -> str:
    value = data.get(name) or ""
    if not isinstance(value, str):
        raise InputError(f"channel field `{name}` must be a string")
    return value
