"""A customer's message on its way to Zupa, written and signed as the platform would."""

import base64
import binascii
import json
import time
import uuid
from dataclasses import dataclass
from typing import Any

from pipeline.simulator.audio import speak
from pipeline.simulator.channels import Channel
from pipeline.simulator.chats import OUT, ChatKey, ChatMessage
from pipeline.simulator.errors import InputError
from pipeline.simulator.fields import JsonObject, as_object, flag_field, integer_field, text_field
from pipeline.simulator.media import MediaFile
from pipeline.simulator.waha_events import event, from_customer, new_message_id
from pipeline.simulator.webhooks import Webhook, WebhookAnswer
from pipeline.simulator.world import World

MEDIA_KINDS = {
    "audio": "audio/ogg; codecs=opus",
    "image": "image/jpeg",
    "video": "video/mp4",
    "document": "application/pdf",
    "sticker": "image/webp",
}
HTTP_KINDS = {"audio": "voice"}
COPIES_MAX = 100


@dataclass(frozen=True, slots=True)
class InboundMedia:
    kind: str
    file: MediaFile
    caption: str


@dataclass(frozen=True, slots=True)
class Inbound:
    """`raw` is a WhatsApp message's own part, or replaces fields of WAHA's, for kinds without a field here."""

    id: str
    channel: Channel
    sender: str
    name: str
    text: str
    media: InboundMedia | None
    raw: JsonObject | None

    @property
    def kind(self) -> str:
        if self.raw:
            return str(self.raw.get("type", "unsupported"))
        return self.media.kind if self.media else "text"

    @property
    def shown(self) -> str:
        if self.media:
            return self.media.caption or self.media.file.spoken or self.media.file.filename or ""
        return self.text


def parse_inbound(world: World, data: JsonObject) -> Inbound:
    channel = world.channels.playable(text_field(data, "channel"))
    media = _media(world, data)
    raw = as_object(data["raw"], "`raw`") if data.get("raw") else None
    if raw and channel.kind == "http":
        raise InputError("`raw` is for whatsapp_cloud and waha channels only")
    sender = channel.address(text_field(data, "from"))
    return Inbound(
        id=text_field(data, "id", "") or _new_id(channel, sender),
        channel=channel,
        sender=sender,
        name=text_field(data, "name", "") or sender,
        text=text_field(data, "text", "" if media or raw else None),
        media=media,
        raw=raw,
    )


async def send_inbound(world: World, data: JsonObject, *, origin: str) -> tuple[Inbound, list[WebhookAnswer]]:
    """The message, and the answer to each copy. With `retry`, a refused one is sent again later."""
    copies = integer_field(data, "copies", low=1, high=COPIES_MAX) or 1
    retry = flag_field(data, "retry")
    inbound = parse_inbound(world, data)
    webhook = Webhook(inbound.channel, _body(inbound, origin).encode(), inbound.id)
    _show(world, inbound)
    answers = [await world.webhooks.send(webhook) for _ in range(copies)]
    accepted = any(answer.accepted for answer in answers)
    again = retry and not accepted
    _show_answer(world, inbound, answers[-1], "sent" if accepted else "retrying" if again else "failed")
    if again:
        world.in_background(_retry(world, inbound, webhook))
    return inbound, answers


async def _retry(world: World, inbound: Inbound, webhook: Webhook) -> None:
    answer = await world.webhooks.redeliver(webhook)
    _show_answer(world, inbound, answer, "sent" if answer.accepted else "failed")


def _show(world: World, inbound: Inbound) -> None:
    media_id = inbound.media.file.id if inbound.media else None
    message = ChatMessage(inbound.id, OUT, inbound.kind, inbound.shown, time.time(), "sending", "", media_id)
    key = ChatKey(inbound.channel.slug, inbound.sender)
    before = world.chats.find(key, inbound.id)
    if before is None or before.state == "failed":
        world.chats.put(key, message)


def _show_answer(world: World, inbound: Inbound, answer: WebhookAnswer, state: str) -> None:
    refused = f"{answer.status or 'no answer'}: {answer.body[:300]}"
    world.chats.move_on(inbound.id, state, "" if state == "sent" else refused)


