"""The generic channel's far end: takes messages signed by Standard Webhooks, once per webhook-id."""

import time
import uuid

from aiohttp import web

from pipeline.simulator.channels import Channel
from pipeline.simulator.endpoint import json_answer, played
from pipeline.simulator.errors import InputError, PlatformError
from pipeline.simulator.fields import as_object, read_json, text_field
from pipeline.simulator.sent import SentMessage
from pipeline.simulator.signing import standard_headers_fault
from pipeline.simulator.world import WORLD, World

MEDIA_KINDS = ("audio", "image", "video", "document")


class HttpPeer:
    """Error bodies of a well-mannered receiver."""

    def error(self, status: int | None, code: int | str | None) -> web.Response:
        return self.body(
            status or 500, str(code or "internal_error"), "The simulator was asked to fail here."
        )

    def rate_limited(self, retry_after: str) -> web.Response:
        return self.body(429, "rate_limited", f"Try again in {retry_after}s.", {"Retry-After": retry_after})

    def bad_input(self, message: str) -> web.Response:
        return self.body(400, "bad_request", message)

    def body(
        self, status: int, code: str, message: str, headers: dict[str, str] | None = None
    ) -> web.Response:
        return json_answer({"error": {"code": code, "message": message}}, status=status, headers=headers)


VENDOR = HttpPeer()


def add_routes(app: web.Application) -> None:
    app.router.add_post("/http/{slug}/messages", played("http", VENDOR, messages))
    app.router.add_get("/http-media/{media_id}", played("http", VENDOR, media))


async def media(request: web.Request) -> web.Response:
    """What an inbound message's `media_url` points to."""
    found = request.app[WORLD].media.find(request.match_info["media_id"])
    if found is None:
        raise PlatformError(VENDOR.body(404, "unknown_media", "no such file, or it was reset away"))
    return web.Response(body=found.data, headers={"Content-Type": found.mime_type})


async def messages(request: web.Request) -> web.Response:
    world, channel = request.app[WORLD], _channel(request)
    await _check_signature(request, channel)
    key = request.headers["webhook-id"]
    known = world.sent.accepted_under(channel.slug, key)
    if known is not None:
        return json_answer({"id": known, "duplicate": True})
    return json_answer({"id": _accept(world, channel, key, await read_json(request))})


def _accept(world: World, channel: Channel, key: str, body: object) -> str:
    data = as_object(body, "the body")
    message = SentMessage(
        id=f"http-{uuid.uuid4().hex}",
        channel=channel.slug,
        to=text_field(data, "to"),
        type=text_field(data, "type", "text"),
        text=text_field(data, "text", ""),
        at=time.time(),
        client_ref=text_field(data, "id"),
        media=text_field(data, "media_url", "") or None,
    )
    if message.type in MEDIA_KINDS and not message.media:
        raise InputError("`media_url` must lead to the file")
    if message.type == "text" and not message.text:
        raise InputError("`text` must be a non-empty string")
    world.sent.remember_key(channel.slug, key, message.id)
    world.accept(channel, message)
    return message.id


def _channel(request: web.Request) -> Channel:
    channel = request.app[WORLD].channels.find(request.match_info["slug"])
    if channel is None or channel.kind != "http":
        raise PlatformError(VENDOR.body(404, "unknown_channel", "no HTTP channel has this slug"))
    return channel


async def _check_signature(request: web.Request, channel: Channel) -> None:
    raw = await request.read()
    fault = standard_headers_fault(request.headers, channel.signing_secret, raw, now=time.time())
    if fault:
        raise PlatformError(VENDOR.body(401, "bad_signature", fault))
