"""Sends by the WhatsApp Cloud API.

The API knows no idempotency key. Our key rides in `biz_opaque_callback_data` (at most 512 characters) and comes back
on status webhooks: that is how a send whose answer was lost is settled.
"""

import json

from pydantic import BaseModel, Field, ValidationError

from pipeline.policies.errors import Code, UnknownError
from pipeline.ports import ChannelConfig, OutboundFile, OutboundMessage
from pipeline.transports import http_client
from pipeline.transports.whatsapp_cloud import uploads
from pipeline.transports.whatsapp_cloud.graph import authorization, number_url, refused

DOCUMENT = "document"


class WhatsAppSender:
    sends_idempotently = False

    def __init__(self, client: http_client.Client) -> None:
        self._client = client

    async def send(self, message: OutboundMessage, channel: ChannelConfig) -> str:
        """See `pipeline.ports.Sender`."""
        media_id = await uploads.upload(self._client, message.file, channel) if message.file else ""
        response = await http_client.post(
            self._client,
            f"{number_url(channel)}/messages",
            headers={**authorization(channel), "Content-Type": "application/json"},
            body=json.dumps(_body(message, media_id)).encode(),
        )
        return _provider_id(response)


def _body(message: OutboundMessage, media_id: str) -> dict[str, object]:
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": message.to,
        "type": message.kind,
        message.kind: _media(message, message.file, media_id) if message.file else _text(message),
        "biz_opaque_callback_data": str(message.client_reference),
    }


def _text(message: OutboundMessage) -> dict[str, object]:
    return {"body": message.text, "preview_url": False}


def _media(message: OutboundMessage, file: OutboundFile, media_id: str) -> dict[str, object]:
    """Only documents have a name; audio has no caption."""
    caption = {"caption": message.text} if message.text else {}
    filename = {"filename": file.name} if message.kind == DOCUMENT else {}
    return {"id": media_id, **caption, **filename}


class _Message(BaseModel):
    id: str = Field(min_length=1)


class _Accepted(BaseModel):
    messages: list[_Message] = Field(min_length=1)


def _provider_id(response: http_client.Response) -> str:
    """Raises what the answer means. A success that cannot be read may well have been one: unknown."""
    if response.status != 200:
        raise refused(response)
    try:
        return _Accepted.model_validate_json(response.body).messages[0].id
    except ValidationError as error:
        raise UnknownError(
            Code.SEND_UNANSWERED, f"Status 200 with an unreadable body: {response.text[:200]}"
        ) from error
