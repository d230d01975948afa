from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from audit.staff.base import EmptyState
from audit.staff.scope import tenants_of
from audit.staff.show import moment_column
from conversations.admin.base import ConfigurationAdmin
from conversations.models import Tenant


@admin.register(Tenant)
class TenantAdmin(ConfigurationAdmin):
    tenant_path = "id"
    list_display = ("name", "slug", "time_zone", "created")
    search_fields = ("slug__exact", "name__icontains")
    search_help_text = _("Slug, or part of the name.")
    fieldsets = (
        (None, {"fields": ("name", "slug", "time_zone", "created")}),
        (_("Limits"), {"fields": ("max_in_flight", "max_waiting", "max_waiting_per_conversation")}),
        (_("Retention"), {"fields": ("retention_days",)}),
    )
    readonly_fields = ("created",)
    prepopulated_fields = {"slug": ("name",)}

    created = moment_column("created_at", _("created"))

    def get_prepopulated_fields(self, request, obj=None):  # type: ignore[no-untyped-def]
        return {} if obj else self.prepopulated_fields

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        """Tenants come and go by the hand of who sees all of them."""
        return super().has_add_permission(request, *args) and tenants_of(request) is None

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_delete_permission(request, obj) and tenants_of(request) is None

    def empty_state(self) -> EmptyState:
        return EmptyState(
            title=_("No tenant yet"),
            text=_(
                "A tenant is a customer organisation: add one, then its agent, then a channel to reach it by."
            ),
        )
