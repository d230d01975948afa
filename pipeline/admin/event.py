from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import (
    ChoicesDropdownFilter,
    DropdownFilter,
)

from audit.staff.acts import ActingAdmin
from audit.staff.base import EmptyState, ReadOnlyAdmin
from audit.staff.filters import MomentFilter, RecordFilter
from audit.staff.show import (
    EMPTY,
    Tone,
    badge,
    badge_column,
    badge_of,
    code,
    link,
    link_column,
    moment_column,
)
from pipeline import dead_letters, queries
from pipeline.admin import acts, stories, tones
from pipeline.admin.hints import first_message_hint
from pipeline.models import EventStatus, Outcome, ProcessedEvent

NONE_YET = "none"
TROUBLE = "trouble"
DEAD = "dead"


class OutcomeFilter(DropdownFilter):
    """Its conditions are written as those of the partial indexes, so that they are used."""

    title = _("outcome")
    parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        groups = [(NONE_YET, _("none yet")), (TROUBLE, _("failed or expired")), (DEAD, _("dead letters"))]
        return [*groups, *((outcome.value, outcome.label) for outcome in Outcome)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[ProcessedEvent]) -> QuerySet[ProcessedEvent]:
        wanted = self.value()
        if wanted == NONE_YET:
            return queryset.exclude(status=EventStatus.DONE)
        if wanted == TROUBLE:
            return queryset.filter(outcome__in=queries.TROUBLE)
        if wanted == DEAD:
            return queryset.filter(outcome__in=dead_letters.DEAD)
        return queryset.filter(outcome=wanted) if wanted else queryset


@admin.register(ProcessedEvent)
class EventAdmin(ActingAdmin, ReadOnlyAdmin):
    tenant_path = "tenant"
    acts = (acts.REQUEUE,)
    list_display = (
        "received",
        "who",
        "outcome_badge",
        "outcome_words",
        "channel",
        "turn_link",
        "redelivered",
    )
    list_select_related = ("channel", "conversation__contact")
    deferred = ("payload", "channel__credentials")
    discloses = {
        "tenant_id": "tenant_id",
        "conversation_id": "conversation_id",
        "event_id": "pk",
        "dedupe_key": "dedupe_key",
        "turn_id": "turn_id",
    }
    list_filter = (
        OutcomeFilter,
        ("status", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("received_at", MomentFilter),
        ("channel", RecordFilter),
        ("conversation", RecordFilter),
    )
    search_fields = (
        "id__exact",
        "turn__id__exact",
        "dedupe_key__exact",
        "conversation__contact__address__exact",
        "request_id__exact",
    )
    search_help_text = _("Number, dedupe key, turn or request id, or the contact's address.")
    fields = (
        "channel",
        "thread",
        "turn_link",
        "kind",
        "state",
        "outcome_badge",
        "outcome_words",
        "received",
        "platform",
        "done",
        "dedupe_key",
        "fingerprint",
        "request_id",
        "duplicates",
        "conflicts",
        "requeues",
    )
    readonly_fields = (
        "thread",
        "turn_link",
        "state",
        "outcome_badge",
        "outcome_words",
        "received",
        "platform",
        "done",
    )

    thread = link_column("conversation", _("conversation"))
    state = badge_column("status", _("state"), tones.EVENT_STATUS)
    received = moment_column("received_at", _("received"))
    platform = moment_column("platform_at", _("platform time"))
    done = moment_column("done_at", _("done"))

    @admin.display(description=_("from"))
    def who(self, event: ProcessedEvent) -> str:
        return link(event.conversation)

    @admin.display(description=_("outcome"))
    def outcome_badge(self, event: ProcessedEvent) -> str:
        if event.outcome:
            return badge_of(event, "outcome", tones.OUTCOME)
        return badge(_("none yet"))

    @admin.display(description=_("reason"))
    def outcome_words(self, event: ProcessedEvent) -> str:
        return code(event.outcome_code)

    @admin.display(description=_("turn"))
    def turn_link(self, event: ProcessedEvent) -> str:
        if event.turn_id is None:
            return EMPTY
        page = reverse("admin:pipeline_turn_change", args=[event.turn_id])
        return format_html('<a class="zupa-link" href="{}">{}</a>', page, str(event.turn_id)[:8])

    @admin.display(description=_("redelivered"))
    def redelivered(self, event: ProcessedEvent) -> str:
        again = str(event.duplicates or "–")
        return (
            badge(_("%(times)s, with conflicts") % {"times": again}, Tone.WARNING)
            if event.conflicts
            else again
        )

    def story(self, record: ProcessedEvent) -> dict[str, Any]:
        whole = queries.event_record(record)
        return {
            "record": whole,
            "chapters": stories.event_story(whole),
            "summary": stories.event_summary(record),
            "outcome_tone": tones.OUTCOME.get(record.outcome or "", Tone.NEUTRAL),
        }

    def empty_state(self) -> EmptyState:
        return first_message_hint()
