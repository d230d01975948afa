"""What staff bring to conversations: which they may see, their notes, ready-made replies, and files."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from conversations.models.agent import Tenant
from conversations.models.conversation import Conversation


class StaffScope(models.Model):
    """Narrows a member of staff to these tenants; with none of them, to nothing. Who has no scope sees all tenants."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="staff_scope", verbose_name=_("user")
    )
    tenants = models.ManyToManyField(Tenant, blank=True, related_name="+", verbose_name=_("tenants"))

    history = HistoricalRecords(m2m_fields=[tenants])

    class Meta:
        verbose_name = _("staff scope")
        verbose_name_plural = _("staff scopes")
        ordering = ("user",)

    def __str__(self) -> str:
        return str(self.user)


class Note(models.Model):
    """An internal note: staff read it, contacts never do. With `for_agent`, the agent's next turn reads it, too."""

    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="notes", verbose_name=_("conversation")
    )
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("author")
    )
    text = models.TextField(_("text"), max_length=4_000)
    for_agent = models.BooleanField(_("for the agent"), default=False)
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("note")
        verbose_name_plural = _("notes")
        ordering = ("-id",)
        indexes = (models.Index(fields=["conversation", "id"], name="note_of_conversation"),)

    def __str__(self) -> str:
        return f"{self.pk}"


class CannedReply(models.Model):
    """A ready-made reply. Without a tenant, every tenant's staff may use it."""

    tenant = models.ForeignKey(
        Tenant, models.CASCADE, null=True, blank=True, related_name="+", verbose_name=_("tenant")
    )
    shortcut = models.SlugField(
        _("shortcut"), max_length=40, help_text=_("What is typed after a slash to find it.")
    )
    text = models.TextField(
        _("text"), max_length=4_000, help_text=_("Variables: $contact_name, $agent_name, $tenant_name.")
    )

    history = HistoricalRecords()

    class Meta:
        verbose_name = _("canned reply")
        verbose_name_plural = _("canned replies")
        ordering = ("shortcut",)
        constraints = (
            models.UniqueConstraint(fields=["tenant", "shortcut"], name="canned_reply_once_a_tenant"),
            models.UniqueConstraint(
                fields=["shortcut"], condition=models.Q(tenant__isnull=True), name="canned_reply_once_for_all"
            ),
        )

    def __str__(self) -> str:
        return self.shortcut


def attachment_path(attachment: "Attachment", filename: str) -> str:
    """Where the file lies: never under the name that somebody gave it."""
    return f"attachments/{attachment.pk}"


class Attachment(models.Model):
    """A file that a person sends to a contact. Its message names it in `media`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="attachments", verbose_name=_("conversation")
    )
    file = models.FileField(_("file"), upload_to=attachment_path)
    name = models.CharField(_("name"), max_length=200)
    mime_type = models.CharField(_("MIME type"), max_length=100)
    size_bytes = models.PositiveIntegerField(_("size in bytes"))
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, related_name="+", verbose_name=_("created by")
    )
    created_at = models.DateTimeField(_("created at"))

    class Meta:
        verbose_name = _("attachment")
        verbose_name_plural = _("attachments")
        ordering = ("-created_at",)
        indexes = (models.Index(fields=["created_at"], name="attachment_created"),)

    def __str__(self) -> str:
        return self.name
