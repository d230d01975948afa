"""The platforms' side of the webhooks, written from their own documentation: what they send and how they sign it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from django.test import Client

from conversations.models import Channel
from tests.ingress.answers import Answer

Json = dict[str, Any]
WAHA_CHAT = "5511999990001@c.us"
_numbers = count(1)


def encoded(body: object) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def meta_signature(app_secret: str, raw: bytes) -> str:
    return "sha256=" + hmac.new(app_secret.encode(), raw, hashlib.sha256).hexdigest()


def text_message(said: str = "Where is my order?", /, **fields: Any) -> Json:
    number = next(_numbers)
    message = {
        "id": f"wamid.test.{number}",
        "from": "5511999990001",
        "timestamp": str(int(time.time())),
        "type": "text",
        "text": {"body": said},
    }
    return {name: value for name, value in (message | fields).items() if value is not None}


def status_of(provider_id: str, status: str, **fields: Any) -> Json:
    return {"id": provider_id, "status": status, "timestamp": str(int(time.time())), **fields}


def value(phone_number_id: str, **fields: Any) -> Json:
    return {"messaging_product": "whatsapp", "metadata": {"phone_number_id": phone_number_id}, **fields}


def envelope(*values: Json) -> Json:
    changes = [{"field": "messages", "value": each} for each in values]
    return {"object": "whatsapp_business_account", "entry": [{"id": "0", "changes": changes}]}


def posted(client: Client, url: str, raw: bytes, headers: Mapping[str, str]) -> Answer:
    response = client.post(url, raw, content_type="application/json", headers=dict(headers))
    return Answer.of(response.status_code, response.items(), response.content)


@dataclass(frozen=True)
class Meta:
    """WhatsApp Cloud, calling one channel's webhook."""

    channel: Channel
    client: Client = field(default_factory=lambda: Client(enforce_csrf_checks=True))

    @property
    def url(self) -> str:
        return f"/api/webhooks/whatsapp/{self.channel.slug}"

    def say(self, *messages: Json, **headers: str) -> Answer:
        return self.post(envelope(value(self.channel.external_id, messages=list(messages))), **headers)

    def report(self, *statuses: Json) -> Answer:
        return self.post(envelope(value(self.channel.external_id, statuses=list(statuses))))

    def post(self, body: object, *, signature: str | None = None, **headers: str) -> Answer:
        """Signed as Meta does, unless `signature` says otherwise ("" sends none)."""
        raw = encoded(body)
        signed = (
            meta_signature(self.channel.credentials["app_secret"], raw) if signature is None else signature
        )
        if signed:
            headers["X-Hub-Signature-256"] = signed
        return posted(self.client, self.url, raw, headers)


@dataclass(frozen=True)
class OwnSystem:
    """A system of the customer's, calling a signed HTTP channel by Standard Webhooks."""

    channel: Channel
    client: Client = field(default_factory=lambda: Client(enforce_csrf_checks=True))

    @property
    def url(self) -> str:
        return f"/api/webhooks/http/{self.channel.slug}"

    def say(self, text: str = "Where is my order?", *, webhook_id: str = "", **fields: Any) -> Answer:
        number = next(_numbers)
        body = {"id": f"m{number}", "from": "customer-1", "type": "text", "text": text} | fields
        return self.post(body, webhook_id=webhook_id or f"msg_{number}")

    def post(
        self,
        body: object,
        *,
        webhook_id: str = "msg_1",
        secret: str = "",
        at: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Signed with the channel's first secret; `headers` replaces what is named in it."""
        raw = encoded(body)
        signed = standard_headers(
            secret or self._secret, webhook_id, raw, at=time.time() if at is None else at
        )
        given = signed | dict(headers or {})
        return posted(self.client, self.url, raw, given)

    @property
    def _secret(self) -> str:
        return str(self.channel.credentials["signing_secret"]).split()[0]


@dataclass(frozen=True)
class Waha:
    """WAHA, calling one channel's webhook: one event a POST, signed over the whole body."""

    channel: Channel
    client: Client = field(default_factory=lambda: Client(enforce_csrf_checks=True))

    @property
    def url(self) -> str:
        return f"/api/webhooks/waha/{self.channel.slug}"

    def say(self, text: str = "Where is my order?", *, event: str = "message", **fields: Any) -> Answer:
        return self.tell(event, waha_message(text, **fields))

    def echo(self, text: str, *, to: str = WAHA_CHAT, key: str = "", **fields: Any) -> Answer:
        """A message of our own number; as the phone's, unless `source` says otherwise."""
        message_id = f"true_{to}_{key or f'3EB0{next(_numbers)}'}"
        ours = {"id": message_id, "from": "5511888880000@c.us", "to": to, "fromMe": True, "source": "app"}
        return self.say(text, event="message.any", **ours | fields)

    def ack(self, message_id: str, level: object, **fields: Any) -> Answer:
        return self.tell("message.ack", {"id": message_id, "ack": level, "fromMe": True} | fields)

    def session(self, status: object, *, at: float | None = None) -> Answer:
        payload = {"name": self.channel.external_id, "status": status}
        return self.tell("session.status", payload, timestamp=int((time.time() if at is None else at) * 1000))

    def tell(self, event: str, payload: object, **fields: Any) -> Answer:
        body = {
            "id": f"evt_{next(_numbers)}",
            "timestamp": int(time.time() * 1000),
            "event": event,
            "session": self.channel.external_id,
            "payload": payload,
        }
        return self.post({name: value for name, value in (body | fields).items() if value is not None})

    def post(self, body: object, *, signature: str | None = None) -> Answer:
        """Signed as WAHA does, unless `signature` says otherwise ("" sends none)."""
        raw = encoded(body)
        signed = waha_signature(self.channel.credentials["hmac_key"], raw) if signature is None else signature
        return posted(self.client, self.url, raw, {"X-Webhook-Hmac": signed} if signed else {})


def waha_signature(hmac_key: str, raw: bytes) -> str:
    return hmac.new(hmac_key.encode(), raw, hashlib.sha512).hexdigest()


def waha_message(said: str = "Where is my order?", /, **fields: Any) -> Json:
    sender = fields.get("from", WAHA_CHAT)
    message = {
        "id": f"false_{sender}_3EB0{next(_numbers)}",
        "timestamp": int(time.time()),
        "from": sender,
        "fromMe": False,
        "to": "5511888880000@c.us",
        "body": said,
        "hasMedia": False,
        "ack": 1,
        "_data": {"notifyName": "Ana"},
    }
    return {name: value for name, value in (message | fields).items() if value is not None}


def standard_headers(secret: str, webhook_id: str, raw: bytes, *, at: float) -> dict[str, str]:
    timestamp = str(int(at))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{webhook_id}.{timestamp}.".encode() + raw, hashlib.sha256).digest()
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }
