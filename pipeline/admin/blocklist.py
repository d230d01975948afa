from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from audit.staff.acts import Act, ActingAdmin
from audit.staff.base import EmptyState
from audit.staff.history import HistoryAdmin
from audit.staff.show import Tone, badge, code, moment_column
from conversations.access import tenant_ids
from pipeline.admin.asking import AskingAdmin, AskingForm, person, person_named, seen_tenants
from pipeline.admin.ending import EndingForm
from pipeline.controls import blocking, blocklist, queries
from pipeline.controls.blocking import Unwanted
from pipeline.controls.concerned import COUNTED_UP_TO
from pipeline.models import BlocklistEntry, BlocklistKind

EXAMPLES = {
    BlocklistKind.ADDRESS: _("exactly this address"),
    BlocklistKind.PREFIX: _("addresses that begin so"),
    BlocklistKind.PATTERN: _("addresses that match this regular expression, such as ^5511.*00$"),
}


def _unblock(ids: list[Any], *, by: str, reason: str, now: datetime) -> int:
    return blocking.unblock(ids, by=person_named(by), reason=reason, now=now)


def _to_unblock(number: int) -> str:
    text = ngettext(
        "%(count)d entry ends: whom it names is answered again.",
        "%(count)d entries end: whom they name is answered again.",
        number,
    )
    return text % {"count": number}


def _unblocked(number: int) -> str:
    return ngettext("%(count)d entry ended.", "%(count)d entries ended.", number) % {"count": number}


UNBLOCK = Act(
    name="unblock",
    title=_("Unblock"),
    icon="person_check",
    possible=lambda rows: rows.filter(ended_at__isnull=True),
    refusal=_("It has ended already."),
    announcement=_to_unblock,
    done=_unblocked,
    perform=_unblock,
)


class BlockForm(AskingForm, EndingForm):
    kind = forms.ChoiceField(label=_("Whom"), choices=list(EXAMPLES.items()), widget=UnfoldAdminSelectWidget)
    value = forms.CharField(
        label=_("Address, its beginning, or pattern"),
        max_length=blocklist.LONGEST,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("As contacts' pages show addresses: a phone number has digits only."),
    )
    tenant = forms.ModelChoiceField(
        BlocklistEntry.objects.none(), label=_("Tenant"), required=False, widget=UnfoldAdminSelectWidget
    )
    reason = forms.CharField(
        label=_("Reason"), max_length=500, widget=UnfoldAdminTextareaWidget(attrs={"rows": 2})
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, user=user, **kwargs)
        tenant = self.fields["tenant"]
        assert isinstance(tenant, forms.ModelChoiceField)
        tenant.queryset = seen_tenants(user)
        if tenant_ids(user) is None:
            tenant.empty_label = gettext("all tenants")
        else:
            tenant.required, tenant.empty_label = True, None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("kind") and cleaned.get("value"):
            refusal = blocklist.refusal(BlocklistKind(cleaned["kind"]), cleaned["value"])
            if refusal:
                self.add_error("value", refusal)
        return cleaned

    def unwanted(self) -> Unwanted:
        tenant = self.cleaned_data["tenant"]
        return Unwanted(
            kind=BlocklistKind(self.cleaned_data["kind"]),
            value=self.cleaned_data["value"],
            reason=self.cleaned_data["reason"],
            tenant_id=tenant.pk if tenant else None,
            expires_at=self.ends_at,
        )


@admin.register(BlocklistEntry)
class BlocklistEntryAdmin(ActingAdmin, HistoryAdmin, AskingAdmin):
    tenant_path = "tenant"
    acts = (UNBLOCK,)
    asking_form = BlockForm
    asking_template = "admin/pipeline/blocklistentry/block.html"
    asks = _("Block contacts")
    intro = _(
        "No agent answers whom an entry names. Their messages are recorded; a person may still read them."
        " Blocking one address ends its open session."
    )
    list_display = ("shown_value", "kind", "over", "state", "reason", "created_by", "created", "expires")
    list_select_related = ("tenant", "created_by")
    list_filter = (("kind", ChoicesDropdownFilter),)
    search_fields = ("value__exact", "value__startswith", "reason__icontains")
    search_help_text = _("Its beginning, or part of the reason.")
    fields = (
        "shown_value",
        "kind",
        "over",
        "state",
        "reason",
        "created_by",
        "created",
        "expires",
        "ended",
        "ended_by",
    )
    readonly_fields = ("shown_value", "over", "state", "created", "expires", "ended")

    created = moment_column("created_at", _("since"))
    expires = moment_column("expires_at", _("until"))
    ended = moment_column("ended_at", _("ended"))

    @admin.display(description=_("value"))
    def shown_value(self, entry: BlocklistEntry) -> str:
        return code(entry.value)

    @admin.display(description=_("for"))
    def over(self, entry: BlocklistEntry) -> str:
        return str(entry.tenant or gettext("all tenants"))

    @admin.display(description=_("state"))
    def state(self, entry: BlocklistEntry) -> str:
        if entry.ended_at or (entry.expires_at and entry.expires_at <= timezone.now()):
            return badge(_("ended"))
        return badge(_("in force"), Tone.WARNING)

    def preview(self, form: BlockForm) -> dict[str, Any]:
        unwanted = form.unwanted()
        caught = queries.would_have_caught(
            unwanted.kind, unwanted.value, unwanted.tenant_id, now=timezone.now()
        )
        return {
            "caught": caught,
            "most": COUNTED_UP_TO,
            "value": unwanted.value,
            "whom": EXAMPLES[unwanted.kind],
            "over": form.cleaned_data["tenant"] or gettext("all tenants"),
            "reason": unwanted.reason,
            "ends_at": unwanted.expires_at,
        }

    def perform(self, request: HttpRequest, form: BlockForm) -> HttpResponse:
        entry = blocking.block(form.unwanted(), by=person(request), now=timezone.now())
        return self.done(request, gettext("Blocked from the next message on."), entry)

    def empty_state(self) -> EmptyState:
        return EmptyState(
            title=_("Nobody is blocked"), text=_("An entry names contacts that no agent answers.")
        )
