"""Webhooks of the generic channel: `{"id", "from", "name"?, "type", "text"?, "media_url"?}`, one event a POST."""

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from conversations.models import Channel, MessageKind
from pipeline.models import EventKind
from pipeline.policies.errors import Code
from pipeline.transports.base import Delivery, InboundEvent, read_json
from pipeline.transports.signed_http import signing

KINDS = {"voice": MessageKind.AUDIO} | {kind.value: kind for kind in MessageKind}


class Body(BaseModel):
    model_config = ConfigDict(coerce_numbers_to_str=True)

    id: str = Field(min_length=1, max_length=255)
    sender: str = Field(alias="from", min_length=1, max_length=128)
    name: str = Field(default="", max_length=200)
    type: str = "text"
    text: str = ""
    media_url: str = ""


class SignedHttpReceiver:
    def verify(self, headers: Mapping[str, str], body: bytes, channel: Channel, *, now: datetime) -> None:
        signing.verify(channel.credentials.get("signing_secret", ""), headers, body, now=now)

    def parse(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        """The `webhook-id` is the dedupe key: it is what Standard Webhooks keeps the same over retries."""
        return Delivery(events=[_event(headers["webhook-id"], read_json(Body, body))])


def _event(webhook_id: str, message: Body) -> InboundEvent:
    kind = KINDS.get(message.type)
    return InboundEvent(
        dedupe_key=webhook_id,
        kind=EventKind.MESSAGE if kind else EventKind.UNSUPPORTED,
        address=message.sender,
        contact_name=message.name,
        payload={
            "type": kind or MessageKind.TEXT,
            "text": message.text,
            "media": {"url": message.media_url} if message.media_url else {},
            "provider_id": message.id,
            "raw": message.model_dump(by_alias=True),
        },
        platform_at=None,
        ignored_code=None if kind else Code.EVENT_UNSUPPORTED,
    )
