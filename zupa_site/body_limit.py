"""Daphne reads a request's whole body into memory before it asks anyone: here it drops what no view would take.

What is left is still longer than the limit, so that the view refuses it by its length as usual. Only who shows the
pass of a page that was opened may send more, namely a file: a pass can be told from a forged one without a database.
"""

from typing import Any
from urllib.parse import parse_qs

from daphne import http_protocol
from django.conf import settings

from conversations.attachments import MOST_BYTES
from review import passes

FORM_BYTES = 64 * 1024
"""What a form needs around a file."""
UPLOADS = "/attachments/"


class LimitedRequest(http_protocol.WebRequest):  # type: ignore[misc]
    kept_bytes = 0

    def __init__(self, *args: Any, **options: Any) -> None:
        """Django reads forms itself: Twisted would read each body for nobody."""
        super().__init__(*args, parsePOSTFormSubmission=False, **options)

    def gotLength(self, length: int | None) -> None:  # noqa: N802 - Twisted's name
        """The request line and the headers are read, the body is not."""
        super().gotLength(length)
        self.most_bytes = most_bytes(self.channel._path.decode("latin-1"))

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        room = self.most_bytes + 1 - self.kept_bytes
        self.kept_bytes += len(data[:room])
        super().handleContentChunk(data[:room])


def most_bytes(address: str) -> int:
    path, _, query = address.partition("?")
    if path.endswith(UPLOADS) and passes.is_genuine(parse_qs(query).get("pass", [""])[0]):
        return MOST_BYTES + FORM_BYTES
    return int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


def install() -> None:
    """Daphne has no setting for the class of its requests."""
    http_protocol.WebRequest = LimitedRequest
