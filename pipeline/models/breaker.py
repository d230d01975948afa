"""Circuit breakers, shared by all processes and shown to staff."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from simple_history.models import HistoricalRecords


class BreakerState(models.TextChoices):
    CLOSED = "closed", _("closed")
    OPEN = "open", pgettext_lazy("of a breaker", "open")
    HALF_OPEN = "half_open", _("half-open")


class Breaker(models.Model):
    """One provider's capability, or one channel's credentials. Opened by failures or by hand."""

    name = models.CharField(_("name"), max_length=128, primary_key=True)
    state = models.CharField(_("state"), max_length=12, choices=BreakerState, default=BreakerState.CLOSED)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    threshold = models.PositiveIntegerField(_("threshold"), help_text=_("Failures in a row that open it."))
    rest_s = models.FloatField(
        _("rest"), help_text=_("Seconds that it stays open before one call may try again.")
    )
    opened_at = models.DateTimeField(_("opened at"), null=True, blank=True)
    probe_until = models.DateTimeField(
        _("probe until"),
        null=True,
        blank=True,
        help_text=_("Until then one call tries, all others are refused."),
    )
    is_tripped = models.BooleanField(
        _("tripped by hand"), default=False, help_text=_("Stays open until a person closes it.")
    )
    reason = models.TextField(_("reason"), blank=True)

    history = HistoricalRecords()

    class Meta:
        verbose_name = _("breaker")
        verbose_name_plural = _("breakers")
        ordering = ("name",)
        constraints = (
            models.CheckConstraint(
                condition=Q(state=BreakerState.CLOSED, opened_at__isnull=True)
                | Q(state__in=[BreakerState.OPEN, BreakerState.HALF_OPEN], opened_at__isnull=False),
                name="breaker_open_since",
            ),
            models.CheckConstraint(
                condition=Q(is_tripped=False) | ~Q(reason=""), name="breaker_trip_has_reason"
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def next_probe_at(self) -> datetime | None:
        """When one call may try again; None while it is closed, or open until a person closes it."""
        if self.opened_at is None or self.is_tripped:
            return None
        return self.probe_until or self.opened_at + timedelta(seconds=self.rest_s)
