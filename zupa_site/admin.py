"""Pages of other people's models, dressed as ours: users, groups, django-q2's failed tasks."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import ManyToManyField
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django_q.models import Failure, Schedule, Success
from unfold.admin import ModelAdmin
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelect2MultipleWidget

from audit.staff.base import EmptyState, ReadOnlyAdmin
from audit.staff.show import moment_column

SEARCHABLE_CHOICES: dict[Any, dict[str, Any]] = {
    ManyToManyField: {"widget": UnfoldAdminSelect2MultipleWidget}
}

# We schedule nothing and keep no successes: empty lists would only ask questions.
admin.site.unregister([User, Group, Failure, Schedule, Success])


@admin.register(User)
class UserAdmin(DjangoUserAdmin, ModelAdmin):  # type: ignore[type-arg]  # not generic at runtime
    filter_horizontal = ()
    formfield_overrides = SEARCHABLE_CHOICES
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class GroupAdmin(DjangoGroupAdmin, ModelAdmin):
    filter_horizontal = ()
    formfield_overrides = SEARCHABLE_CHOICES


@admin.register(Failure)
class FailureAdmin(ReadOnlyAdmin):
    list_display = ("name", "func", "began", "ended", "excerpt")
    search_fields = ("id__exact", "name__exact", "func__icontains")
    fields = ("name", "func", "cluster", "attempt_count", "began", "ended", "result")
    readonly_fields = ("began", "ended")

    began = moment_column("started", _("started"))
    ended = moment_column("stopped", _("ended"))

    @admin.display(description=_("result"))
    def excerpt(self, task: Failure) -> str:
        return Truncator(task.result or "").chars(100)

    def empty_state(self) -> EmptyState:
        return EmptyState(
            title=_("No task has failed"),
            text=_(
                "A task is only a wake-up: when one fails, the messages it would have woken are taken up by a sweep."
            ),
        )
