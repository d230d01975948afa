"""The explorer of the trail: who did what, to what, when, as sentences, with all that is known beneath."""

from functools import partial
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, StreamingHttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from audit import correlation, records
from audit.exports import FORMATS, Format, record_export, seal_of, stream
from audit.models import ActorKind, AuditEntry
from audit.sentences import actor_name, object_name, sentence
from audit.staff.base import EmptyState, ReadOnlyAdmin
from audit.staff.filters import BeginningFilter, MomentFilter, WholeValueFilter
from audit.staff.show import EMPTY, Tone, Tones, badge, badge_column, code, json_field, moment_column

ACTOR_TONES: Tones = {
    ActorKind.PERSON: Tone.INFO,
    ActorKind.AGENT: Tone.SUCCESS,
    ActorKind.CONTACT: Tone.NEUTRAL,
}


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    tenant_path = "tenant_id"
    list_before_template = "admin/audit/auditentry/exports.html"
    list_display = ("what", "who", "thread", "place", "when")
    list_select_related = ("seal",)
    list_filter = (
        ("actor", WholeValueFilter),
        ("actor_kind", ChoicesDropdownFilter),
        ("action", BeginningFilter),
        ("object_type", WholeValueFilter),
        ("object_id", WholeValueFilter),
        ("conversation_id", WholeValueFilter),
        ("request_id", WholeValueFilter),
        ("turn_id", WholeValueFilter),
        ("at", MomentFilter),
    )
    search_fields = (
        "turn_id__exact",
        "request_id__exact",
        "conversation_id__exact",
        "object_id__exact",
        "action__startswith",
        "actor__startswith",
    )
    search_help_text = _("Turn, request, conversation or object id; or how an action or an actor begins.")
    fields = (
        "id",
        "when",
        "action_code",
        "who",
        "actor",
        "object_type",
        "object_id",
        "reason",
        "policy_version",
        *correlation.FIELDS,
        "shown_details",
    )
    readonly_fields = ("when", "action_code", "who", "shown_details")

    when = moment_column("at", _("when"))
    who = badge_column("actor_kind", _("by"), ACTOR_TONES)
    shown_details = json_field("details", _("details"))

    @admin.display(description=_("what"))
    def what(self, entry: AuditEntry) -> str:
        return sentence(entry)

    @admin.display(description=_("action"))
    def action_code(self, entry: AuditEntry) -> str:
        return code(entry.action)

    @admin.display(description=_("conversation"))
    def thread(self, entry: AuditEntry) -> str:
        return entry.conversation_id or EMPTY

    @admin.display(description=_("seal"))
    def place(self, entry: AuditEntry) -> str:
        seal = seal_of(entry)
        return badge(f"# {seal.sequence}", Tone.SUCCESS) if seal else badge(_("not yet"))

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        """A stretch of time is read by the index of times, and not from the newest entry backwards until it begins."""
        return ("-at", "-id") if MomentFilter.is_used(request, "at") else ("-id",)

    def story(self, record: AuditEntry) -> dict[str, Any]:
        return {
            "sentence": sentence(record),
            "actor_name": actor_name(record),
            "object_name": object_name(record.object_type, record.object_id),
            "object_address": records.record_address(record.object_type, record.object_id),
            "tone": ACTOR_TONES.get(record.actor_kind, Tone.NEUTRAL),
            "version": records.version(record),
            "seal": seal_of(record),
            "related": [related for name in correlation.FIELDS if (related := _related(record, name))],
        }

    def get_urls(self) -> list[URLPattern]:
        urls: list[URLPattern] = super().get_urls()
        return [*map(self._export_url, FORMATS), *urls]

    def _export_url(self, form: Format) -> URLPattern:
        view = self.admin_site.admin_view(partial(self.export, form=form))
        url: URLPattern = path(f"export.{form.name}", view, name=f"audit_auditentry_export_{form.name}")
        return url

    def export(self, request: HttpRequest, form: Format) -> StreamingHttpResponse:
        """The entries that the list shows under the same query string, all of them."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        now = timezone.now()
        entries = self.get_changelist_instance(request).get_queryset(request)
        record_export(by=request.user.get_username(), name=form.name, filters=request.GET.dict(), now=now)
        headers = {"Content-Disposition": f'attachment; filename="audit-{now:%Y%m%d-%H%M%S}.{form.name}"'}
        return StreamingHttpResponse(stream(entries, form), content_type=form.content_type, headers=headers)

    def empty_state(self) -> EmptyState:
        return EmptyState(text=_("An entry appears with the first thing a person or the engine does."))


def _related(entry: AuditEntry, field: str) -> dict[str, Any] | None:
    """One of the ids that the entry carries: its record, and all other entries that carry it."""
    value = getattr(entry, field)
    if not value:
        return None
    object_type = field.removesuffix("_id")
    return {
        "name": entry._meta.get_field(field).verbose_name,  # type: ignore[union-attr]  # a field of ours has one
        "value": value,
        "address": records.record_address(object_type, value),
        "query": f"{field}__exact={value}" if field in FILTERED else "",
    }


FILTERED = {"conversation_id", "request_id", "turn_id"}
"""Ids that have an index: all entries that carry one are found at once."""
