"""What the housekeeping did."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class HousekeepingRun(models.Model):
    """One run, with what it found to do: counts by name."""

    started_at = models.DateTimeField(_("started at"))
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True)
    counts = models.JSONField(_("counts"), default=dict, blank=True)
    error = models.TextField(_("error"), blank=True)

    class Meta:
        verbose_name = _("housekeeping run")
        verbose_name_plural = _("housekeeping runs")
        ordering = ("-id",)

    def __str__(self) -> str:
        return f"{self.started_at}"
