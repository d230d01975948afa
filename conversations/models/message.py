"""What was said. An outbound message is its own outbox row."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from conversations.models.agent import Channel
from conversations.models.conversation import Conversation, Session


class Direction(models.TextChoices):
    IN = "in", _("in")
    OUT = "out", _("out")


class AuthorKind(models.TextChoices):
    CONTACT = "contact", _("contact")
    AGENT = "agent", _("agent")
    PERSON = "person", _("person")


class MessageKind(models.TextChoices):
    TEXT = "text", _("text")
    AUDIO = "audio", _("audio")
    IMAGE = "image", _("image")
    VIDEO = "video", _("video")
    DOCUMENT = "document", _("document")
    LOCATION = "location", _("location")


class Delivery(models.TextChoices):
    """The way of an outbound message. `unknown`: its answer was lost, so nobody may send it again blindly."""

    QUEUED = "queued", _("queued")
    SENDING = "sending", _("sending")
    UNKNOWN = "unknown", _("unknown")
    SENT = "sent", _("sent")
    DELIVERED = "delivered", _("delivered")
    READ = "read", _("read")
    FAILED = "failed", _("failed")
    WITHDRAWN = "withdrawn", _("withdrawn")


DELIVERY_RANK = {
    Delivery.QUEUED: 0,
    Delivery.WITHDRAWN: 0,
    Delivery.SENDING: 1,
    Delivery.UNKNOWN: 2,
    Delivery.SENT: 3,
    Delivery.FAILED: 4,
    Delivery.DELIVERED: 5,
    Delivery.READ: 6,
}
"""Statuses arrive out of order and can skip; a row only ever moves up in rank. `failed` may follow `sent` (WhatsApp
reports many failures after it accepted); a platform that reports `delivered` after it has delivered all the same."""


class Message(models.Model):
    conversation = models.ForeignKey(
        Conversation,
        models.CASCADE,
        related_name="messages",
        db_index=False,
        verbose_name=_("conversation"),
    )
    session = models.ForeignKey(
        Session,
        models.SET_NULL,
        null=True,
        related_name="messages",
        db_index=False,
        verbose_name=_("session"),
    )
    channel = models.ForeignKey(Channel, models.PROTECT, related_name="+", verbose_name=_("channel"))
    direction = models.CharField(_("direction"), max_length=3, choices=Direction)
    author_kind = models.CharField(_("author kind"), max_length=10, choices=AuthorKind)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        verbose_name=_("author"),
    )
    kind = models.CharField(_("kind"), max_length=10, choices=MessageKind, default=MessageKind.TEXT)
    text = models.TextField(_("text"), blank=True)
    media = models.JSONField(_("media"), default=dict, blank=True)
    turn_id = models.UUIDField(_("turn"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"))

    provider_id = models.CharField(_("provider id"), max_length=255, blank=True)
    idempotency_key = models.UUIDField(
        _("idempotency key"),
        null=True,
        blank=True,
        unique=True,
        help_text=_("The client reference the platform sees."),
    )
    delivery = models.CharField(_("delivery"), max_length=10, choices=Delivery, blank=True)
    owner_epoch = models.PositiveIntegerField(_("owner epoch"), default=0)
    lease_epoch = models.PositiveBigIntegerField(
        _("lease epoch"), default=0, help_text=_("The mailbox's epoch under which it was last sent.")
    )
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    send_after = models.DateTimeField(_("send after"), null=True, blank=True)
    error_code = models.CharField(_("error code"), max_length=64, blank=True)
    error_detail = models.TextField(_("error detail"), blank=True)
    sent_at = models.DateTimeField(_("sent at"), null=True, blank=True)
    delivered_at = models.DateTimeField(_("delivered at"), null=True, blank=True)
    read_at = models.DateTimeField(_("read at"), null=True, blank=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("messages")
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["conversation", "id"], name="message_transcript"),
            models.Index(fields=["session", "id"], name="message_of_session"),
            models.Index(
                fields=["channel", "provider_id"], name="message_provider", condition=~Q(provider_id="")
            ),
            models.Index(fields=["author"], name="message_author", condition=Q(author__isnull=False)),
            models.Index(fields=["turn_id"], name="message_turn", condition=Q(turn_id__isnull=False)),
            models.Index(
                fields=["conversation", "id"],
                name="message_outbox",
                condition=Q(delivery__in=[Delivery.QUEUED, Delivery.SENDING]),
            ),
            models.Index(fields=["created_at"], name="message_media", condition=~Q(media={})),
            models.Index(
                fields=["created_at"],
                name="message_problem",
                condition=Q(delivery__in=[Delivery.FAILED, Delivery.UNKNOWN]),
            ),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(direction=Direction.IN, delivery="", idempotency_key__isnull=True)
                | Q(direction=Direction.OUT, delivery__one_of=Delivery.values, idempotency_key__isnull=False),
                name="message_outbound_is_outbox_row",
            ),
            models.CheckConstraint(
                condition=Q(direction=Direction.IN, author_kind=AuthorKind.CONTACT)
                | Q(direction=Direction.OUT, author_kind__one_of=[AuthorKind.AGENT, AuthorKind.PERSON]),
                name="message_author_fits_direction",
            ),
        )

    def __str__(self) -> str:
        return f"{self.get_direction_display()} {self.pk}"

    @property
    def settles_until(self) -> datetime:
        """Until then a status may still settle it, if its fate is unknown; after that its channel's policy does."""
        return self.created_at + timedelta(minutes=self.channel.settle_minutes)
