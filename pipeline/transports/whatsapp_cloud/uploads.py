"""Files go up first and are then sent by their id. An upload reaches nobody: whatever fails here was not sent."""

import asyncio

import httpx2
from pydantic import BaseModel, Field, ValidationError

from pipeline.policies.calls import UPLOAD_S
from pipeline.policies.errors import Code, RequestError, TransientError, UnknownError
from pipeline.ports import ChannelConfig, OutboundFile
from pipeline.transports import http_client
from pipeline.transports.whatsapp_cloud.graph import authorization, number_url, refused


class _Uploaded(BaseModel):
    id: str = Field(min_length=1)


async def upload(client: httpx2.AsyncClient, file: OutboundFile, channel: ChannelConfig) -> str:
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


async def _posted(client: httpx2.AsyncClient, file: OutboundFile, channel: ChannelConfig) -> httpx2.Response:
    with file.open() as content:
        return await http_client.post(
            client,
            f"{number_url(channel)}/media",
            headers=authorization(channel),
            data={"messaging_product": "whatsapp", "type": file.mime_type},
            files={"file": (file.name, content, file.mime_type)},
        )


def _media_id(response: httpx2.Response) -> str:
    if response.status_code != 200:
        raise refused(response)
    try:
        return _Uploaded.model_validate_json(response.content).id
    except ValidationError as error:
        raise TransientError(Code.SEND_SERVER, f"Unreadable answer: {response.text[:200]}") from error
