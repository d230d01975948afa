from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from audit.staff.base import EmptyState, StaffAdmin
from audit.staff.history import HistoryAdmin
from audit.staff.scope import SITE_WIDE
from conversations import scopes
from conversations.admin.base import person
from conversations.models import StaffScope


@admin.register(StaffScope)
class StaffScopeAdmin(HistoryAdmin, StaffAdmin):
    tenant_path = SITE_WIDE
    list_display = ("user", "tenant_names")
    list_select_related = ("user",)
    list_fullwidth = False
    search_fields = ("user__username__exact", "user__username__icontains", "tenants__name__icontains")
    search_help_text = _("Part of a user's or of a tenant's name.")
    fields = ("user", "tenants")
    autocomplete_fields = ("user", "tenants")
    warn_unsaved_form = True

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("tenants")

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return ("user",) if obj else ()

    @admin.display(description=_("sees only"))
    def tenant_names(self, scope: StaffScope) -> str:
        return ", ".join(tenant.name for tenant in scope.tenants.all()) or str(_("nothing"))

    def save_model(
        self, request: HttpRequest, obj: StaffScope, form: ModelForm[StaffScope], change: bool
    ) -> None:
        scopes.narrow(obj, tenants=form.cleaned_data["tenants"], by=person(request), now=timezone.now())

    def save_related(self, *args: Any) -> None:
        """Its tenants were saved with it."""

    def delete_model(self, request: HttpRequest, obj: StaffScope) -> None:
        scopes.lift(obj, by=person(request), now=timezone.now())

    def delete_queryset(self, request: HttpRequest, queryset: Iterable[StaffScope]) -> None:
        for scope in queryset:
            scopes.lift(scope, by=person(request), now=timezone.now())

    def empty_state(self) -> EmptyState:
        return EmptyState(
            title=_("Everybody sees all tenants"),
            text=_(
                "Add a scope to narrow a member of staff to some tenants. Superusers always see all of them."
            ),
        )
