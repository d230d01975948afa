"""Which rows a member of staff sees in the admin.

This app knows no tenants: `settings.STAFF_TENANTS` names the function that says which of them somebody sees, and each
admin class says in `tenant_path` how to get from a row to its tenant.
"""

from typing import Any

from django.conf import settings
from django.contrib.admin.exceptions import NotRegistered
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Field, ForeignKey, Model, QuerySet
from django.forms import ModelChoiceField
from django.http import HttpRequest
from django.utils.module_loading import import_string
from unfold.admin import ModelAdmin

SITE_WIDE = ""
"""The `tenant_path` of what is of the machine as a whole: only who sees all tenants sees it at all."""


def tenants_of(request: HttpRequest) -> frozenset[int] | None:
    """None for all of them."""
    seen: frozenset[int] | None = import_string(settings.STAFF_TENANTS)(request.user)
    return seen


class ScopedAdmin(ModelAdmin):
    """Shows rows of the visitor's tenants, and offers those alone wherever one is chosen.

    `tenant_path` is the lookup from a row to its tenant (`conversation__tenant`), or `SITE_WIDE`. A row whose tenant
    is empty belongs to all, and is left to those who see all.
    """

    tenant_path: str

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        if not hasattr(self, "tenant_path"):
            raise ImproperlyConfigured(
                f"{type(self).__name__} must say in `tenant_path` how to get from a row to its tenant, "
                "or that it is SITE_WIDE (audit/staff/scope.py)."
            )

    def is_in_reach(self, request: HttpRequest) -> bool:
        """Whether somebody who sees these tenants alone has any business here."""
        return self.tenant_path != SITE_WIDE or tenants_of(request) is None

    def narrowed(self, rows: QuerySet[Any], request: HttpRequest) -> QuerySet[Any]:
        """Those of the rows that the visitor sees. Of this model, or of its history."""
        seen = tenants_of(request)
        if seen is None:
            return rows
        return rows.filter(**{f"{self.tenant_path}__in": seen}) if self.tenant_path else rows.none()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return self.narrowed(super().get_queryset(request), request)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return super().has_module_permission(request) and self.is_in_reach(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_view_permission(request, obj) and self.is_in_reach(request)

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return super().has_add_permission(request, *args) and self.is_in_reach(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_change_permission(request, obj) and self.is_in_reach(request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_delete_permission(request, obj) and self.is_in_reach(request)

    def get_field_queryset(
        self, db: str | None, db_field: Field[Any, Any], request: HttpRequest
    ) -> QuerySet[Any] | None:
        """A form offers the records that the visitor sees on their own pages."""
        choices: QuerySet[Any] | None = super().get_field_queryset(db, db_field, request)
        model: type[Model] = db_field.remote_field.model  # type: ignore[union-attr]  # it is a relation
        return visible_choices(self, model, request, choices)

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField[Any] | None:
        """What has no tenant is for all of them: not for somebody to make who sees only some."""
        field: ModelChoiceField[Any] | None = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if field and db_field.name == self.tenant_path and tenants_of(request) is not None:
            field.required = True
        return field


def visible_choices(
    asking: ModelAdmin, model: type[Model], request: HttpRequest, choices: QuerySet[Any] | None = None
) -> QuerySet[Any] | None:
    """`choices`, or else all records of the model, as far as the model's own pages show them to the visitor."""
    try:
        pages = asking.admin_site.get_model_admin(model)
    except NotRegistered:
        return choices
    if not isinstance(pages, ScopedAdmin):
        return choices
    return pages.narrowed(model._default_manager.all() if choices is None else choices, request)
