"""Files that people send to contacts: what is taken, where it lies, and when it goes.

The row is made before the file is written, and a file is deleted before its row: whatever dies in between leaves a row
that housekeeping finds, never a file that nobody knows of.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Exists, OuterRef, Q, QuerySet, TextField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast
from django.utils.text import get_valid_filename
from django.utils.translation import gettext as _

from conversations.models import Attachment, Message, MessageKind, Tenant

MEGABYTE = 1024 * 1024
LIMITS_MB: Final[Mapping[str, int]] = {
    MessageKind.AUDIO: 16,
    MessageKind.IMAGE: 5,
    MessageKind.VIDEO: 16,
    MessageKind.DOCUMENT: 100,
}
"""WhatsApp's (Cloud API, media limits); the other channels take no less."""
MOST_BYTES: Final = max(LIMITS_MB.values()) * MEGABYTE

_OFFICE = "application/vnd.openxmlformats-officedocument"
KINDS: Final[Mapping[str, MessageKind]] = {
    "audio/aac": MessageKind.AUDIO,
    "audio/amr": MessageKind.AUDIO,
    "audio/mp4": MessageKind.AUDIO,
    "audio/mpeg": MessageKind.AUDIO,
    "audio/ogg": MessageKind.AUDIO,
    "image/jpeg": MessageKind.IMAGE,
    "image/png": MessageKind.IMAGE,
    "video/3gpp": MessageKind.VIDEO,
    "video/mp4": MessageKind.VIDEO,
    "application/pdf": MessageKind.DOCUMENT,
    "text/plain": MessageKind.DOCUMENT,
    "application/msword": MessageKind.DOCUMENT,
    "application/vnd.ms-excel": MessageKind.DOCUMENT,
    "application/vnd.ms-powerpoint": MessageKind.DOCUMENT,
    f"{_OFFICE}.wordprocessingml.document": MessageKind.DOCUMENT,
    f"{_OFFICE}.spreadsheetml.sheet": MessageKind.DOCUMENT,
    f"{_OFFICE}.presentationml.presentation": MessageKind.DOCUMENT,
}
"""By MIME type: those that WhatsApp documents as supported."""
SIGNATURES: Final[Mapping[str, bytes]] = {
    "image/jpeg": b"\xff\xd8\xff",
    "image/png": b"\x89PNG\r\n\x1a\n",
    "application/pdf": b"%PDF-",
}
"""How a file of the type begins; the platforms refuse others only after we have sent them."""

ORPHANED_AFTER = timedelta(days=1)
SOUGHT_FOR = timedelta(days=7)
"""How long an orphan is looked for; one that is missed goes with its tenant's retention."""


class AttachmentRefusedError(Exception):
    """The text says what is wrong with the file, and what would be right."""


def keep(conversation_id: int, upload: UploadedFile[bytes], *, by: User, now: datetime) -> Attachment:
    """Take a file in; no message names it yet. Raises `AttachmentRefusedError`. Not idempotent: each is its own."""
    mime_type = (upload.content_type or "").partition(";")[0].strip().lower()
    _check(upload, mime_type)
    attachment = Attachment(
        conversation_id=conversation_id,
        name=get_valid_filename(upload.name or "file")[-200:],
        mime_type=mime_type,
        size_bytes=upload.size or 0,
        sha256=_digest(upload),
        created_by=by,
        created_at=now,
    )
    attachment.file.name = attachment.file.field.generate_filename(attachment, attachment.name)
    attachment.save(force_insert=True)
    attachment.file.storage.save(attachment.file.name, upload)
    return attachment


def kind_of(attachment: Attachment) -> MessageKind:
    return KINDS[attachment.mime_type]


def delete_orphans(*, now: datetime, limit: int) -> int:
    """Those that no message came to name within a day, with their files. Their number."""
    named = Message.objects.annotate(named=KeyTextTransform("attachment_id", "media")).filter(
        conversation=OuterRef("conversation"), named=Cast(OuterRef("pk"), TextField())
    )
    aged = Q(created_at__lt=now - ORPHANED_AFTER, created_at__gte=now - ORPHANED_AFTER - SOUGHT_FOR)
    return _delete(Attachment.objects.filter(aged).exclude(Exists(named))[:limit])


def delete_old(tenant: Tenant, *, before: datetime, limit: int) -> int:
    """With their files. Their number."""
    old = Attachment.objects.filter(created_at__lt=before, conversation__tenant=tenant)
    return _delete(old.order_by("created_at")[:limit])


def _delete(attachments: QuerySet[Attachment]) -> int:
    chosen = list(attachments)
    for attachment in chosen:
        attachment.file.storage.delete(str(attachment.file.name))
        attachment.delete()
    return len(chosen)


def _check(upload: UploadedFile[bytes], mime_type: str) -> None:
    kind = KINDS.get(mime_type)
    if kind is None:
        raise AttachmentRefusedError(
            _(
                "Files of the type %(type)s cannot be sent. What can: JPEG and PNG images, MP4 and 3GP videos, "
                "AAC, AMR, MP3, M4A and OGG audio, PDF, text and Office documents."
            )
            % {"type": mime_type or _("unknown")}
        )
    if not upload.size:
        raise AttachmentRefusedError(_("The file is empty."))
    if upload.size > LIMITS_MB[kind] * MEGABYTE:
        raise AttachmentRefusedError(
            _("The file has %(size)s MB. A file of the kind “%(kind)s” may have %(limit)s MB.")
            % {"size": -(-upload.size // MEGABYTE), "kind": kind.label, "limit": LIMITS_MB[kind]}
        )
    if not _begins_as(upload, mime_type):
        raise AttachmentRefusedError(
            _("The file is not of the type %(type)s, as its name says.") % {"type": mime_type}
        )


def _begins_as(upload: UploadedFile[bytes], mime_type: str) -> bool:
    signature = SIGNATURES.get(mime_type, b"")
    upload.seek(0)
    return bool(upload.read(len(signature)) == signature)


def _digest(upload: UploadedFile[bytes]) -> str:
    digest = hashlib.sha256()
    for chunk in upload.chunks():
        digest.update(chunk)
    return digest.hexdigest()
