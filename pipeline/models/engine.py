"""Rows of the machinery itself: q2's wake-ups and who is alive to hear them."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class QueuedTask(models.Model):
    """A django-q2 task on its way to a worker: a wake-up, which may be lost. Truth is in the other tables."""

    queue = models.CharField(_("queue"), max_length=128)
    coalesce_key = models.CharField(
        _("coalesce key"),
        max_length=64,
        blank=True,
        help_text=_("Tasks with the same key are handed out as one."),
    )
    payload = models.TextField(_("payload"))
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("queued task")
        verbose_name_plural = _("queued tasks")
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.queue} {self.pk}"


class WorkerKind(models.TextChoices):
    SUPERVISOR = "supervisor", _("supervisor")
    EXECUTOR = "executor", _("executor")


class Worker(models.Model):
    """A live process. Its name is unique over time: host, pid and start time."""

    name = models.CharField(_("name"), max_length=128, primary_key=True)
    kind = models.CharField(_("kind"), max_length=10, choices=WorkerKind)
    cluster = models.CharField(
        _("cluster"), max_length=128, help_text=_("Name of the supervisor it belongs to.")
    )
    host = models.CharField(_("host"), max_length=64)
    pid = models.PositiveIntegerField(_("pid"))
    in_flight = models.PositiveIntegerField(_("in flight"), default=0)
    left_behind = models.PositiveIntegerField(
        _("left behind"),
        default=0,
        help_text=_("Tools that ignore their deadline and still run in a thread."),
    )
    started_at = models.DateTimeField(_("started at"))
    seen_at = models.DateTimeField(_("seen at"))

    class Meta:
        verbose_name = _("worker")
        verbose_name_plural = _("workers")
        ordering = ("cluster", "kind", "name")
        indexes = (models.Index(fields=["seen_at"], name="worker_seen_at"),)

    def __str__(self) -> str:
        return self.name
