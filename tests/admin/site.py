"""Every page of the admin, and a record for each kind of page."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django_q.models import Failure, Task

from audit.models import AuditEntry
from audit.operations import Fact, record
from audit.staff.base import ReadOnlyAdmin
from conversations.models import (
    Agent,
    Attachment,
    CannedReply,
    Channel,
    Contact,
    Conversation,
    Message,
    Note,
    Session,
    StaffScope,
    Tenant,
)
from pipeline.models import (
    ApiKey,
    BlocklistEntry,
    Breaker,
    HousekeepingRun,
    Incident,
    Mailbox,
    ProcessedEvent,
    QueuedTask,
    Step,
    Switch,
    Turn,
    Worker,
)
from review.models import ReviewItem
from tests import factories

MODELS: list[type[Model]] = sorted(admin.site._registry, key=lambda model: model._meta.label)
READ_ONLY = [model for model in MODELS if isinstance(admin.site._registry[model], ReadOnlyAdmin)]


def list_page(model: type[Model]) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")


def page(record: Model, kind: str = "change") -> str:
    return reverse(
        f"admin:{record._meta.app_label}_{record._meta.model_name}_{kind}", args=[quote(record.pk)]
    )


def view_permission(model: type[Model]) -> str:
    return f"view_{model._meta.model_name}"


def make(model: type[Model]) -> Any:
    """A record of the model."""
    return MAKERS[model]()


def _audit_entry() -> AuditEntry:
    record(Fact(action="agent.changed", object_type="agent", object_id=1), now=timezone.now())
    return AuditEntry.objects.latest("id")


def _failed_task() -> Failure:
    now = timezone.now()
    task = Task.objects.create(
        id="f" * 32, name="drain", func="pipeline.tasks.drain", started=now, stopped=now, success=False
    )
    return Failure.objects.get(pk=task.pk)


def _event() -> ProcessedEvent:
    turn = factories.turn()
    return factories.event(conversation=turn.conversation, turn=turn, outcome="replied")


def _turn() -> Turn:
    turn = _event().turn
    assert turn is not None
    factories.step(turn=turn)
    factories.message(conversation=turn.conversation, turn_id=turn.pk)
    factories.outbound(conversation=turn.conversation, turn_id=turn.pk)
    return turn


MAKERS: dict[type[Model], Callable[[], Model]] = {
    Agent: factories.agent,
    ApiKey: factories.api_key,
    Attachment: factories.attachment,
    AuditEntry: _audit_entry,
    BlocklistEntry: factories.blocklist_entry,
    Breaker: factories.breaker,
    CannedReply: factories.canned_reply,
    Channel: factories.channel,
    Contact: factories.contact,
    Conversation: factories.conversation,
    Failure: _failed_task,
    Group: lambda: Group.objects.create(name="reviewers"),
    HousekeepingRun: lambda: HousekeepingRun.objects.create(started_at=timezone.now(), counts={"emptied": 3}),
    Incident: factories.incident,
    Mailbox: factories.leased_mailbox,
    Message: factories.outbound,
    Note: factories.note,
    ProcessedEvent: _event,
    ReviewItem: factories.review_item,
    QueuedTask: lambda: QueuedTask.objects.create(queue="zupa", payload="-"),
    Session: factories.session,
    StaffScope: lambda: factories.staff_scope(factories.user(), factories.tenant()),
    Step: factories.step,
    Switch: factories.switch,
    Tenant: factories.tenant,
    Turn: _turn,
    User: factories.user,
    Worker: factories.worker,
}
