"""The owner of the number answers a customer by hand, on the phone itself. Only WAHA tells of it."""

import time

from pipeline.simulator.channels import Channel
from pipeline.simulator.chats import IN, ChatKey, ChatMessage
from pipeline.simulator.errors import InputError
from pipeline.simulator.fields import JsonObject, integer_field, text_field
from pipeline.simulator.inbound import COPIES_MAX
from pipeline.simulator.waha_events import event, from_us, new_message_id
from pipeline.simulator.webhooks import Webhook, WebhookAnswer
from pipeline.simulator.world import World


async def send_hand_reply(world: World, data: JsonObject) -> tuple[str, list[WebhookAnswer]]:
    """`data`: {"channel", "to", "text", "id"?, "copies"?}. The message's id, and Zupa's answer to each copy."""
    channel = waha_channel(world, text_field(data, "channel"))
    chat, text = channel.address(text_field(data, "to")), text_field(data, "text")
    message_id = text_field(data, "id", "") or new_message_id(chat, from_me=True)
    copies = integer_field(data, "copies", low=1, high=COPIES_MAX) or 1
    raw = event(channel, "message.any", from_us(message_id, chat, "app", {"body": text})).encode()
    shown = ChatMessage(message_id, IN, "text", text, time.time(), "sent", by_hand=True)
    world.chats.put(ChatKey(channel.slug, chat), shown)
    return message_id, [await world.webhooks.send(Webhook(channel, raw)) for _ in range(copies)]


def waha_channel(world: World, slug: str) -> Channel:
    channel = world.channels.playable(slug)
    if channel.kind != "waha":
        raise InputError("`channel` must be a WAHA channel: no other platform tells of replies by hand")
    return channel
