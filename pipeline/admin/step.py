from django.contrib import admin
from django.utils.html import format_html_join
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from audit.staff.base import EmptyState, ReadOnlyAdmin
from audit.staff.show import EMPTY, badge_column, code, json_field, link, milliseconds, moment_column
from pipeline.admin import tones
from pipeline.health.decisions import decisions
from pipeline.models import Step


@admin.register(Step)
class StepAdmin(ReadOnlyAdmin):
    tenant_path = "turn__conversation__tenant"
    ordering = ("-id",)
    list_display = ("name", "kind_badge", "state", "error", "took", "attempts", "turn_link", "started")
    list_select_related = ("turn",)
    deferred = ("request", "response", "turn__phases")
    discloses = {
        "tenant_id": "turn.conversation.tenant_id",
        "conversation_id": "turn.conversation_id",
        "turn_id": "turn_id",
    }
    list_filter = (("status", ChoicesDropdownFilter), ("kind", ChoicesDropdownFilter))
    search_fields = ("id__exact", "turn__id__exact", "name__exact")
    search_help_text = _("Number, turn id, or the name of a model or tool.")
    fields = (
        "turn_link",
        "name",
        "kind_badge",
        "key",
        "state",
        "attempts",
        "took",
        "started",
        "is_idempotent",
        "idempotency_key",
        "error",
        "error_detail",
        "shown_decisions",
        "shown_request",
        "shown_response",
    )
    readonly_fields = (
        "turn_link",
        "kind_badge",
        "state",
        "took",
        "started",
        "error",
        "shown_decisions",
        "shown_request",
        "shown_response",
    )

    kind_badge = badge_column("kind", _("kind"), tones.STEP_KIND)
    state = badge_column("status", _("state"), tones.STEP)
    started = moment_column("started_at", _("started"))
    shown_request = json_field("request", _("request"))
    shown_response = json_field("response", _("response"))

    @admin.display(description=_("error"))
    def error(self, step: Step) -> str:
        return code(step.error_code)

    @admin.display(description=_("decisions"))
    def shown_decisions(self, step: Step) -> str:
        return format_html_join("", "<p>{}</p>", ([told] for told in decisions(step))) or EMPTY

    @admin.display(description=_("turn"))
    def turn_link(self, step: Step) -> str:
        return link(step.turn, str(step.turn_id)[:8])

    @admin.display(description=_("took"))
    def took(self, step: Step) -> str:
        return milliseconds(step.finished_at - step.started_at if step.finished_at else None)

    def empty_state(self) -> EmptyState:
        return EmptyState(text=_("A step is one effect of a turn: a model call or a tool call."))
