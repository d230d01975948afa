"""Webhooks of WAHA: one event a POST, `{id, timestamp (ms), event, session, payload}`.

Its retries repeat the body, with its timestamp; the header's timestamp stands outside the signature. So the age of a
webhook proves nothing, and turning away old ones would lose what was said during an outage of ours. What makes a
repeat harmless is what it says: messages and hand replies have ids, statuses have ranks, reports have their order.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from django.utils.translation import gettext_noop
from pydantic import BaseModel

from conversations.models import Channel, MessageKind
from conversations.models import Delivery as DeliveryState
from pipeline.engine.statuses import StatusUpdate
from pipeline.models import EventKind
from pipeline.policies.errors import Code
from pipeline.transports.base import (
    MAX_ID_LENGTH,
    Delivery,
    HandReply,
    InboundEvent,
    PlatformReport,
    SignatureError,
    content_key,
    read_json,
    unix_time,
)
from pipeline.transports.waha.ids import chat_of, is_personal, key_of

Json = dict[str, Any]


class Envelope(BaseModel):
    id: str = ""
    timestamp: Any = None
    event: str
    session: str
    payload: Json

    @property
    def at(self) -> datetime:
        return unix_time(self.timestamp, per_s=1000) or datetime.now(UTC)


class WahaReceiver:
    def verify(self, headers: Mapping[str, str], body: bytes, channel: Channel, *, now: datetime) -> None:
        """`X-Webhook-Hmac: <hex>`, HMAC-SHA512 of the body as sent."""
        given = headers.get("X-Webhook-Hmac", "")
        key = channel.credentials.get("hmac_key", "")
        expected = hmac.new(key.encode(), body, hashlib.sha512).hexdigest()
        if not key or not hmac.compare_digest(given.encode(), expected.encode()):
            raise SignatureError("X-Webhook-Hmac is missing or does not fit this body and HMAC key.")

    def parse(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        envelope = read_json(Envelope, body)
        return READERS.get(envelope.event, _unknown)(envelope)


def _message(envelope: Envelope) -> Delivery:
    """`message` is what others wrote, `message.any` also what our own number did; with both, each comes twice."""
    payload = envelope.payload
    if payload.get("fromMe") is not True:
        return Delivery(events=[_event(envelope, _text(payload, "from"))])
    chat = _text(payload, "to") or chat_of(_text(payload, "id"))
    key, content = key_of(_text(payload, "id")), _content(payload)
    if content is None or not is_personal(chat) or not 0 < len(key) <= MAX_ID_LENGTH:
        return Delivery(events=[_event(envelope, chat, is_ours=True)])
    return Delivery(hand_replies=[_hand_reply(envelope, chat, key, content)])


def _event(envelope: Envelope, chat: str, *, is_ours: bool = False) -> InboundEvent:
    """What a person wrote to us; groups, broadcasts and what we can make nothing of are only recorded."""
    payload = envelope.payload
    message_id, content = _text(payload, "id"), _content(payload)
    understood = content is not None and is_personal(chat) and not is_ours
    kind, text, media = content or (MessageKind.TEXT, "", {})
    return InboundEvent(
        dedupe_key=message_id or content_key(payload),
        kind=EventKind.MESSAGE if understood else EventKind.UNSUPPORTED,
        address=chat,
        contact_name=_name(payload),
        payload={"type": kind, "text": text, "media": media, "provider_id": message_id, "raw": payload},
        platform_at=unix_time(payload.get("timestamp")),
        external_id=envelope.session,
        ignored_code=_ignored_code(chat, understood=understood),
    )


def _ignored_code(chat: str, *, understood: bool) -> Code | None:
    if not chat:
        return Code.EVENT_NO_SENDER
    return None if understood else Code.EVENT_UNSUPPORTED


def _hand_reply(envelope: Envelope, chat: str, key: str, content: "Content") -> HandReply:
    """`source` may say `app` of what the API sent, as WAHA learns its id late; `api` is always right."""
    kind, text, media = content
    return HandReply(
        address=chat,
        text=text,
        provider_id=key,
        at=unix_time(envelope.payload.get("timestamp")) or envelope.at,
        kind=kind,
        media=media,
        external_id=envelope.session,
        by_program=envelope.payload.get("source") == "api",
    )


Content = tuple[MessageKind, str, Json]
MEDIA_KINDS: Final = {"audio": MessageKind.AUDIO, "image": MessageKind.IMAGE, "video": MessageKind.VIDEO}


def _content(payload: Json) -> Content | None:
    """What was said, or None for a kind we do not handle (contact cards, polls, notices, whatever comes next)."""
    text = _text(payload, "body")
    if payload.get("hasMedia") is True:
        media = _part(payload, "media")
        kind = _media_kind(media or _part(payload, "_data"))
        return kind, text, {**media, "kind": kind}
    if location := _part(payload, "location"):
        return MessageKind.LOCATION, _text(location, "description") or text, location
    if not text or payload.get("vCards"):
        return None
    return MessageKind.TEXT, text, {}


def _media_kind(media: Json) -> MessageKind:
    return MEDIA_KINDS.get(_text(media, "mimetype").partition("/")[0], MessageKind.DOCUMENT)


def _name(payload: Json) -> str:
    """As the engine of the session calls it: WEBJS, or NOWEB and GOWS."""
    data = _part(payload, "_data")
    return _text(data, "notifyName") or _text(data, "pushName") or _text(_part(data, "Info"), "PushName")


STATUSES: Final = {
    -1: DeliveryState.FAILED,
    1: DeliveryState.SENT,
    2: DeliveryState.DELIVERED,
    3: DeliveryState.READ,
    4: DeliveryState.READ,
}
"""By WAHA's `ack`: error, server, device, read, played. 0 is pending and tells nothing."""


