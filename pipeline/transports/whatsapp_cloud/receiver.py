"""Webhooks of the WhatsApp Cloud API.

Envelope: entry[] → changes[] → value{metadata, contacts[], messages[] | statuses[]}; up to 1000 updates a POST, in any
order, for several numbers. A sender may have a phone number (`from`), a business-scoped id (`from_user_id`), or both.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, Field

from conversations.models import Channel, MessageKind
from conversations.models import Delivery as DeliveryState
from pipeline.engine.statuses import StatusUpdate
from pipeline.models import EventKind
from pipeline.policies.errors import Code, RequestError
from pipeline.transports.base import (
    MAX_ID_LENGTH,
    Delivery,
    InboundEvent,
    SignatureError,
    content_key,
    read_json,
    unix_time,
)
from pipeline.transports.whatsapp_cloud.errors import classify

Json = dict[str, Any]


class Value(BaseModel):
    metadata: Json = Field(default_factory=dict)
    contacts: list[Json] = Field(default_factory=list)
    messages: list[Json] = Field(default_factory=list)
    statuses: list[Json] = Field(default_factory=list)


class Change(BaseModel):
    field: str = ""
    value: Value


class Entry(BaseModel):
    changes: list[Change]


class Envelope(BaseModel):
    object: str
    entry: list[Entry]


class WhatsAppReceiver:
    def verify(self, headers: Mapping[str, str], body: bytes, channel: Channel, *, now: datetime) -> None:
        """`X-Hub-Signature-256: sha256=<hex>`, keyed with the app secret. Meta signs the bytes as sent."""
        given = headers.get("X-Hub-Signature-256", "")
        secret = channel.credentials.get("app_secret", "")
        expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        if not secret or not hmac.compare_digest(given.encode(), f"sha256={expected}".encode()):
            raise SignatureError("X-Hub-Signature-256 is missing or does not fit this body and app secret.")

    def parse(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        delivery = Delivery()
        for value in (change.value for entry in read_json(Envelope, body).entry for change in entry.changes):
            delivery.events.extend(_events(value))
            statuses = [status for each in value.statuses if (status := _status(each, _external_id(value)))]
            delivery.statuses.extend(statuses)
            delivery.ignored_statuses += len(value.statuses) - len(statuses)
        return delivery


def _events(value: Value) -> Iterator[InboundEvent]:
    names = {_contact_id(contact): _name(contact) for contact in value.contacts}
    for message in value.messages:
        address = str(message.get("from") or message.get("from_user_id") or "")
        yield _event(message, address, names.get(address, ""), _external_id(value))


def _external_id(value: Value) -> str:
    return str(value.metadata.get("phone_number_id") or "")


def _contact_id(contact: Json) -> str:
    return str(contact.get("wa_id") or contact.get("user_id") or "")


def _name(contact: Json) -> str:
    profile = contact.get("profile")
    return str(profile.get("name") or "") if isinstance(profile, dict) else ""


def _event(message: Json, address: str, name: str, external_id: str) -> InboundEvent:
    provider_id = str(message.get("id") or "")
    content = _content(message)
    kind, text, media = content or (MessageKind.TEXT, "", {})
    return InboundEvent(
        dedupe_key=provider_id or content_key(message),
        kind=EventKind.MESSAGE if content else EventKind.UNSUPPORTED,
        address=address,
        contact_name=name,
        payload={"type": kind, "text": text, "media": media, "provider_id": provider_id, "raw": message},
        platform_at=unix_time(message.get("timestamp")),
        external_id=external_id,
        ignored_code=_ignored_code(address, understood=content is not None),
    )


def _ignored_code(address: str, *, understood: bool) -> Code | None:
    if not address:
        return Code.EVENT_NO_SENDER
    return None if understood else Code.EVENT_UNSUPPORTED


Content = tuple[MessageKind, str, Json]
MEDIA_KINDS = {
    "audio": MessageKind.AUDIO,
    "image": MessageKind.IMAGE,
    "video": MessageKind.VIDEO,
    "document": MessageKind.DOCUMENT,
    "sticker": MessageKind.IMAGE,
}


def _content(message: Json) -> Content | None:
    """What was said, or None for a kind we do not handle (reactions, edits, system notices, whatever comes next)."""
    kind = message.get("type")
    body = message.get(kind) if isinstance(kind, str) else None
    if not isinstance(body, dict):
        return None
    if kind in MEDIA_KINDS:
        return MEDIA_KINDS[kind], str(body.get("caption") or ""), {**body, "kind": kind}
    if kind == "location":
        return MessageKind.LOCATION, str(body.get("name") or body.get("address") or ""), body
    text = _words(str(kind), body)
    return (MessageKind.TEXT, text, {}) if text is not None else None


def _words(kind: str, body: Json) -> str | None:
    if kind == "text":
        return body["body"] if isinstance(body.get("body"), str) else None
    if kind == "button":
        return str(body.get("text") or body.get("payload") or "") or None
    if kind == "interactive":
        chosen = body.get(str(body.get("type")))
        reply = chosen if isinstance(chosen, dict) else body
        return str(reply.get("title") or reply.get("id") or "") or None
    return None


STATUSES = {
    "sent": DeliveryState.SENT,
    "delivered": DeliveryState.DELIVERED,
    "read": DeliveryState.READ,
    "played": DeliveryState.READ,
    "failed": DeliveryState.FAILED,
}


def _status(status: Json, external_id: str) -> StatusUpdate | None:
    """None for a status that nobody handles, and for one that does not say of which message it speaks."""
    delivery, provider_id = STATUSES.get(str(status.get("status"))), str(status.get("id") or "")
    if delivery is None or not 0 < len(provider_id) <= MAX_ID_LENGTH:
        return None
    return StatusUpdate(
        provider_id=provider_id,
        client_reference=_reference(status.get("biz_opaque_callback_data")),
        delivery=delivery,
        at=unix_time(status.get("timestamp")) or datetime.now(UTC),
        external_id=external_id,
        error_code=_reason(status.get("errors")) if delivery == DeliveryState.FAILED else "",
        error_detail=json.dumps(status["errors"]) if status.get("errors") else "",
    )


def _reason(errors: object) -> Code:
    """What the first error says by its number; the rest is its detail."""
    with suppress(ValueError, KeyError, IndexError, TypeError):
        known = classify(int(errors[0]["code"]), 0, "", None)  # type: ignore[index]  # whatever it is
        return Code.SEND_REPORTED if isinstance(known, RequestError) else known.code
    return Code.SEND_REPORTED


def _reference(value: object) -> UUID | None:
    with suppress(ValueError):
        return UUID(str(value))
    return None
