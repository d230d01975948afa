"""The machinery itself: whose turn it is, who is alive, which wake-ups are on their way."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter

from audit.staff.base import EmptyState, ReadOnlyAdmin
from audit.staff.scope import SITE_WIDE
from audit.staff.show import Tone, badge, badge_column, link_column, moment_column
from pipeline.admin import tones
from pipeline.models import HousekeepingRun, Mailbox, QueuedTask, Worker
from pipeline.queries import WORKER_SILENCE


class LeaseFilter(DropdownFilter):
    title = _("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("leased", _("leased by a worker")), ("due", _("due"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "leased":
            return queryset.exclude(lease_owner="")
        return queryset.filter(due_at__isnull=False) if self.value() == "due" else queryset


@admin.register(Mailbox)
class MailboxAdmin(ReadOnlyAdmin):
    tenant_path = "tenant"
    list_display = ("thread", "due", "lease", "lease_epoch", "lease_ends")
    list_display_links = ("due",)
    list_select_related = ("conversation__contact",)
    list_filter = (LeaseFilter,)
    search_fields = ("conversation__id__exact", "conversation__contact__address__exact", "lease_owner__exact")
    search_help_text = _("Conversation number, the contact's address, or a worker's name.")
    fields = ("thread", "due", "lease", "lease_epoch", "lease_ends")
    readonly_fields = ("thread", "due", "lease", "lease_ends")

    thread = link_column("conversation", _("conversation"))
    due = moment_column("due_at", _("due"))
    lease_ends = moment_column("lease_expires_at", _("lease ends"))

    @admin.display(description=_("lease"))
    def lease(self, mailbox: Mailbox) -> str:
        return badge(mailbox.lease_owner, Tone.INFO) if mailbox.lease_owner else badge(_("free"))

    def empty_state(self) -> EmptyState:
        return EmptyState(text=_("Each conversation gets its mailbox with its first message."))


@admin.register(Worker)
class WorkerAdmin(ReadOnlyAdmin):
    tenant_path = SITE_WIDE
    list_display = (
        "name",
        "kind_badge",
        "life",
        "in_flight",
        "left_behind",
        "host",
        "pid",
        "started",
        "seen",
    )
    list_filter = (("kind", ChoicesDropdownFilter),)
    search_fields = ("name__exact", "host__exact", "cluster__exact", "name__icontains")
    search_help_text = _("Name, host or cluster.")
    fields = (
        "name",
        "kind_badge",
        "life",
        "cluster",
        "host",
        "pid",
        "in_flight",
        "left_behind",
        "started",
        "seen",
    )
    readonly_fields = ("kind_badge", "life", "started", "seen")

    kind_badge = badge_column("kind", _("kind"), tones.WORKER_KIND)
    started = moment_column("started_at", _("started"))
    seen = moment_column("seen_at", _("seen"))

    @admin.display(description=_("state"))
    def life(self, worker: Worker) -> str:
        alive = timezone.now() - worker.seen_at <= WORKER_SILENCE
        return badge(_("alive"), Tone.SUCCESS) if alive else badge(_("silent"), Tone.DANGER)

    def empty_state(self) -> EmptyState:
        return EmptyState(
            title=_("No worker has ever started"),
            text=_("Messages are accepted and wait. Start a worker: python manage.py worker."),
        )


@admin.register(QueuedTask)
class QueuedTaskAdmin(ReadOnlyAdmin):
    tenant_path = SITE_WIDE
    list_display = ("id", "queue", "coalesce_key", "created")
    search_fields = ("id__exact", "coalesce_key__exact")
    search_help_text = _("Number or coalesce key.")
    fields = ("queue", "coalesce_key", "created", "payload")
    readonly_fields = ("created",)

    created = moment_column("created_at", _("created"))

    def empty_state(self) -> EmptyState:
        return EmptyState(
            title=_("No wake-up is on its way"),
            text=_("That is the usual state: workers take wake-ups up within milliseconds."),
        )


@admin.register(HousekeepingRun)
class HousekeepingRunAdmin(ReadOnlyAdmin):
    tenant_path = SITE_WIDE
    list_display = ("started", "finished", "shown_counts", "error")
    fields = ("started", "finished", "shown_counts", "error")
    readonly_fields = ("started", "finished", "shown_counts")

    started = moment_column("started_at", _("started"))
    finished = moment_column("finished_at", _("finished"))

    @admin.display(description=_("done"))
    def shown_counts(self, run: HousekeepingRun) -> str:
        return ", ".join(f"{name} {number}" for name, number in run.counts.items() if number) or "–"

    def empty_state(self) -> EmptyState:
        return EmptyState(text=_("Housekeeping leaves a row for each of its runs."))
