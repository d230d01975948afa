"""django-q2's failed tasks, on a page like ours."""

from django.contrib import admin
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django_q.models import Failure, Schedule, Success

from audit.staff.base import EmptyState, ReadOnlyAdmin
from audit.staff.scope import SITE_WIDE
from audit.staff.show import moment_column

# We schedule nothing and keep no successes: empty lists would only ask questions.
admin.site.unregister([Failure, Schedule, Success])


@admin.register(Failure)
class FailureAdmin(ReadOnlyAdmin):
    tenant_path = SITE_WIDE
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
