from datetime import datetime
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from audit.staff.acts import Act, ActingAdmin
from audit.staff.base import EmptyState
from audit.staff.history import HistoryAdmin
from audit.staff.show import Tone, address, badge, code, moment_column
from conversations.access import tenant_ids
from pipeline.admin.asking import AskingAdmin, AskingForm, person, person_named, seen_tenants
from pipeline.admin.ending import EndingForm
from pipeline.controls import keys
from pipeline.models import ApiKey, ApiScope


def _revoke(ids: list[Any], *, by: str, reason: str, now: datetime) -> int:
    return keys.revoke_keys(ids, by=person_named(by), reason=reason, now=now)


def _to_revoke(number: int) -> str:
    text = ngettext(
        "%(count)d key opens nothing from now on. This cannot be undone.",
        "%(count)d keys open nothing from now on. This cannot be undone.",
        number,
    )
    return text % {"count": number}


def _revoked(number: int) -> str:
    return ngettext("%(count)d key revoked.", "%(count)d keys revoked.", number) % {"count": number}


REVOKE = Act(
    name="revoke",
    title=_("Revoke"),
    icon="key_off",
    possible=lambda rows: rows.filter(revoked_at__isnull=True),
    refusal=_("It is revoked already."),
    announcement=_to_revoke,
    done=_revoked,
    perform=_revoke,
    tone=Tone.WARNING,
)


class KeyForm(AskingForm, EndingForm):
    name = forms.CharField(
        label=_("Name"),
        max_length=100,
        widget=UnfoldAdminTextInputWidget,
        help_text=_("Which script uses it, and where."),
    )
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"), choices=ApiScope.choices, widget=UnfoldAdminCheckboxSelectMultipleWidget
    )
    tenant = forms.ModelChoiceField(
        ApiKey.objects.none(), label=_("Tenant"), required=False, widget=UnfoldAdminSelectWidget
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, user=user, **kwargs)
        tenant = self.fields["tenant"]
        assert isinstance(tenant, forms.ModelChoiceField)
        tenant.queryset = seen_tenants(user)
        if tenant_ids(user) is None:
            tenant.empty_label = gettext("all that you may reach")
        else:
            tenant.required, tenant.empty_label = True, None


@admin.register(ApiKey)
class ApiKeyAdmin(ActingAdmin, HistoryAdmin, AskingAdmin):
    tenant_path = "tenant"
    acts = (REVOKE,)
    asking_form = KeyForm
    asks = _("Create an API key")
    intro = _("A script that bears the key acts in your name, as far as you may and as far as its scopes go.")
    confirms = False
    list_display = (
        "name",
        "shown_prefix",
        "state",
        "may",
        "over",
        "created_by",
        "created",
        "used",
        "expires",
    )
    list_select_related = ("tenant", "created_by")
    search_fields = ("prefix__exact", "name__icontains")
    search_help_text = _("How it begins, or part of its name.")
    fields = (
        "name",
        "shown_prefix",
        "state",
        "may",
        "over",
        "created_by",
        "created",
        "used",
        "expires",
        "revoked",
    )
    readonly_fields = ("shown_prefix", "state", "may", "over", "created", "used", "expires", "revoked")

    created = moment_column("created_at", _("created"))
    used = moment_column("last_used_at", _("last used"))
    expires = moment_column("expires_at", _("expires"))
    revoked = moment_column("revoked_at", _("revoked"))

    @admin.display(description=_("begins with"))
    def shown_prefix(self, key: ApiKey) -> str:
        return code(f"{key.prefix}…")

    @admin.display(description=_("state"))
    def state(self, key: ApiKey) -> str:
        if key.revoked_at:
            return badge(_("revoked"))
        if key.expires_at and key.expires_at <= timezone.now():
            return badge(_("expired"))
        return badge(_("in use"), Tone.SUCCESS)

    @admin.display(description=_("may"))
    def may(self, key: ApiKey) -> str:
        known = dict(ApiScope.choices)
        return ", ".join(str(known.get(scope, scope)) for scope in key.scopes)

    @admin.display(description=_("for"))
    def over(self, key: ApiKey) -> str:
        return str(key.tenant or gettext("all that its maker may reach"))

    def perform(self, request: HttpRequest, form: KeyForm) -> HttpResponse:
        """The one page that shows the token; no browser keeps a page of the admin."""
        cleaned = form.cleaned_data
        made = keys.create_key(
            name=cleaned["name"],
            scopes=[ApiScope(scope) for scope in cleaned["scopes"]],
            tenant_id=cleaned["tenant"].pk if cleaned["tenant"] else None,
            expires_at=form.ends_at,
            by=person(request),
            now=timezone.now(),
        )
        context = self.admin_site.each_context(request) | {
            "title": gettext("The key %(name)s") % {"name": made.key.name},
            "opts": self.opts,
            "token": made.token,
            "address": address(made.key),
        }
        return TemplateResponse(request, "admin/pipeline/apikey/created.html", context)

    def empty_state(self) -> EmptyState:
        return EmptyState(title=_("No key yet"), text=_("A key lets a script set and lift switches."))
