"""Two customers of one installation: whatever belongs to the second one, or to the whole machine, bears its mark."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.contrib.auth.models import Group
from django.db.models import Model
from django.utils import timezone
from django_q.models import Failure, Task

from audit.models import ActorKind, AuditEntry
from audit.operations import Fact, record
from conversations.models import (
    Attachment,
    CannedReply,
    Conversation,
    Note,
    StaffScope,
)
from pipeline.models import (
    ApiKey,
    BlocklistEntry,
    Breaker,
    HousekeepingRun,
    Incident,
    QueuedTask,
    Switch,
    Worker,
)
from review.models import Presence, ReviewItem
from tests import factories

BEGINNING = "zzsecret"
"""What one searches for: an answer that repeats the search does not bear the whole mark."""
MARK = f"{BEGINNING}zz"

Records = dict[type[Model], Any]


@dataclass(frozen=True, kw_only=True)
class World:
    """One record of each model. `ours` has none of what is of the whole machine."""

    ours: Records = field(default_factory=lambda: customer("ours"))
    theirs: Records = field(default_factory=lambda: customer(MARK) | machine(MARK))


def customer(mark: str) -> Records:
    """All that belongs to one tenant; each record has the mark in whatever people read of it."""
    tenant = factories.tenant(name=f"Tenant {mark}", slug=f"tenant-{mark}")
    agent = factories.agent(tenant=tenant, name=f"Agent {mark}", prompt_template=f"You are {mark}.")
    channel = factories.channel(
        agent=agent, slug=f"channel-{mark}", paused_at=timezone.now(), paused_reason=mark
    )
    contact = factories.contact(channel=channel, name=f"Contact {mark}", address=f"55-{mark}")
    conversation = factories.conversation(contact=contact)
    records: Records = {type(each): each for each in (tenant, agent, channel, contact, conversation)}
    records |= _talk(conversation, mark)
    return records | {model: make(conversation, mark) for model, make in OF_CONVERSATION.items()}


def _talk(conversation: Conversation, mark: str) -> Records:
    turn = factories.turn(
        conversation=conversation, status="failed", error_detail=mark, error_code=f"x.{mark}"
    )
    factories.message(conversation=conversation, turn_id=turn.pk, text=f"I ask {mark}")
    message = factories.outbound(
        conversation=conversation,
        turn_id=turn.pk,
        text=f"I answer {mark}",
        delivery="unknown",
        error_code=mark,
    )
    event = factories.event(
        conversation=conversation, turn=turn, outcome="failed", outcome_code=mark, dedupe_key=f"wamid.{mark}"
    )
    step = factories.step(turn=turn, name=f"tool-{mark}", request={"asks": mark}, response={"says": mark})
    session = factories.session(conversation=conversation, summary=f"They said {mark}")
    mailbox = factories.leased_mailbox(conversation=conversation, lease_owner=f"worker-{mark}")
    return {type(each): each for each in (turn, message, event, step, session, mailbox)}


def machine(mark: str) -> Records:
    """All that is of the machine as a whole."""
    now, person = timezone.now(), factories.user(username=f"user-{mark}")
    task = {"id": "f" * 32, "func": "pipeline.tasks.drain", "started": now, "stopped": now, "success": False}
    return {
        Breaker: factories.breaker(state="open", reason=mark),
        Failure: Failure.objects.get(pk=Task.objects.create(name=f"task-{mark}", result=mark, **task).pk),
        Group: Group.objects.create(name=f"group-{mark}"),
        HousekeepingRun: HousekeepingRun.objects.create(started_at=now, error=mark),
        Incident: factories.incident(reason=mark, opened_by=person),
        QueuedTask: QueuedTask.objects.create(queue="zupa", coalesce_key=mark, payload=mark),
        StaffScope: factories.staff_scope(person),
        Worker: factories.worker(host=f"host-{mark}", cluster=f"cluster-{mark}"),
        type(person): person,
    }


def _audit_entry(conversation: Conversation, mark: str) -> AuditEntry:
    fact = Fact(
        action="agent.changed",
        object_type="agent",
        object_id=1,
        actor_kind=ActorKind.PERSON,
        actor=f"actor-{mark}",
        reason=mark,
        ids={"tenant_id": conversation.tenant_id, "conversation_id": conversation.pk},
    )
    record(fact, now=timezone.now())
    return AuditEntry.objects.latest("id")


def _review_item(conversation: Conversation, mark: str) -> ReviewItem:
    return factories.review_item(
        kind="person_asked",
        conversation=conversation,
        key=f"person_asked:{mark}",
        proposal={"text": mark},
        why=mark,
        context={"agent": "Ana", "said": [{"role": "user", "text": mark}], "newer": []},
    )


def _switch(conversation: Conversation, mark: str) -> Switch:
    return factories.switch(tenant=conversation.tenant, reason=mark)


def _api_key(conversation: Conversation, mark: str) -> ApiKey:
    return ApiKey.objects.create(
        name=f"key-{mark}",
        tenant=conversation.tenant,
        prefix=mark,
        token_hash="0" * 64,
        created_by=factories.user(),
        created_at=timezone.now(),
    )


def _blocklist_entry(conversation: Conversation, mark: str) -> BlocklistEntry:
    return factories.blocklist_entry(tenant=conversation.tenant, value=f"66-{mark}", reason=mark)


def _note(conversation: Conversation, mark: str) -> Note:
    return Note.objects.create(
        conversation=conversation, author=factories.user(), text=mark, created_at=timezone.now()
    )


def _attachment(conversation: Conversation, mark: str) -> Attachment:
    return Attachment.objects.create(
        conversation=conversation,
        file=f"attachments/{mark}",
        name=f"{mark}.pdf",
        mime_type="application/pdf",
        size_bytes=1,
        sha256="0" * 64,
        created_by=factories.user(),
        created_at=timezone.now(),
    )


def _presence(conversation: Conversation, mark: str) -> Presence:
    user = factories.user(username=f"viewer-{mark}")
    return Presence.objects.create(
        socket=f"socket-{mark}", conversation=conversation, user=user, seen_at=timezone.now()
    )


def _canned_reply(conversation: Conversation, mark: str) -> CannedReply:
    return factories.canned_reply(tenant=conversation.tenant, shortcut=f"reply-{mark}", text=mark)


OF_CONVERSATION: dict[type[Model], Callable[[Conversation, str], Model]] = {
    ApiKey: _api_key,
    Attachment: _attachment,
    AuditEntry: _audit_entry,
    BlocklistEntry: _blocklist_entry,
    CannedReply: _canned_reply,
    Note: _note,
    Presence: _presence,
    ReviewItem: _review_item,
    Switch: _switch,
}
