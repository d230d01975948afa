from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from audit.staff.acts import ActingAdmin
from audit.staff.base import EmptyState, ReadOnlyAdmin
from audit.staff.history import HistoryAdmin
from audit.staff.scope import SITE_WIDE
from audit.staff.show import badge_column, moment_column, span
from audit.staff.story import Chapter
from pipeline.admin import acts, tones
from pipeline.health.breakers import guarded, state_in_words
from pipeline.models import Breaker

CHANGES_SHOWN = 50


@admin.register(Breaker)
class BreakerAdmin(ActingAdmin, HistoryAdmin, ReadOnlyAdmin):
    tenant_path = SITE_WIDE
    acts = (acts.TRIP, acts.CLOSE)
    list_display = ("name", "guards", "state_badge", "in_words", "failures", "opened", "reason")
    list_filter = (("state", ChoicesDropdownFilter),)
    search_fields = ("name__exact", "name__icontains")
    search_help_text = _("Part of a name.")
    fields = (
        "name",
        "state_badge",
        "tripped",
        "reason",
        "failures",
        "threshold",
        "rest_s",
        "opened",
        "next_probe",
        "probe",
    )
    readonly_fields = ("state_badge", "tripped", "opened", "next_probe", "probe")

    state_badge = badge_column("state", _("state"), tones.BREAKER)
    opened = moment_column("opened_at", _("open since"))
    next_probe = moment_column("next_probe_at", _("next probe"))
    probe = moment_column("probe_until", _("probe until"))

    @admin.display(description=_("guards"))
    def guards(self, breaker: Breaker) -> str:
        return guarded(breaker.name)

    @admin.display(description=_("in words"))
    def in_words(self, breaker: Breaker) -> str:
        return state_in_words(breaker, timezone.now())

    @admin.display(description=_("by hand"), boolean=True)
    def tripped(self, breaker: Breaker) -> bool:
        return breaker.is_tripped

    def story(self, record: Breaker) -> dict[str, Any]:
        return {
            "state": state_in_words(record, timezone.now()),
            "guards": guarded(record.name),
            "tone": tones.BREAKER[record.state],
            "rest": span(timedelta(seconds=record.rest_s)),
            "chapters": list(_changes(record)),
        }

    def empty_state(self) -> EmptyState:
        return EmptyState(
            title=_("No breaker yet"),
            text=_(
                "A breaker appears with the first call to what it guards: a model, or a channel's sending."
            ),
        )


def _changes(breaker: Breaker) -> Iterator[Chapter]:
    """Newest first, as its history tells them; what a person did names the person."""
    newest = breaker.history.select_related("history_user").order_by("-history_date", "-history_id")
    for then in newest[:CHANGES_SHOWN]:
        by = gettext("by %(person)s") % {"person": then.history_user} if then.history_user else ""
        yield Chapter(
            at=then.history_date,
            title=f"{then.get_state_display()} {by}".strip().capitalize(),
            detail=then.reason,
            tone=tones.BREAKER[then.state],
        )