def _ack(envelope: Envelope) -> Delivery:
    payload, ack = envelope.payload, envelope.payload.get("ack")
    delivery = STATUSES.get(ack) if isinstance(ack, int) else None
    key = key_of(_text(payload, "id"))
    if delivery is None or not 0 < len(key) <= MAX_ID_LENGTH:
        return Delivery(ignored_statuses=1)
    has_failed = delivery == DeliveryState.FAILED
    status = StatusUpdate(
        provider_id=key,
        client_reference=None,
        delivery=delivery,
        at=envelope.at,
        external_id=envelope.session,
        error_code=Code.SEND_REPORTED if has_failed else "",
        error_detail=f"ack {ack} {_text(payload, 'ackName')}".rstrip() if has_failed else "",
    )
    return Delivery(statuses=[status])


TROUBLES: Final = {
    "STOPPED": gettext_noop(
        "The WhatsApp session was stopped. Start it in WAHA; what is written meanwhile waits."
    ),
    "SCAN_QR_CODE": gettext_noop(
        "WhatsApp logged this number out. Scan the QR code in WAHA with the phone; what is written meanwhile waits."
    ),
    "FAILED": gettext_noop(
        "The WhatsApp session failed. Restart it in WAHA, and log in again if that does not help."
    ),
}
STRANGE_TROUBLE = gettext_noop("The WhatsApp session does not work. See in WAHA what ails it.")


def _session_status(envelope: Envelope) -> Delivery:
    """A session that is starting is neither news of trouble nor the end of it."""
    status = _text(envelope.payload, "status")
    if status in ("", "STARTING"):
        return Delivery(ignored_statuses=1)
    trouble = "" if status == "WORKING" else TROUBLES.get(status, STRANGE_TROUBLE)
    return Delivery(reports=[PlatformReport(trouble=trouble, at=envelope.at, external_id=envelope.session)])


def _unknown(envelope: Envelope) -> Delivery:
    """Recorded under the event's own id, which stays the same over retries."""
    chat = _text(envelope.payload, "from")
    key = envelope.id or content_key([envelope.event, envelope.payload])
    event = InboundEvent(
        dedupe_key=key,
        kind=EventKind.UNSUPPORTED,
        address=chat,
        contact_name="",
        payload={
            "type": MessageKind.TEXT,
            "text": "",
            "media": {},
            "provider_id": "",
            "raw": {"event": envelope.event, "payload": envelope.payload},
        },
        platform_at=envelope.at,
        external_id=envelope.session,
        ignored_code=Code.EVENT_UNSUPPORTED,
    )
    return Delivery(events=[event])


READERS: Final[Mapping[str, Callable[[Envelope], Delivery]]] = {
    "message": _message,
    "message.any": _message,
    "message.ack": _ack,
    "session.status": _session_status,
}


def _text(part: Json, name: str) -> str:
    value = part.get(name)
    return value if isinstance(value, str) else ""


def _part(whole: Json, name: str) -> Json:
    value = whole.get(name)
    return value if isinstance(value, dict) else {}
