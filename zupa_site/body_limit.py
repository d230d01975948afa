"""Daphne reads a request's whole body into memory before it asks anyone: here it drops what no view would take.

What is left is still longer than the limit, so that the view refuses it by its length as usual.
"""

from daphne import http_protocol
from django.conf import settings


class LimitedRequest(http_protocol.WebRequest):  # type: ignore[misc]
    kept_bytes = 0

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        room = settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1 - self.kept_bytes
        self.kept_bytes += len(data[:room])
        super().handleContentChunk(data[:room])


def install() -> None:
    """Daphne has no setting for the class of its requests."""
    http_protocol.WebRequest = LimitedRequest
