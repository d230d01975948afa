"""Files go up first and are then sent by their id. An upload reaches nobody: whatever fails here was not sent."""

import asyncio

from pydantic import BaseModel, Field, ValidationError

from pipeline.policies.calls import UPLOAD_S
from pipeline.policies.errors import Code, RequestError, TransientError, UnknownError
from pipeline.ports import ChannelConfig, OutboundFile
from pipeline.transports import http_client
from pipeline.transports.whatsapp_cloud.graph import authorization, number_url, refused


class _Uploaded(BaseModel):
    id: str = Field(min_length=1)


async def upload(client: http_client.Client, file: OutboundFile, channel: ChannelConfig) -> str:
    """The file's id at the vendor. Raises `TransientError` or a `PermanentError`."""
    try:
        async with asyncio.timeout(UPLOAD_S):
            return _media_id(await _posted(client, file, channel))
    except TimeoutError as error:
        raise TransientError(Code.SEND_CONNECTION, f"The upload took longer than {UPLOAD_S:g} s.") from error
    except OSError as error:
        raise RequestError(Code.SEND_FILE, f"{file.name} cannot be read: {error}") from error
    except UnknownError as error:
        raise TransientError(Code.SEND_CONNECTION, error.detail) from error


async def _posted(
    client: http_client.Client, file: OutboundFile, channel: ChannelConfig
) -> http_client.Response:
    with file.open() as content:
        return await http_client.post(
            client,
            f"{number_url(channel)}/media",
            headers=authorization(channel),
            body=http_client.form(
                {"messaging_product": "whatsapp", "type": file.mime_type},
                file=content,
                name=file.name,
                mime_type=file.mime_type,
            ),
        )


def _media_id(response: http_client.Response) -> str:
    if response.status != 200:
        raise refused(response)
    try:
        return _Uploaded.model_validate_json(response.body).id
    except ValidationError as error:
        raise TransientError(Code.SEND_SERVER, f"Unreadable answer: {response.text[:200]}") from error
