"""What WAHA tells of a session: one event a webhook, in the form of its WEBJS engine."""

import json
import secrets
import time
from typing import Any

from pipeline.simulator.channels import Channel
from pipeline.simulator.fields import JsonObject

OWN_NUMBER = "5511888880000"
ACKS = {"failed": -1, "sent": 1, "delivered": 2, "read": 3, "played": 4}
ACK_NAMES = {-1: "ERROR", 1: "SERVER", 2: "DEVICE", 3: "READ", 4: "PLAYED"}


def new_message_id(chat: str, *, from_me: bool) -> str:
    return f"{'true' if from_me else 'false'}_{chat}_3EB0{secrets.token_hex(9).upper()}"


def event(channel: Channel, name: str, payload: JsonObject) -> str:
    """The webhook's body. The session is called like the channel."""
    return json.dumps(
        {
            "id": f"evt_{secrets.token_hex(13)}",
            "timestamp": int(time.time() * 1000),
            "event": name,
            "session": channel.slug,
            "me": {"id": f"{OWN_NUMBER}@c.us", "pushName": channel.title},
            "payload": payload,
            "engine": "WEBJS",
            "environment": {"tier": "PLUS", "version": "2026.9.1"},
        }
    )


def from_customer(message_id: str, chat: str, name: str, content: JsonObject) -> dict[str, Any]:
    head = {"id": message_id, "from": chat, "fromMe": False, "to": f"{OWN_NUMBER}@c.us", "source": "app"}
    return _message(head, {"notifyName": name}, content)


def from_us(message_id: str, chat: str, source: str, content: JsonObject) -> dict[str, Any]:
    """`source`: `api` for what a program sent, `app` for what was written on the phone."""
    head = {"id": message_id, "from": f"{OWN_NUMBER}@c.us", "fromMe": True, "to": chat, "source": source}
    return _message(head, {}, content)


def ack(message_id: str, chat: str, status: str) -> dict[str, Any]:
    number = ACKS[status]
    return {
        "id": message_id,
        "from": f"{OWN_NUMBER}@c.us",
        "to": chat,
        "fromMe": True,
        "ack": number,
        "ackName": ACK_NAMES[number],
    }


def _message(head: dict[str, Any], data: JsonObject, content: JsonObject) -> dict[str, Any]:
    common = {
        "timestamp": int(time.time()),
        "body": "",
        "hasMedia": False,
        "media": None,
        "ack": 1,
        "vCards": [],
    }
    return common | head | {"_data": dict(data)} | dict(content)
