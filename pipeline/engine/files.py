"""The files of outbound messages, as senders take them."""

from collections.abc import Mapping
from functools import partial
from typing import IO, Any

from django.core.files.storage import default_storage

from conversations import links
from conversations.media import Named
from pipeline.ports import OutboundFile


def outbound(media: Mapping[str, Any]) -> OutboundFile | None:
    """None where the message has no file."""
    named = Named.of(media)
    if named is None:
        return None
    return OutboundFile(
        name=named.name,
        mime_type=named.mime_type,
        url=links.address(named.attachment_id),
        open=partial(_open, named.stored_name),
    )


def _open(stored_name: str) -> IO[bytes]:
    opened: IO[bytes] = default_storage.open(stored_name, "rb")
    return opened
