"""What people decide, and who is looking at what."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from conversations.models import Conversation, ExpiryDecision, Message, Tenant
from pipeline.models import Turn


class ReviewKind(models.TextChoices):
    TOOL_APPROVAL = "tool_approval", _("tool approval")
    REPLY_APPROVAL = "reply_approval", _("reply approval")
    FAILED_TURN = "failed_turn", _("failed turn")
    UNKNOWN_SEND = "unknown_send", _("unknown send")
    PERSON_ASKED = "person_asked", _("asked for a person")
    POLICY = "policy", _("policy")


APPROVALS = (ReviewKind.TOOL_APPROVAL, ReviewKind.REPLY_APPROVAL)
"""A suspended turn waits for these; the others wait for nobody but the person who works them off."""


class ReviewStatus(models.TextChoices):
    """`superseded`: the context changed, another stands in its place. `settled`: nobody needs to decide any more."""

    OPEN = "open", _("open")
    DECIDED = "decided", _("decided")
    SUPERSEDED = "superseded", _("superseded")
    EXPIRED = "expired", _("expired")
    SETTLED = "settled", _("settled")


class Risk(models.TextChoices):
    LOW = "low", _("low")
    HIGH = "high", _("high")


class ReviewDecision(models.TextChoices):
    APPROVE = "approve", _("approve")
    EDIT = "edit", _("approve with changes")
    REJECT = "reject", _("reject")
    ANSWER = "answer", _("answer oneself")
    TAKE_OVER = "take_over", _("take over")
    REQUEUE = "requeue", _("requeue")
    MARK_DELIVERED = "mark_delivered", _("mark as delivered")
    SEND_AGAIN = "send_again", _("send again")
    DISMISS = "dismiss", _("dismiss")


class ReviewItem(models.Model):
    """Something a person must decide. The decided ones are labelled cases: input, proposal, decision, difference.

    `fingerprint` stands for what the proposal rests on (arguments, last message, policy version): a decision names the
    fingerprint it was made under, and one that no longer holds is refused.
    """

    key = models.CharField(
        _("key"), max_length=200, unique=True, help_text=_("The same request opens no second item.")
    )
    kind = models.CharField(_("kind"), max_length=16, choices=ReviewKind)
    status = models.CharField(_("status"), max_length=10, choices=ReviewStatus, default=ReviewStatus.OPEN)
    risk = models.CharField(_("risk"), max_length=4, choices=Risk, default=Risk.HIGH)
    tenant = models.ForeignKey(Tenant, models.PROTECT, related_name="+", verbose_name=_("tenant"))
    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="reviews", verbose_name=_("conversation")
    )
    turn = models.ForeignKey(
        Turn, models.CASCADE, null=True, blank=True, related_name="reviews", verbose_name=_("turn")
    )
    step_key = models.CharField(_("step key"), max_length=128, blank=True)
    message = models.ForeignKey(
        Message, models.CASCADE, null=True, blank=True, related_name="reviews", verbose_name=_("message")
    )
    proposal = models.JSONField(
        _("proposal"), default=dict, help_text=_("A tool and its arguments, or an answer's text.")
    )
    why_code = models.CharField(_("why (code)"), max_length=64)
    why = models.TextField(_("why"), blank=True)
    context = models.JSONField(
        _("context"), default=dict, blank=True, help_text=_("What the proposal answers: the last messages.")
    )
    policy_version = models.PositiveBigIntegerField(_("policy version"), default=0)
    fingerprint = models.CharField(_("fingerprint"), max_length=64)
    bulk_key = models.CharField(
        _("bulk key"),
        max_length=64,
        blank=True,
        help_text=_("Equal ones of low risk may be decided at once."),
    )
    created_at = models.DateTimeField(_("created at"))
    due_at = models.DateTimeField(_("due at"))
    on_expiry = models.CharField(
        _("on expiry"),
        max_length=10,
        choices=ExpiryDecision,
        blank=True,
        help_text=_("What happens by itself when it is due; empty: it stays open."),
    )
    claimed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("claimed by"),
    )
    claim_expires_at = models.DateTimeField(_("claim expires at"), null=True, blank=True)
    decision = models.CharField(_("decision"), max_length=14, choices=ReviewDecision, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("decided by"),
        help_text=_("Nobody, where it expired or settled itself."),
    )
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    decision_reason = models.TextField(_("decision reason"), blank=True)
    decided = models.JSONField(
        _("decided"), null=True, blank=True, help_text=_("What was decided on, where it differs.")
    )
    superseded_by = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="supersedes",
        verbose_name=_("superseded by"),
    )

    history = HistoricalRecords()

    class Meta:
        verbose_name = _("review item")
        verbose_name_plural = _("review items")
        ordering = ("-id",)
        indexes = (
            models.Index(fields=["due_at", "id"], name="review_open_by_due", condition=Q(status="open")),
            models.Index(fields=["conversation", "id"], name="review_of_conversation"),
            models.Index(fields=["ended_at", "id"], name="review_ended", condition=~Q(status="open")),
        )
        constraints = (
            models.CheckConstraint(
                condition=Q(status=ReviewStatus.OPEN, ended_at__isnull=True, decision="")
                | Q(status=ReviewStatus.DECIDED, ended_at__isnull=False, decided_by__isnull=False)
                & ~Q(decision="")
                | Q(
                    status__in=[ReviewStatus.SUPERSEDED, ReviewStatus.EXPIRED, ReviewStatus.SETTLED],
                    ended_at__isnull=False,
                    decided_by__isnull=True,
                ),
                name="review_decided_by_somebody",
            ),
            models.CheckConstraint(
                condition=Q(claimed_by__isnull=True, claim_expires_at__isnull=True)
                | Q(claimed_by__isnull=False, claim_expires_at__isnull=False),
                name="review_claim_has_end",
            ),
            models.CheckConstraint(
                condition=~Q(kind__in=APPROVALS) | Q(turn__isnull=False) & ~Q(step_key=""),
                name="review_approval_names_its_step",
            ),
        )
        permissions = (
            ("decide_reviewitem", _("Can claim and decide review items")),
            ("export_reviewitem", _("Can export decided cases")),
        )

    def __str__(self) -> str:
        return f"{self.pk}"


class Presence(models.Model):
    """A browser that shows a conversation. Its row goes with its socket; one that is not renewed counts no more."""

    socket = models.CharField(_("socket"), max_length=200)
    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="+", verbose_name=_("conversation")
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="+", verbose_name=_("user")
    )
    seen_at = models.DateTimeField(_("seen at"))

    class Meta:
        verbose_name = _("presence")
        verbose_name_plural = _("presences")
        ordering = ("id",)
        constraints = (
            models.UniqueConstraint(fields=["socket", "conversation"], name="presence_once_a_socket"),
        )

    def __str__(self) -> str:
        return f"{self.user}"
