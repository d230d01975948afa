"""The phone in the browser: the page, the chat's live feed, and the blue ticks."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from pipeline.simulator.chats import IN, ChatKey, Event
from pipeline.simulator.control_api import Control, explained
from pipeline.simulator.endpoint import json_answer
from pipeline.simulator.errors import InputError
from pipeline.simulator.fields import read_object, text_field
from pipeline.simulator.statuses import DELAYS_S
from pipeline.simulator.world import TELL_STATUSES, WORLD, World

FOLDER = Path(__file__).parent
CONTENT_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
KEEP_ALIVE_S = 15.0
READ_AFTER_S = DELAYS_S["read"]


def add_routes(app: web.Application) -> None:
    app.router.add_get("/", page("index.html"))
    for name in ("phone.css", "phone.js", "chat.js", "faults.js", "hand.js", "people.js", "texts.js"):
        app.router.add_get(f"/phone/{name}", page(name))
    app.router.add_get("/phone/channels", channels)
    app.router.add_get("/phone/feed", explained(feed))
    app.router.add_get("/phone/media/{media_id}", media)
    app.router.add_post("/phone/read", explained(read))


def page(name: str) -> Control:
    path = FOLDER / name

    async def serve(request: web.Request) -> web.Response:
        content_type = CONTENT_TYPES[path.suffix]
        return web.Response(text=path.read_text(), content_type=content_type, headers=HEADERS)

    return serve


async def channels(request: web.Request) -> web.Response:
    """The channels a phone can write to, without their secrets."""
    played = request.app[WORLD].channels.played()
    return json_answer([{"slug": each.slug, "kind": each.kind, "title": each.title} for each in played])


async def feed(request: web.Request) -> web.StreamResponse:
    """Server-sent events: a snapshot of the chat, then each message as it comes or changes, and typing."""
    world, key = request.app[WORLD], _chat_key(request.app[WORLD], request.query)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    events = world.chats.watch(key)
    try:
        await _stream(response, events)
    except ConnectionError:
        pass
    finally:
        world.chats.unwatch(key, events)
    return response


async def media(request: web.Request) -> web.Response:
    found = request.app[WORLD].media.find(request.match_info["media_id"])
    if found is None:
        raise web.HTTPNotFound
    return web.Response(body=found.data, headers={**HEADERS, "Content-Type": found.mime_type})


async def read(request: web.Request) -> web.Response:
    """The phone has shown these messages: {"channel", "from", "ids"}. WhatsApp tells their sender so."""
    world, data = request.app[WORLD], await read_object(request)
    key, ids = _chat_key(world, data), data.get("ids")
    if not isinstance(ids, list):
        raise InputError("`ids` must be a list of message ids")
    return json_answer({"read": [each for each in ids if isinstance(each, str) and _read(world, key, each)]})


def _read(world: World, key: ChatKey, message_id: str) -> bool:
    shown = world.chats.find(key, message_id)
    if shown is None or shown.direction != IN or shown.state == "read":
        return False
    world.chats.move_on(message_id, "read")
    channel, message = world.channels.playable(key.channel), world.sent.find(message_id)
    if message and channel.kind in TELL_STATUSES and world.settings.statuses == "delivered":
        world.statuses.report(channel, message, "read", after_s=READ_AFTER_S)
    return True


async def _stream(response: web.StreamResponse, events: "asyncio.Queue[Event | None]") -> None:
    while True:
        try:
            event = await asyncio.wait_for(events.get(), KEEP_ALIVE_S)
        except TimeoutError:
            await response.write(b": still here\n\n")
            continue
        if event is None:
            return
        await response.write(f"data: {json.dumps(event)}\n\n".encode())


def _chat_key(world: World, data: Mapping[str, Any]) -> ChatKey:
    channel = world.channels.playable(text_field(data, "channel"))
    return ChatKey(channel.slug, channel.address(text_field(data, "from")))
