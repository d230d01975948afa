"""Pages of users and groups. Nobody makes or changes an account that may do more than themselves."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.db.models import ManyToManyField, Model, Q, QuerySet
from django.forms import ModelMultipleChoiceField
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelect2MultipleWidget

from audit.models import ActorKind
from audit.operations import Fact, record_all
from audit.staff.scope import SITE_WIDE, ScopedAdmin
from audit.staff.show import EMPTY, link
from conversations.models import StaffScope

SEARCHABLE_CHOICES: dict[Any, dict[str, Any]] = {
    ManyToManyField: {"widget": UnfoldAdminSelect2MultipleWidget}
}
SEARCHABLE_CLASSES = "unfold-admin-autocomplete admin-autocomplete"
"""By which unfold's script finds such a widget; its admin class takes them away again."""
Account = User | Group


def rights(account: Account) -> QuerySet[Permission]:
    """What was given to it, itself or by its groups; also while it is switched off."""
    if isinstance(account, Group):
        return account.permissions.all()
    return Permission.objects.filter(Q(user=account) | Q(group__user=account)).distinct()


def exceeds(account: Account, other: Any) -> bool:
    """Whether it may do something that the other may not."""
    if other.is_superuser:
        return False
    is_superuser = isinstance(account, User) and account.is_superuser
    return is_superuser or rights(account).exclude(pk__in=rights(other).values("pk")).exists()


def grantable(user: Any) -> tuple[QuerySet[Permission], QuerySet[Group]]:
    """The permissions that the user has, and the groups that give no others."""
    if user.is_superuser:
        return Permission.objects.all(), Group.objects.all()
    own = rights(user)
    beyond = Permission.objects.exclude(pk__in=own.values("pk"))
    return own, Group.objects.exclude(permissions__in=beyond)


class AccountAdmin(ScopedAdmin):
    """Of the machine as a whole. Each change leaves its entry in the audit trail, in its own transaction."""

    tenant_path = SITE_WIDE

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may = super().has_change_permission(request, obj)
        return may and (obj is None or not exceeds(obj, request.user))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may = super().has_delete_permission(request, obj)
        return may and (obj is None or not exceeds(obj, request.user))

    def formfield_for_manytomany(
        self, db_field: Any, request: HttpRequest, **kwargs: Any
    ) -> ModelMultipleChoiceField[Any] | None:
        permissions, groups = grantable(request.user)
        if db_field.remote_field.model is Permission:
            kwargs["queryset"] = permissions.select_related("content_type")
        elif db_field.remote_field.model is Group:
            kwargs["queryset"] = groups
        field: ModelMultipleChoiceField[Any] | None = super().formfield_for_manytomany(
            db_field, request, **kwargs
        )
        if field:
            field.widget.attrs["class"] = SEARCHABLE_CLASSES
        return field

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._record(request, [obj], "added")
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self._record(request, [obj], "changed", _changed(message))
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Any]) -> Any:
        self._record(request, queryset, "deleted")
        return super().log_deletions(request, queryset)

    def _record(
        self, request: HttpRequest, accounts: Iterable[Any], verb: str, fields: Iterable[str] = ()
    ) -> None:
        facts = [_fact(account, verb, request.user.get_username(), list(fields)) for account in accounts]
        record_all(facts, now=timezone.now())


def _changed(message: Any) -> list[str]:
    """What Django calls the fields that it logs as changed."""
    return [name for part in message for name in part.get("changed", {}).get("fields", ())]


def _fact(account: Account, verb: str, by: str, fields: list[str]) -> Fact:
    kind = "group" if isinstance(account, Group) else "account"
    return Fact(
        action=f"{kind}.{verb}",
        object_type=kind,
        object_id=account.pk,
        actor_kind=ActorKind.PERSON,
        actor=by,
        details={"name": str(account)} | ({"fields": fields} if fields else {}),
    )


admin.site.unregister([User, Group])


@admin.register(User)
class UserAdmin(AccountAdmin, DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]  # not generic at runtime
    filter_horizontal = ()
    formfield_overrides = SEARCHABLE_CHOICES
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = tuple(super().get_fieldsets(request, obj))
        if obj is None:
            return fieldsets
        return (*fieldsets[:-1], (_("What they see"), {"fields": ("tenants_seen",)}), fieldsets[-1])

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        """Only a superuser makes superusers."""
        return ("tenants_seen",) if request.user.is_superuser else ("tenants_seen", "is_superuser")

    @admin.display(description=_("tenants"))
    def tenants_seen(self, user: User) -> str:
        if user.is_superuser:
            return gettext("All of them, as every superuser.")
        scope = StaffScope.objects.filter(user=user).first()
        if scope:
            names = ", ".join(scope.tenants.values_list("name", flat=True)) or gettext("nothing")
            return link(scope, names)
        add = reverse("admin:conversations_staffscope_add")
        words = gettext("All of them. Narrow to some")
        return format_html('<a class="zupa-link" href="{}?user={}">{}</a>', add, user.pk, words) or EMPTY

    def user_change_password(self, *args: Any, **kwargs: Any) -> HttpResponse:
        with transaction.atomic():
            page: HttpResponse = super().user_change_password(*args, **kwargs)
        return page


@admin.register(Group)
class GroupAdmin(AccountAdmin, DjangoGroupAdmin, ModelAdmin):  # type: ignore[misc]  # its own narrows the argument
    filter_horizontal = ()
    formfield_overrides = SEARCHABLE_CHOICES
