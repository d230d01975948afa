"""Handing out an attachment so that a browser shows or saves it, and never runs what is in it."""

from collections.abc import AsyncIterator

from asgiref.sync import sync_to_async
from django.core.files.base import File
from django.http import Http404, StreamingHttpResponse
from django.utils.http import content_disposition_header

from conversations import attachments
from conversations.models import Attachment, MessageKind

CHUNK_BYTES = 256 * 1024
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, no-store",
}


def file_response(attachment: Attachment) -> StreamingHttpResponse:
    """Images, sound and films are shown, documents saved. Raises `Http404` where the file is gone."""
    try:
        opened = attachment.file.storage.open(str(attachment.file.name), "rb")
    except FileNotFoundError as error:
        raise Http404 from error
    is_document = attachments.kind_of(attachment) == MessageKind.DOCUMENT
    response = StreamingHttpResponse(
        _chunks(opened),
        content_type=attachment.mime_type,
        headers={**HEADERS, "Content-Length": str(attachment.size_bytes)},
    )
    disposition = content_disposition_header(is_document, attachment.name)
    response.headers["Content-Disposition"] = disposition or "inline"
    return response


async def _chunks(opened: File[bytes]) -> AsyncIterator[bytes]:
    """A file is read in threads, so that a large one holds up nobody."""
    read = sync_to_async(opened.read, thread_sensitive=False)
    try:
        while chunk := await read(CHUNK_BYTES):
            yield chunk
    finally:
        opened.close()
