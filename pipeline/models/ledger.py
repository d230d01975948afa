"""The ledger of inbound events and the queue head of each conversation."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from conversations.models import Channel, Conversation, Tenant


class EventKind(models.TextChoices):
    MESSAGE = "message", _("message")
    UNSUPPORTED = "unsupported", _("unsupported")


class EventStatus(models.TextChoices):
    """Coarse, drives the engine. What became of the event is its outcome. `held`: its turn waits for a person."""

    RECEIVED = "received", _("received")
    PROCESSING = "processing", _("processing")
    HELD = "held", _("held")
    DONE = "done", _("done")


class Outcome(models.TextChoices):
    """The complete list. An event ends in exactly one of these."""

    REPLIED = "replied", _("replied")
    MERGED = "merged", _("merged")
    COMMAND = "command", _("command")
    NEEDS_HUMAN = "needs_human", _("needs human")
    BLOCKED = "blocked", _("blocked")
    RATE_LIMITED = "rate_limited", _("rate limited")
    SHED = "shed", _("shed")
    SILENCED = "silenced", _("silenced")
    IGNORED = "ignored", _("ignored")
    FAILED = "failed", _("failed")
    EXPIRED = "expired", _("expired")


NOTABLE = (Outcome.NEEDS_HUMAN, Outcome.RATE_LIMITED, Outcome.SHED, Outcome.FAILED, Outcome.EXPIRED)
"""Outcomes that staff look for, and that are few beside all others."""


class ProcessedEvent(models.Model):
    """One inbound event, once: the dedupe fence, and where its outcome is written."""

    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="+", verbose_name=_("tenant"))
    channel = models.ForeignKey(
        Channel, models.PROTECT, related_name="+", db_index=False, verbose_name=_("channel")
    )
    conversation = models.ForeignKey(
        Conversation,
        models.CASCADE,
        null=True,
        related_name="events",
        db_index=False,
        verbose_name=_("conversation"),
    )
    turn = models.ForeignKey(
        "pipeline.Turn",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="events",
        db_index=False,
        verbose_name=_("turn"),
    )
    dedupe_key = models.CharField(_("dedupe key"), max_length=255)
    fingerprint = models.CharField(
        _("fingerprint"), max_length=64, help_text=_("SHA-256 of the event's content as received.")
    )
    kind = models.CharField(_("kind"), max_length=16, choices=EventKind)
    payload = models.JSONField(_("payload"))
    request_id = models.CharField(_("request id"), max_length=64)
    received_at = models.DateTimeField(_("received at"))
    platform_at = models.DateTimeField(_("platform time"), null=True, blank=True)
    duplicates = models.PositiveIntegerField(_("duplicates"), default=0)
    conflicts = models.PositiveIntegerField(
        _("conflicts"), default=0, help_text=_("Redeliveries under the same key with different content.")
    )
    status = models.CharField(_("status"), max_length=10, choices=EventStatus, default=EventStatus.RECEIVED)
    outcome = models.CharField(_("outcome"), max_length=16, choices=Outcome, null=True, blank=True)  # noqa: DJ001 null is "not yet"
    outcome_code = models.CharField(_("outcome code"), max_length=64, blank=True)
    done_at = models.DateTimeField(_("done at"), null=True, blank=True)
    requeues = models.PositiveSmallIntegerField(
        _("requeues"), default=0, help_text=_("How often a person sent it back into the queue.")
    )
    requeued_at = models.DateTimeField(
        _("requeued at"), null=True, blank=True, help_text=_("Since when it waits anew.")
    )

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["conversation", "id"], name="event_pending", condition=~Q(status="done")),
            models.Index(fields=["received_at"], name="event_waiting_age", condition=~Q(status="done")),
            models.Index(fields=["tenant"], name="event_waiting_of_tenant", condition=~Q(status="done")),
            models.Index(fields=["conversation", "id"], name="event_of_conversation"),
            models.Index(
                fields=["outcome", "received_at"],
                name="event_notable",
                condition=Q(outcome__in=NOTABLE),
            ),
            models.Index(fields=["turn"], name="event_of_turn", condition=Q(turn__isnull=False)),
            models.Index(
                fields=["received_at"],
                name="event_ended_at_door",
                condition=Q(status="done", turn__isnull=True),
            ),
            BrinIndex(fields=["received_at"], name="event_received_at_brin"),
        )
        constraints = (
            models.UniqueConstraint(fields=["channel", "dedupe_key"], name="event_once_a_channel"),
            models.CheckConstraint(
                condition=Q(status=EventStatus.DONE, outcome__one_of=Outcome.values, done_at__isnull=False)
                | Q(
                    status__one_of=[EventStatus.RECEIVED, EventStatus.PROCESSING, EventStatus.HELD],
                    outcome__isnull=True,
                    done_at__isnull=True,
                ),
                name="event_done_has_outcome",
            ),
        )

    def __str__(self) -> str:
        return self.dedupe_key


class Mailbox(models.Model):
    """A conversation's queue head: when it is due, who holds the lease, and the epoch that fences them.

    Whoever reads the waiting events clears `due_at` first, so a message that comes in meanwhile sets it anew and is
    never overlooked. Times here are the database's clock, the one clock all workers share.
    """

    conversation = models.OneToOneField(
        Conversation, models.CASCADE, primary_key=True, related_name="mailbox", verbose_name=_("conversation")
    )
    tenant = models.ForeignKey(
        Tenant, models.PROTECT, related_name="+", db_index=False, verbose_name=_("tenant")
    )
    due_at = models.DateTimeField(_("due at"), null=True, blank=True)
    burst_since = models.DateTimeField(
        _("burst since"),
        null=True,
        blank=True,
        help_text=_("When the first message of the waiting burst came."),
    )
    lease_owner = models.CharField(_("lease owner"), max_length=128, blank=True)
    lease_epoch = models.PositiveBigIntegerField(_("lease epoch"), default=0)
    lease_expires_at = models.DateTimeField(_("lease expires at"), null=True, blank=True)

    class Meta:
        verbose_name = _("mailbox")
        verbose_name_plural = _("mailboxes")
        ordering = (F("due_at").asc(nulls_last=True),)
        indexes = (
            models.Index(
                fields=["tenant", "due_at"],
                name="mailbox_due",
                condition=Q(due_at__isnull=False, lease_owner=""),
            ),
            models.Index(fields=["tenant"], name="mailbox_leased", condition=~Q(lease_owner="")),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(lease_owner="", lease_expires_at__isnull=True)
                | (~Q(lease_owner="") & Q(lease_expires_at__isnull=False)),
                name="mailbox_lease_has_owner_and_end",
            ),
        )

    def __str__(self) -> str:
        return f"{self.conversation_id}"