def _media(world: World, data: JsonObject) -> InboundMedia | None:
    """`media`: {"type", "data" (base64) or "simtext" (spoken text), "mime_type"?, "caption"?, "filename"?}"""
    if not data.get("media"):
        return None
    media = as_object(data["media"], "`media`")
    kind = text_field(media, "type")
    if kind not in MEDIA_KINDS:
        raise InputError(f"`media.type` must be one of: {', '.join(MEDIA_KINDS)}")
    mime_type = text_field(media, "mime_type", "") or MEDIA_KINDS[kind]
    filename = text_field(media, "filename", "") or None
    file = world.media.add(_media_bytes(media), mime_type, filename)
    return InboundMedia(kind, file, text_field(media, "caption", ""))


def _media_bytes(media: JsonObject) -> bytes:
    if "simtext" in media:
        return speak(text_field(media, "simtext"), "opus")
    try:
        return base64.b64decode(text_field(media, "data"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError("`media.data` must be base64, or give `media.simtext`") from error


def _new_id(channel: Channel, sender: str) -> str:
    if channel.kind == "waha":
        return new_message_id(sender, from_me=False)
    return (
        f"wamid.{uuid.uuid4().hex.upper()}" if channel.kind == "whatsapp_cloud" else f"msg_{uuid.uuid4().hex}"
    )


def _body(inbound: Inbound, origin: str) -> str:
    if inbound.channel.kind == "waha":
        return event(inbound.channel, "message", _waha_message(inbound, origin))
    return json.dumps(
        _whatsapp_body(inbound) if inbound.channel.kind == "whatsapp_cloud" else _http_body(inbound, origin)
    )


def _waha_message(inbound: Inbound, origin: str) -> dict[str, Any]:
    content: dict[str, Any] = {"body": inbound.text}
    if inbound.media:
        file = inbound.media.file
        url = f"{origin}/waha/api/files/{inbound.channel.slug}/{file.id}"
        media = {"url": url, "mimetype": file.mime_type, "filename": file.filename}
        content = {"body": inbound.media.caption, "hasMedia": True, "media": media}
    return from_customer(inbound.id, inbound.sender, inbound.name, content | dict(inbound.raw or {}))


def _whatsapp_body(inbound: Inbound) -> dict[str, Any]:
    phone_number_id = inbound.channel.phone_number_id
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": phone_number_id, "phone_number_id": phone_number_id},
        "contacts": [{"profile": {"name": inbound.name}, "wa_id": inbound.sender}],
        "messages": [_whatsapp_message(inbound)],
    }
    changes = [{"field": "messages", "value": value}]
    return {"object": "whatsapp_business_account", "entry": [{"id": "0", "changes": changes}]}


def _whatsapp_message(inbound: Inbound) -> dict[str, Any]:
    head = {"from": inbound.sender, "id": inbound.id, "timestamp": str(int(time.time()))}
    if inbound.raw:
        return head | dict(inbound.raw)
    if inbound.media is None:
        return head | {"type": "text", "text": {"body": inbound.text}}
    return head | {"type": inbound.media.kind, inbound.media.kind: _whatsapp_media(inbound.media)}


def _whatsapp_media(media: InboundMedia) -> dict[str, Any]:
    described = {"id": media.file.id, "mime_type": media.file.mime_type, "sha256": media.file.sha256}
    optional = {
        "caption": media.caption,
        "filename": media.file.filename if media.kind == "document" else None,
    }
    voice = {"voice": True} if media.kind == "audio" else {}
    return described | voice | {name: value for name, value in optional.items() if value}


def _http_body(inbound: Inbound, origin: str) -> dict[str, Any]:
    body: dict[str, Any] = {"id": inbound.id, "from": inbound.sender, "name": inbound.name}
    if inbound.media is None:
        return body | {"type": "text", "text": inbound.text}
    body |= {"type": HTTP_KINDS.get(inbound.kind, inbound.kind)}
    body |= {"media_url": f"{origin}/http-media/{inbound.media.file.id}"}
    return body | ({"text": inbound.media.caption} if inbound.media.caption else {})
