"""WhatsApp Cloud API: send, mark as read, typing, media."""

import time
import uuid
from typing import Any

from aiohttp import web

from pipeline.simulator.channels import Channel
from pipeline.simulator.endpoint import Handler, json_answer, played
from pipeline.simulator.errors import InputError, PlatformError
from pipeline.simulator.fields import JsonObject, read_object
from pipeline.simulator.graph_errors import NO_SUCH_OBJECT, OUR_BUG, VENDOR, missing, refuse
from pipeline.simulator.graph_messages import media_source, recipient, reference, shown_text
from pipeline.simulator.media import MediaFile
from pipeline.simulator.sent import SentMessage
from pipeline.simulator.world import WORLD

MEDIA_LIMITS_MB = {"audio": 16, "image": 5, "video": 16}
DOCUMENT_LIMIT_MB = 100


def add_routes(app: web.Application) -> None:
    version = r"/graph/v{version:[0-9.]+}"
    app.router.add_post(version + "/{phone_number_id}/messages", _endpoint(messages))
    app.router.add_post(version + "/{phone_number_id}/media", _endpoint(upload_media))
    app.router.add_get(version + "/{object_id}", _endpoint(describe))
    app.router.add_get("/graph-media/{token}", _endpoint(download_media))


def _endpoint(effect: Handler) -> Handler:
    async def with_token(request: web.Request) -> web.Response:
        if not _bearer(request):
            raise refuse(190, "An access token is required to request this resource.")
        return await effect(request)

    return played("whatsapp", VENDOR, with_token)


async def messages(request: web.Request) -> web.Response:
    channel = _channel(request)
    body = await read_object(request)
    if body.get("messaging_product") != "whatsapp":
        raise refuse(OUR_BUG, "The parameter messaging_product must be 'whatsapp'.")
    if "status" in body:
        return _mark_read(request, body)
    return _send(request, channel, body)


def _mark_read(request: web.Request, body: JsonObject) -> web.Response:
    """Marks the customer's message as read; a typing indicator shows that an answer is being written."""
    message_id = body.get("message_id")
    if body["status"] != "read":
        raise refuse(131009, "The parameter status must be 'read'.")
    if not isinstance(message_id, str) or not message_id:
        raise missing("message_id")
    chats = request.app[WORLD].chats
    chats.move_on(message_id, "read")
    if body.get("typing_indicator"):
        chats.typing(message_id)
    return json_answer({"success": True})


def _send(request: web.Request, channel: Channel, body: JsonObject) -> web.Response:
    world, kind, to = request.app[WORLD], str(body.get("type") or "text"), recipient(body)
    message = SentMessage(
        id=f"wamid.{uuid.uuid4().hex.upper()}",
        channel=channel.slug,
        to=to,
        type=kind,
        text=shown_text(kind, body, world.media),
        at=time.time(),
        client_ref=reference(body),
        media=media_source(kind, body),
    )
    world.accept(channel, message)
    contact = {"input": body["to"], "wa_id": to}
    return json_answer(
        {"messaging_product": "whatsapp", "contacts": [contact], "messages": [{"id": message.id}]}
    )


async def upload_media(request: web.Request) -> web.Response:
    _channel(request)
    if not request.content_type.startswith("multipart/"):
        raise InputError(
            "media are uploaded as multipart/form-data with `file`, `type` and `messaging_product`"
        )
    form = await request.post()
    upload = form.get("file")
    if not isinstance(upload, web.FileField):
        raise missing("file")
    mime_type = str(form.get("type") or upload.content_type)
    data = upload.file.read()
    limit_mb = MEDIA_LIMITS_MB.get(mime_type.partition("/")[0], DOCUMENT_LIMIT_MB)
    if not data or len(data) > limit_mb * 1024 * 1024:
        raise refuse(131053, f"A file of type {mime_type} must have from 1 byte to {limit_mb} MB.")
    return json_answer({"id": request.app[WORLD].media.add(data, mime_type, upload.filename).id})


async def describe(request: web.Request) -> web.Response:
    """A media id or a phone number id."""
    world, object_id = request.app[WORLD], request.match_info["object_id"]
    media = world.media.find(object_id)
    if media:
        return json_answer(_media_json(request, media))
    channel = world.channels.by_phone_number_id(object_id)
    if channel is None:
        raise _no_such_object(object_id)
    _check_token(request, channel)
    return json_answer({"id": object_id, "display_phone_number": object_id, "verified_name": channel.title})


async def download_media(request: web.Request) -> web.Response:
    token = request.match_info["token"]
    media = request.app[WORLD].media.open_link(token, now=time.time())
    if media is None:
        raise PlatformError(web.Response(status=404, text="URL signature expired"))
    return web.Response(body=media.data, headers={"Content-Type": media.mime_type})


def _media_json(request: web.Request, media: MediaFile) -> dict[str, Any]:
    token = request.app[WORLD].media.link_token(media.id, now=time.time())
    return {
        "messaging_product": "whatsapp",
        "url": f"{request.url.origin()}/graph-media/{token}",
        "mime_type": media.mime_type,
        "sha256": media.sha256,
        "file_size": len(media.data),
        "id": media.id,
    }


def _channel(request: web.Request) -> Channel:
    phone_number_id = request.match_info["phone_number_id"]
    channel = request.app[WORLD].channels.by_phone_number_id(phone_number_id)
    if channel is None:
        raise _no_such_object(phone_number_id)
    _check_token(request, channel)
    return channel


def _check_token(request: web.Request, channel: Channel) -> None:
    if channel.access_token and _bearer(request) != channel.access_token:
        raise refuse(190, "The access token could not be decrypted.")


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _no_such_object(object_id: str) -> PlatformError:
    details = f"Unsupported request. Object with ID '{object_id}' does not exist or cannot be loaded."
    return refuse(OUR_BUG, details, subcode=NO_SUCH_OBJECT)
