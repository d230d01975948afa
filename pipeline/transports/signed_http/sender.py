"""Sends of the generic channel. The `webhook-id` is our idempotency key, so the receiver can drop a repeat."""

import json
import time

from pipeline.policies.errors import (
    Code,
    CredentialsError,
    PipelineError,
    RateLimitedError,
    RequestError,
    TransientError,
    UnknownError,
)
from pipeline.ports import ChannelConfig, OutboundMessage
from pipeline.transports import http_client
from pipeline.transports.signed_http import signing


class SignedHttpSender:
    sends_idempotently = True

    def __init__(self, client: http_client.Client) -> None:
        self._client = client

    async def send(self, message: OutboundMessage, channel: ChannelConfig) -> str:
        """See `pipeline.ports.Sender`."""
        body = _body(message)
        response = await http_client.post(
            self._client, channel.api_url, headers=_headers(message, channel, body), body=body
        )
        if not response.is_success:
            raise _refused(response)
        return str(message.client_reference)


def _body(message: OutboundMessage) -> bytes:
    """The receiver fetches a file itself: `media_url` leads to it for a day."""
    body = {"id": str(message.client_reference), "to": message.to, "type": message.kind, "text": message.text}
    if message.file:
        body["media_url"] = message.file.url
    return json.dumps(body, ensure_ascii=False).encode()


def _headers(message: OutboundMessage, channel: ChannelConfig, body: bytes) -> dict[str, str]:
    """The id is the same on every attempt; the timestamp is the attempt's."""
    webhook_id, timestamp = str(message.client_reference), int(time.time())
    secret = channel.credentials["signing_secret"].split()[0]
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signing.sign(secret, webhook_id, timestamp, body),
        "Content-Type": "application/json",
    }


def _refused(response: http_client.Response) -> PipelineError:
    detail = f"HTTP {response.status}: {response.text[:200]}"
    if response.status == 429:
        return RateLimitedError(
            Code.SEND_RATE_LIMITED, detail, retry_after_s=http_client.retry_after_s(response)
        )
    if response.status in http_client.GATEWAY:
        return UnknownError(Code.SEND_UNANSWERED, detail)
    if response.status >= 500:
        return TransientError(Code.SEND_SERVER, detail)
    if response.status in (401, 403):
        return CredentialsError(Code.SEND_CREDENTIALS, detail)
    return RequestError(Code.SEND_REQUEST, detail)
