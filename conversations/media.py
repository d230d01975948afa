"""What an outbound message's `media` says of the file that is sent with it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from conversations.models import Attachment
from conversations.models.staff import attachment_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A file as its message names it; the row may be gone."""

    attachment_id: str
    name: str
    mime_type: str
    size_bytes: int

    @classmethod
    def of(cls, media: Mapping[str, Any]) -> "Named | None":
        """None where the message has no file of ours."""
        return cls(**{name: media[name] for name in cls.__slots__}) if "attachment_id" in media else None

    @property
    def stored_name(self) -> str:
        """In the storage."""
        return attachment_path(Attachment(pk=self.attachment_id), self.name)


def media_of(attachment: Attachment) -> dict[str, Any]:
    """For a message's `media`."""
    return asdict(
        Named(
            attachment_id=str(attachment.pk),
            name=attachment.name,
            mime_type=attachment.mime_type,
            size_bytes=attachment.size_bytes,
        )
    )
