from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import Case, Q, QuerySet, When
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from audit.staff.base import EmptyState
from audit.staff.history import HistoryAdmin
from audit.staff.scope import tenants_of
from audit.staff.show import address, badge_column, list_address, moment_column
from pipeline.admin import tones
from pipeline.admin.asking import AskingAdmin, person
from pipeline.admin.switch_form import SwitchForm
from pipeline.controls import operations, queries, words
from pipeline.controls.concerned import COUNTED_UP_TO, blast_radius
from pipeline.controls.errors import ControlError
from pipeline.models import Switch, SwitchStatus
from pipeline.models import SwitchScope as ScopeWord
from pipeline.policies.switches import OFFERED, SwitchScope

CLICKS: dict[str, Callable[..., Switch]] = {
    "lift": operations.lift,
    "approve": operations.approve,
    "refuse": operations.refuse,
}


@admin.register(Switch)
class SwitchAdmin(HistoryAdmin, AskingAdmin):
    tenant_path = "tenant"
    asking_form = SwitchForm
    asking_template = "admin/pipeline/switch/set.html"
    asks = _("Set a switch")
    list_before_template = "admin/pipeline/switch/list_before.html"
    actions = None
    ordering = (Case(When(status=SwitchStatus.ENDED, then=1), default=0), "-id")
    sortable_by = ()
    list_display = ("what", "over", "status_badge", "reason", "requested_by", "since", "until", "undo")
    list_select_related = (*queries.TARGETS, "requested_by", "approved_by")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("scope", ChoicesDropdownFilter),
        ("capability", ChoicesDropdownFilter),
    )
    search_fields = ("id__exact", "requested_by__username__exact", "reason__icontains")
    search_help_text = _("Number, who set it, or part of the reason.")
    fields = (
        "what",
        "over",
        "status_badge",
        "reason",
        "requested_by",
        "requested",
        "approved_by",
        "incident",
        "since",
        "until",
        "ended",
        "ended_by",
        "end_reason",
    )
    readonly_fields = ("what", "over", "status_badge", "requested", "since", "until", "ended")

    status_badge = badge_column("status", _("status"), tones.SWITCH_STATUS)
    requested = moment_column("requested_at", _("requested"))
    since = moment_column("active_since", _("since"))
    until = moment_column("ends_at", _("until"))
    ended = moment_column("ended_at", _("ended"))

    @admin.display(description=_("what"))
    def what(self, switch: Switch) -> str:
        return words.what(switch)

    @admin.display(description=_("for whom"))
    def over(self, switch: Switch) -> str:
        return words.over(switch)

    @admin.display(description=_("undo"))
    def undo(self, switch: Switch) -> str:
        """In the list's own form, which brings the token: a form within a form there cannot be."""
        if switch.status == SwitchStatus.ENDED:
            return "–"
        where = reverse("admin:pipeline_switch_lift", args=[switch.pk])
        return format_html(
            '<button type="submit" class="zupa-button" formmethod="post" formaction="{}">{}</button>',
            where,
            gettext("Undo"),
        )

    def narrowed(self, rows: QuerySet[Any], request: HttpRequest) -> QuerySet[Any]:
        """One over everything concerns every tenant: everybody may see it."""
        seen = tenants_of(request)
        return rows if seen is None else rows.filter(Q(scope=SwitchScope.EVERYTHING) | Q(tenant__in=seen))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        more = {"incident": queries.open_incident(), "may_set": self.has_add_permission(request)}
        page: HttpResponse = super().changelist_view(request, (extra_context or {}) | more)
        return page

    def preview(self, form: SwitchForm) -> dict[str, Any]:
        wanted = form.wanted()
        radius = blast_radius(wanted.scope, wanted.target_id)
        return {
            "heading": words.switched(wanted.capability, wanted.action, wanted.tool),
            "over": f"{ScopeWord(wanted.scope).label} {operations.target_of(wanted) or ''}".strip(),
            "effect": gettext(OFFERED[wanted.capability, wanted.action].effect),
            "tone": tones.SWITCH_ACTION[wanted.action],
            "radius": radius,
            "most": COUNTED_UP_TO,
            "reason": wanted.reason,
            "ends_at": wanted.ends_at,
            "needs_another": wanted.scope is SwitchScope.EVERYTHING and not queries.open_incident(),
        }

    def perform(self, request: HttpRequest, form: SwitchForm) -> HttpResponse:
        switch = operations.set_switch(form.wanted(), by=person(request), now=timezone.now())
        if switch.status == SwitchStatus.PENDING:
            text = gettext("It waits for a second person: nothing has changed yet.")
        else:
            text = gettext("It is in force on every worker within two seconds.")
        return self.done(request, text, switch)

    def get_urls(self) -> list[URLPattern]:
        urls: list[URLPattern] = super().get_urls()
        return [*map(self._url, CLICKS), *urls]

    def _url(self, name: str) -> URLPattern:
        view = self.admin_site.admin_view(partial(self.click, name=name))
        url: URLPattern = path(f"<path:object_id>/{name}/", view, name=f"pipeline_switch_{name}")
        return url

    def click(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """One click, without a page in between: what it does is undone as easily."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        number = int(object_id) if object_id.isdecimal() and len(object_id) < 19 else 0
        try:
            reason = request.POST.get("reason", "")[:500]
            extra = {} if name == "approve" else {"reason": reason}
            switch = CLICKS[name](number, by=person(request), now=timezone.now(), **extra)
        except ControlError as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            self.message_user(request, self._done(switch), messages.SUCCESS)
        return HttpResponseRedirect(_way_back(request))

    def _done(self, switch: Switch) -> str:
        if switch.status == SwitchStatus.ACTIVE:
            return gettext("It is in force on every worker within two seconds.")
        return gettext("It is ended, and what waited for it goes on.")

    def story(self, record: Switch, request: HttpRequest) -> dict[str, Any]:
        may_change = request.user.has_perm("pipeline.change_switch")
        return {
            "what": words.what(record),
            "over": words.over(record),
            "effect": words.effect(record),
            "tone": tones.SWITCH_ACTION[record.action],
            "target_address": address(words.target(record)) if record.scope != SwitchScope.EVERYTHING else "",
            "may_lift": may_change and record.status != SwitchStatus.ENDED,
            "is_pending": record.status == SwitchStatus.PENDING,
            "is_mine": record.requested_by_id == request.user.pk,
            "radius": _radius(record),
            "most": COUNTED_UP_TO,
        }

    def empty_state(self) -> EmptyState:
        return EmptyState(
            title=_("Nothing is switched"),
            text=_("A switch pauses, degrades or stops something: for everybody, or for one conversation."),
            address=reverse("admin:pipeline_switch_add"),
            action=_("Set a switch"),
        )


def _radius(switch: Switch) -> Any:
    if switch.status == SwitchStatus.ENDED:
        return None
    scope = SwitchScope(switch.scope)
    target_id = None if scope is SwitchScope.EVERYTHING else getattr(switch, f"{scope}_id")
    return blast_radius(scope, target_id)


def _way_back(request: HttpRequest) -> str:
    """The page the click came from, if it is one of ours."""
    back = request.POST.get("next") or request.headers.get("Referer", "")
    safe = url_has_allowed_host_and_scheme(
        back, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return back if back and safe else list_address(Switch)
