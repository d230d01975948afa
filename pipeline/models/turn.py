"""One run of the pipeline, and the journal of its effects."""

import uuid

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from conversations.models import Conversation


class TurnStatus(models.TextChoices):
    """`suspended`: it waits for a person; no worker holds it, and it goes on from its journal."""

    RUNNING = "running", _("running")
    SUSPENDED = "suspended", _("suspended")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")


UNFINISHED = (TurnStatus.RUNNING, TurnStatus.SUSPENDED)


class Turn(models.Model):
    """`started_at` and `seed` are all the time and chance a turn sees, so that a replay sees the same."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    conversation = models.ForeignKey(
        Conversation, models.CASCADE, related_name="turns", verbose_name=_("conversation")
    )
    replay_of = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="replays",
        db_index=False,
        verbose_name=_("replay of"),
    )
    request_id = models.CharField(_("request id"), max_length=64)
    policy_version = models.PositiveBigIntegerField(
        _("policy version"), help_text=_("History id of the agent's configuration in force.")
    )
    seed = models.BigIntegerField(_("seed"))
    lease_epoch = models.PositiveBigIntegerField(_("lease epoch"))
    status = models.CharField(_("status"), max_length=10, choices=TurnStatus, default=TurnStatus.RUNNING)
    phase = models.CharField(_("phase"), max_length=32, blank=True)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=0)
    generation = models.PositiveSmallIntegerField(
        _("generation"),
        default=0,
        help_text=_("How often it started over to take in messages that came meanwhile."),
    )
    error_code = models.CharField(_("error code"), max_length=64, blank=True)
    error_detail = models.TextField(_("error detail"), blank=True)
    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    phases = models.JSONField(
        _("phases"),
        default=list,
        blank=True,
        help_text=_("Each phase's name, start and duration in ms, and error."),
    )
    prompt_tokens = models.PositiveIntegerField(_("prompt tokens"), default=0)
    completion_tokens = models.PositiveIntegerField(_("completion tokens"), default=0)

    class Meta:
        verbose_name = _("turn")
        verbose_name_plural = _("turns")
        ordering = ("-started_at",)
        indexes = (
            models.Index(fields=["conversation", "started_at"], name="turn_of_conversation"),
            models.Index(fields=["request_id"], name="turn_request"),
            models.Index(fields=["replay_of"], name="turn_replayed", condition=Q(replay_of__isnull=False)),
            models.Index(fields=["started_at"], name="turn_failed", condition=Q(status=TurnStatus.FAILED)),
            models.Index(fields=["-started_at", "-id"], name="turn_recent"),
            models.Index(fields=["status"], name="turn_unfinished", condition=Q(status__in=UNFINISHED)),
            BrinIndex(fields=["started_at"], name="turn_started_at_brin"),
        )
        constraints = (
            models.UniqueConstraint(
                fields=["conversation"],
                condition=Q(status__in=UNFINISHED),
                name="turn_one_unfinished_a_conversation",
            ),
            models.CheckConstraint(
                condition=Q(status__one_of=UNFINISHED, finished_at__isnull=True)
                | Q(status__one_of=[TurnStatus.SUCCEEDED, TurnStatus.FAILED], finished_at__isnull=False),
                name="turn_finished_when_not_open",
            ),
            models.CheckConstraint(
                condition=~Q(status=TurnStatus.FAILED) | ~Q(error_code=""), name="turn_failure_has_code"
            ),
        )

    def __str__(self) -> str:
        return str(self.pk)


class StepKind(models.TextChoices):
    """`review`: asked of a person; its request is the proposal, its response the decision."""

    MODEL = "model", _("model")
    TOOL = "tool", _("tool")
    REVIEW = "review", _("review")


class StepStatus(models.TextChoices):
    STARTED = "started", _("started")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")
    UNKNOWN = "unknown", _("unknown")


class Step(models.Model):
    """One effect of a turn. `started` found at recovery means nobody knows whether it happened."""

    turn = models.ForeignKey(
        Turn, models.CASCADE, related_name="steps", db_index=False, verbose_name=_("turn")
    )
    key = models.CharField(_("key"), max_length=128)
    kind = models.CharField(_("kind"), max_length=10, choices=StepKind)
    name = models.CharField(_("name"), max_length=128)
    idempotency_key = models.UUIDField(_("idempotency key"))
    is_idempotent = models.BooleanField(_("idempotent"))
    request = models.JSONField(_("request"))
    response = models.JSONField(_("response"), null=True, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=StepStatus)
    attempts = models.PositiveSmallIntegerField(_("attempts"), default=1)
    decisions = models.JSONField(
        _("decisions"),
        default=list,
        blank=True,
        help_text=_("For each failed try: why it was tried again, or not."),
    )
    error_code = models.CharField(_("error code"), max_length=64, blank=True)
    error_detail = models.TextField(_("error detail"), blank=True)
    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        ordering = ("turn", "id")
        indexes = (BrinIndex(fields=["started_at"], name="step_started_at_brin"),)
        constraints = (
            models.UniqueConstraint(fields=["turn", "key"], name="step_once_a_turn"),
            models.CheckConstraint(
                condition=Q(status=StepStatus.STARTED, finished_at__isnull=True)
                | Q(status=StepStatus.UNKNOWN)
                | Q(status__one_of=[StepStatus.SUCCEEDED, StepStatus.FAILED], finished_at__isnull=False),
                name="step_finished_when_not_started",
            ),
        )

    def __str__(self) -> str:
        return self.key
