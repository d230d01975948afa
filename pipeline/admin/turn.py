from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from audit.staff.base import EmptyState, ReadOnlyAdmin
from audit.staff.filters import MomentFilter, RecordFilter
from audit.staff.show import badge_column, code, link_column, milliseconds, moment_column
from pipeline import queries
from pipeline.admin import stories, tones, words
from pipeline.admin.configuration import in_force
from pipeline.admin.switched import switched
from pipeline.admin.timeline import timeline
from pipeline.models import Turn


@admin.register(Turn)
class TurnAdmin(ReadOnlyAdmin):
    tenant_path = "conversation__tenant"
    list_display = ("short_id", "thread", "state", "error", "took", "tokens", "attempts", "started")
    list_select_related = ("conversation__contact",)
    deferred = ("phases",)
    discloses = {
        "tenant_id": "conversation.tenant_id",
        "conversation_id": "conversation_id",
        "contact_id": "conversation.contact_id",
        "turn_id": "pk",
    }
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("started_at", MomentFilter),
        ("conversation", RecordFilter),
        ("conversation__channel", RecordFilter),
    )
    search_fields = (
        "id__exact",
        "request_id__exact",
        "conversation__id__exact",
        "conversation__contact__address__exact",
        "error_code__istartswith",
    )
    search_help_text = _(
        "Turn or request id, conversation number, the contact's address, or how an error code begins."
    )
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "id",
                    "thread",
                    "state",
                    "phase",
                    "attempts",
                    "generation",
                    "error",
                    "error_detail",
                    "started",
                    "finished",
                    "request_id",
                    "policy_version",
                    "seed",
                    "lease_epoch",
                    "replay_of",
                    "prompt_tokens",
                    "completion_tokens",
                )
            },
        ),
    )
    readonly_fields = ("thread", "state", "error", "started", "finished")

    thread = link_column("conversation", _("conversation"))
    state = badge_column("status", _("state"), tones.TURN)
    started = moment_column("started_at", _("started"))
    finished = moment_column("finished_at", _("finished"))

    @admin.display(description=_("turn"))
    def short_id(self, turn: Turn) -> str:
        return code(str(turn.pk)[:8])

    @admin.display(description=_("error"))
    def error(self, turn: Turn) -> str:
        return code(turn.error_code)

    @admin.display(description=_("took"))
    def took(self, turn: Turn) -> str:
        return milliseconds(turn.finished_at - turn.started_at if turn.finished_at else None)

    @admin.display(description=_("tokens"))
    def tokens(self, turn: Turn) -> int:
        return turn.prompt_tokens + turn.completion_tokens

    def story(self, record: Turn) -> dict[str, Any]:
        now = timezone.now()
        whole = queries.turn_record(record)
        return {
            "record": whole,
            "in_force": in_force(record.policy_version),
            "switched": switched(whole.turn, now),
            "timeline": timeline(record, whole.steps, now),
            "summary": stories.turn_summary(whole, now),
            "unknown": stories.unknown_effects(whole),
            "state_tone": tones.TURN[record.status],
            "step_tones": tones.STEP,
            "code_words": words.CODES,
        }

    def empty_state(self) -> EmptyState:
        return EmptyState(text=_("A turn appears with the first message a worker takes up."))
