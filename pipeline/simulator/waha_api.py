"""WAHA: send, mark as read, files, and the state of a session."""

import time
from functools import partial
from typing import Any

from aiohttp import web

from pipeline.simulator.channels import Channel
from pipeline.simulator.endpoint import Handler, json_answer, played
from pipeline.simulator.errors import InputError, PlatformError
from pipeline.simulator.fields import JsonObject, as_object, read_object, text_field
from pipeline.simulator.sent import SentMessage
from pipeline.simulator.waha_events import OWN_NUMBER, event, from_us, new_message_id
from pipeline.simulator.webhooks import Webhook
from pipeline.simulator.world import WORLD, World

WORKING = "WORKING"
STATES = ("STOPPED", "STARTING", "SCAN_QR_CODE", WORKING, "FAILED")
ACTS = {
    "start": ("STARTING", WORKING),
    "restart": ("STOPPED", "STARTING", WORKING),
    "stop": ("STOPPED",),
    "logout": ("STARTING", "SCAN_QR_CODE"),
}
"""The states a session goes through; the last one stays."""

FILE_ACTS = {"sendImage": "image", "sendVoice": "audio", "sendVideo": "video", "sendFile": "document"}


class Waha:
    """Errors as WAHA's framework words them."""

    def error(self, status: int | None, code: int | str | None) -> web.Response:
        return self.body(status or 500, str(code or "The simulator was asked to fail here."))

    def rate_limited(self, retry_after: str) -> web.Response:
        return self.body(429, "Too Many Requests", headers={"Retry-After": retry_after})

    def bad_input(self, message: str) -> web.Response:
        return self.body(422, message)

    def body(self, status: int, message: str, *, headers: dict[str, str] | None = None) -> web.Response:
        return json_answer({"statusCode": status, "message": message}, status=status, headers=headers)


VENDOR = Waha()


def add_routes(app: web.Application) -> None:
    app.router.add_post("/waha/api/sendText", _endpoint(send_text))
    for act, kind in FILE_ACTS.items():
        app.router.add_post(f"/waha/api/{act}", _endpoint(partial(send_file, kind)))
    app.router.add_post("/waha/api/sendSeen", _endpoint(send_seen))
    app.router.add_get("/waha/api/sessions/{session}", _endpoint(session))
    app.router.add_post("/waha/api/sessions/{session}/{act}", _endpoint(change_session))
    app.router.add_get("/waha/api/files/{session}/{media_id}", _endpoint(file))


def _endpoint(effect: Handler) -> Handler:
    async def with_key(request: web.Request) -> web.Response:
        if not request.headers.get("X-Api-Key"):
            raise _refuse(401, "Unauthorized")
        return await effect(request)

    return played("waha", VENDOR, with_key)


async def send_text(request: web.Request) -> web.Response:
    """Accepted means: it comes back as an event of the session's own number, and acks follow."""
    data = await read_object(request)
    text = text_field(data, "text")
    return _send(request, data, "text", {"body": text}, media=None)


async def send_file(kind: str, request: web.Request) -> web.Response:
    """The file is not fetched: the phone leads to it."""
    data = await read_object(request)
    file = as_object(data.get("file"), "`file`")
    url, mime_type = text_field(file, "url"), text_field(file, "mimetype")
    media = {"url": url, "mimetype": mime_type, "filename": text_field(file, "filename", "") or None}
    content = {"body": text_field(data, "caption", ""), "hasMedia": True, "media": media}
    return _send(request, data, kind, content, media=url)


def _send(
    request: web.Request, data: JsonObject, kind: str, content: JsonObject, *, media: str | None
) -> web.Response:
    world, chat = request.app[WORLD], _chat(data)
    channel = _working_channel(request, text_field(data, "session"))
    message = SentMessage(
        id=new_message_id(chat, from_me=True),
        channel=channel.slug,
        to=chat,
        type=kind,
        text=str(content["body"]),
        at=time.time(),
        client_ref=None,
        media=media,
    )
    payload = from_us(message.id, chat, "api", content)
    if world.settings.statuses != "off":
        world.statuses.put(channel, message.id, event(channel, "message.any", payload))
    world.accept(channel, message)
    return json_answer(payload, status=201)


async def send_seen(request: web.Request) -> web.Response:
    """Marks what the customer wrote as read."""
    data = await read_object(request)
    channel = _working_channel(request, text_field(data, "session"))
    _chat(data)
    message_id = text_field(data, "messageId", "")
    if message_id:
        request.app[WORLD].chats.move_on(message_id, "read")
    return json_answer({"session": channel.slug}, status=201)


async def session(request: web.Request) -> web.Response:
    channel = _channel(request, request.match_info["session"])
    return json_answer(_session_json(request.app[WORLD], channel))


async def change_session(request: web.Request) -> web.Response:
    """Each state on the way is told by a webhook of its own."""
    world, act = request.app[WORLD], request.match_info["act"]
    channel = _channel(request, request.match_info["session"])
    if act not in ACTS:
        raise _refuse(404, f"Cannot POST {request.path}")
    for state in ACTS[act]:
        await set_state(world, channel, state)
    return json_answer(_session_json(world, channel), status=201)


async def set_state(world: World, channel: Channel, state: str) -> None:
    """As WAHA does when the phone is lost: `WORKING`, `SCAN_QR_CODE`, `FAILED` …"""
    world.waha_states[channel.slug] = state
    body = event(channel, "session.status", {"name": channel.slug, "status": state})
    await world.webhooks.send(Webhook(channel, body.encode()))


async def file(request: web.Request) -> web.Response:
    """What an inbound message's `media.url` points to."""
    _channel(request, request.match_info["session"])
    found = request.app[WORLD].media.find(request.match_info["media_id"])
    if found is None:
        raise _refuse(404, "File not found")
    return web.Response(body=found.data, headers={"Content-Type": found.mime_type})


def _session_json(world: World, channel: Channel) -> dict[str, Any]:
    me = {"id": f"{OWN_NUMBER}@c.us", "pushName": channel.title}
    return {"name": channel.slug, "status": _state(world, channel), "me": me, "engine": {"engine": "WEBJS"}}


def _state(world: World, channel: Channel) -> str:
    return world.waha_states.get(channel.slug, WORKING)


def _channel(request: web.Request, name: str) -> Channel:
    channel = request.app[WORLD].channels.find(name)
    if channel is None or channel.kind != "waha":
        raise _refuse(404, f'Session "{name}" does not exist')
    if channel.api_key and request.headers["X-Api-Key"] != channel.api_key:
        raise _refuse(401, "Unauthorized")
    return channel


def _working_channel(request: web.Request, name: str) -> Channel:
    channel = _channel(request, name)
    state = _state(request.app[WORLD], channel)
    if state != WORKING:
        body = {
            "error": "Session status is not as expected. Try again later or restart the session",
            "session": name,
            "status": state,
            "expected": [WORKING],
        }
        raise PlatformError(json_answer(body, status=422))
    return channel


def _chat(data: JsonObject) -> str:
    chat = text_field(data, "chatId")
    if not chat.endswith(("@c.us", "@lid", "@g.us")):
        raise InputError("`chatId` must be a chat's id, such as 5511999990001@c.us")
    return chat


def _refuse(status: int, message: str) -> PlatformError:
    return PlatformError(VENDOR.body(status, message))
