"""Sends by WAHA. It knows no idempotency key and echoes no reference of ours.

What we sent comes back as an event of our own number (`message.any`): that is how a send whose answer was lost is
settled, see `pipeline.ingress.hand_replies`.
"""

import json

from pipeline.policies.errors import Code, PipelineError, UnknownError
from pipeline.ports import ChannelConfig, OutboundMessage
from pipeline.transports import http_client
from pipeline.transports.waha.errors import classify
from pipeline.transports.waha.ids import key_of

ACTS = {"image": "sendImage", "audio": "sendVoice", "video": "sendVideo"}
"""By kind of file; all others go by `sendFile`."""
CONVERTED = ("audio", "video")


class WahaSender:
    sends_idempotently = False

    def __init__(self, client: http_client.Client) -> None:
        self._client = client

    async def send(self, message: OutboundMessage, channel: ChannelConfig) -> str:
        """See `pipeline.ports.Sender`."""
        act = ACTS.get(message.kind, "sendFile") if message.file else "sendText"
        body = {"session": channel.external_id, "chatId": message.to, **_content(message)}
        response = await http_client.post(
            self._client,
            f"{channel.api_url.rstrip('/')}/api/{act}",
            headers={"X-Api-Key": channel.credentials["api_key"], "Content-Type": "application/json"},
            body=json.dumps(body, ensure_ascii=False).encode(),
        )
        return _provider_id(response)


def _content(message: OutboundMessage) -> dict[str, object]:
    """WAHA fetches a file itself, and makes of sound and moving pictures what WhatsApp plays."""
    if message.file is None:
        return {"text": message.text}
    file = {"url": message.file.url, "mimetype": message.file.mime_type, "filename": message.file.name}
    convert = {"convert": True} if message.kind in CONVERTED else {}
    return {"file": file, "caption": message.text, **convert}


def _provider_id(response: http_client.Response) -> str:
    """Raises what the answer means. A success that cannot be read may well have been one: unknown."""
    told = _json_object(response)
    if not response.is_success:
        raise _refused(response, told)
    if message_id := _message_id(told):
        return key_of(message_id)
    detail = f"Status {response.status} with an unreadable body: {response.text[:200]}"
    raise UnknownError(Code.SEND_UNANSWERED, detail)


def _message_id(told: dict[str, object]) -> str:
    """As the session's engine gives it: `id` as text, or an object; or `key`, which holds the id. Empty for none."""
    given = told.get("id") or told.get("key")
    if isinstance(given, dict):
        given = given.get("_serialized") or given.get("id")
    return given if isinstance(given, str) else ""


def _refused(response: http_client.Response, told: dict[str, object]) -> PipelineError:
    return classify(
        response.status,
        response.text[:200],
        session_is_down="expected" in told,
        retry_after_s=http_client.retry_after_s(response),
    )


def _json_object(response: http_client.Response) -> dict[str, object]:
    try:
        told = response.json()
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}
