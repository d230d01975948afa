from typing import Any

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from audit.staff.base import EmptyState, ReadOnlyAdmin
from audit.staff.filters import MomentFilter, RecordFilter
from audit.staff.history import HistoryAdmin
from audit.staff.show import Tone, Tones, badge_column, code, json_field, link_column, moment_column
from review.models import ReviewItem, ReviewKind, ReviewStatus, Risk
from review.proposals import in_one_line

KIND: Tones = {
    ReviewKind.TOOL_APPROVAL: Tone.INFO,
    ReviewKind.REPLY_APPROVAL: Tone.INFO,
    ReviewKind.FAILED_TURN: Tone.DANGER,
    ReviewKind.UNKNOWN_SEND: Tone.WARNING,
    ReviewKind.PERSON_ASKED: Tone.NEUTRAL,
    ReviewKind.POLICY: Tone.WARNING,
}
STATUS: Tones = {
    ReviewStatus.OPEN: Tone.WARNING,
    ReviewStatus.DECIDED: Tone.SUCCESS,
    ReviewStatus.SUPERSEDED: Tone.NEUTRAL,
    ReviewStatus.EXPIRED: Tone.DANGER,
    ReviewStatus.SETTLED: Tone.NEUTRAL,
}
RISK: Tones = {Risk.LOW: Tone.NEUTRAL, Risk.HIGH: Tone.WARNING}


@admin.register(ReviewItem)
class ReviewItemAdmin(HistoryAdmin, ReadOnlyAdmin):
    """To look things up: what is decided is decided in the inbox."""

    tenant_path = "tenant"
    list_display = ("proposed", "kind_badge", "state", "thread", "decision", "decided_by", "due", "ended")
    list_select_related = ("conversation__contact", "decided_by")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("kind", ChoicesDropdownFilter),
        ("risk", ChoicesDropdownFilter),
        ("decision", ChoicesDropdownFilter),
        ("created_at", MomentFilter),
        ("tenant", RecordFilter),
        ("conversation", RecordFilter),
    )
    search_fields = (
        "id__exact",
        "turn__id__exact",
        "conversation__id__exact",
        "conversation__contact__address__exact",
        "why_code__istartswith",
    )
    search_help_text = _("Item, turn or conversation number, the contact's address, or how a code begins.")
    fields = (
        "id",
        "in_inbox",
        "kind_badge",
        "state",
        "risk_badge",
        "tenant_link",
        "thread",
        "turn_link",
        "message_link",
        "proposal_json",
        "why_shown",
        "why",
        "context_json",
        "policy_version",
        "created",
        "due",
        "on_expiry",
        "claimed_by",
        "claim_ends",
        "decision",
        "decided_by",
        "decision_reason",
        "decided_json",
        "ended",
        "successor",
        "step_key",
        "fingerprint",
        "bulk_key",
    )
    readonly_fields = fields

    kind_badge = badge_column("kind", _("kind"), KIND)
    state = badge_column("status", _("status"), STATUS)
    risk_badge = badge_column("risk", _("risk"), RISK)
    tenant_link = link_column("tenant", _("tenant"))
    thread = link_column("conversation", _("conversation"))
    turn_link = link_column("turn", _("turn"))
    message_link = link_column("message", _("message"))
    successor = link_column("superseded_by", _("superseded by"))
    proposal_json = json_field("proposal", _("proposal"))
    context_json = json_field("context", _("context"))
    decided_json = json_field("decided", _("decided"))
    created = moment_column("created_at", _("created at"))
    due = moment_column("due_at", _("due at"))
    ended = moment_column("ended_at", _("ended at"))
    claim_ends = moment_column("claim_expires_at", _("claim expires at"))

    @admin.display(description=_("proposal"))
    def proposed(self, item: ReviewItem) -> str:
        return in_one_line(item.proposal) or item.why_code

    @admin.display(description=_("why (code)"))
    def why_shown(self, item: ReviewItem) -> SafeString:
        return code(item.why_code)

    @admin.display(description=_("inbox"))
    def in_inbox(self, item: ReviewItem) -> SafeString:
        address = reverse("review:item", args=[item.pk])
        return format_html('<a class="zupa-link" href="{}">{}</a>', address, _("In the review inbox"))

    def story(self, record: ReviewItem) -> dict[str, Any]:
        return {"show_history": True}

    def empty_state(self) -> EmptyState:
        return EmptyState(
            text=_("An item appears with the first thing that waits for a person."),
            address=reverse("review:inbox"),
            action=_("To the review inbox"),
        )
