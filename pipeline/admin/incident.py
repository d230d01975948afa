from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from audit.staff.acts import Act, ActingAdmin
from audit.staff.base import EmptyState
from audit.staff.scope import SITE_WIDE
from audit.staff.show import Tone, badge, moment_column
from pipeline.admin.asking import AskingAdmin, AskingForm, person, person_named
from pipeline.controls import incidents
from pipeline.models import Incident


def _close(ids: list[Any], *, by: str, reason: str, now: datetime) -> int:
    incidents.close_incident(ids[0], by=person_named(by), reason=reason, now=now)
    return 1


CLOSE = Act(
    name="close",
    title=_("Close"),
    icon="check_circle",
    possible=lambda rows: rows.filter(closed_at__isnull=True),
    refusal=_("It is closed already."),
    announcement=lambda _number: gettext("Switches over everything need a second person again."),
    done=lambda _number: gettext("The incident is closed."),
    perform=_close,
    warning=_("The switches that were set in it stay in force until somebody lifts them."),
    in_list=False,
)


class IncidentForm(AskingForm):
    reason = forms.CharField(
        label=_("What has happened"),
        max_length=500,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "autofocus": True}),
        help_text=_("It stands in the audit trail beside your name."),
    )


@admin.register(Incident)
class IncidentAdmin(ActingAdmin, AskingAdmin):
    tenant_path = SITE_WIDE
    acts = (CLOSE,)
    asking_form = IncidentForm
    asks = _("Open an incident")
    intro = _(
        "While an incident is open, switches over everything need no second person. Nothing else changes by it."
    )
    confirms = False
    actions = None
    list_display = ("reason", "state", "opened_by", "opened", "closed_by", "closed")
    list_select_related = ("opened_by", "closed_by")
    fields = ("reason", "state", "opened_by", "opened", "closed_by", "closed", "its_switches")
    readonly_fields = ("state", "opened", "closed", "its_switches")

    opened = moment_column("opened_at", _("opened"))
    closed = moment_column("closed_at", _("closed"))

    @admin.display(description=_("state"))
    def state(self, incident: Incident) -> str:
        return badge(_("closed")) if incident.closed_at else badge(_("open"), Tone.DANGER)

    @admin.display(description=_("switches set in it"))
    def its_switches(self, incident: Incident) -> str:
        return ", ".join(str(switch.pk) for switch in incident.switches.order_by("pk")) or "–"

    def may_act(self, request: HttpRequest, act: Act) -> bool:
        return super().may_act(request, act) and self.is_in_reach(request)

    def perform(self, request: HttpRequest, form: IncidentForm) -> HttpResponse:
        reason = form.cleaned_data["reason"]
        incident = incidents.open_incident(by=person(request), reason=reason, now=timezone.now())
        return self.done(request, gettext("The incident is open."), incident)

    def empty_state(self) -> EmptyState:
        return EmptyState(
            title=_("No incident yet"),
            text=_("In an incident, one person alone may switch things off for everybody."),
        )
