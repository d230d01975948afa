"""Sends by the WhatsApp Cloud API.

The API knows no idempotency key. Our key rides in `biz_opaque_callback_data` (at most 512 characters) and comes back
on status webhooks: that is how a send whose answer was lost is settled.
"""

import json

import httpx2
from pydantic import BaseModel, Field, ValidationError

from pipeline.policies.errors import Code, PipelineError, UnknownError
from pipeline.ports import ChannelConfig, OutboundMessage
from pipeline.transports import http_client
from pipeline.transports.whatsapp_cloud.errors import classify

VENDOR_URL = "https://graph.facebook.com"
API_VERSION = "v23.0"


class WhatsAppSender:
    sends_idempotently = False

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client

    async def send(self, message: OutboundMessage, channel: ChannelConfig) -> str:
        """See `pipeline.ports.Sender`."""
        response = await http_client.post(
            self._client,
            f"{channel.api_url or VENDOR_URL}/{API_VERSION}/{channel.external_id}/messages",
            content=json.dumps(_body(message)).encode(),
            headers={
                "Authorization": f"Bearer {channel.credentials['access_token']}",
                "Content-Type": "application/json",
            },
        )
        return _provider_id(response)


def _body(message: OutboundMessage) -> dict[str, object]:
    return {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": message.to,
        "type": "text",
        "text": {"body": message.text, "preview_url": False},
        "biz_opaque_callback_data": str(message.client_reference),
    }


class _Message(BaseModel):
    id: str = Field(min_length=1)


class _Accepted(BaseModel):
    messages: list[_Message] = Field(min_length=1)


def _provider_id(response: httpx2.Response) -> str:
    """Raises what the answer means. A success that cannot be read may well have been one: unknown."""
    if response.status_code != 200:
        raise _refused(response)
    try:
        return _Accepted.model_validate_json(response.content).messages[0].id
    except ValidationError as error:
        raise UnknownError(
            Code.SEND_UNANSWERED, f"Status 200 with an unreadable body: {response.text[:200]}"
        ) from error


def _refused(response: httpx2.Response) -> PipelineError:
    try:
        error = response.json()["error"]
        code, detail = int(error["code"]), str(error.get("message", ""))
    except (ValueError, KeyError, TypeError):
        code, detail = None, response.text[:200]
    return classify(code, response.status_code, detail, http_client.retry_after_s(response))
