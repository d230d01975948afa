"""Rows for tests: each function makes one that satisfies every constraint; say only what the test is about.

`fill` makes many rows fast, for pages and queries that must not grow with history.
"""

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.core.files.base import ContentFile
from django.utils import timezone

from conversations.models import (
    Agent,
    Attachment,
    AuthorKind,
    CannedReply,
    Channel,
    ChannelKind,
    Contact,
    Conversation,
    Delivery,
    Direction,
    Message,
    Note,
    Owner,
    Session,
    StaffScope,
    Tenant,
)
from pipeline.models import (
    UNFINISHED,
    ApiKey,
    ApiScope,
    BlocklistEntry,
    BlocklistKind,
    Breaker,
    BreakerState,
    Capability,
    EventKind,
    EventStatus,
    Incident,
    Mailbox,
    Outcome,
    ProcessedEvent,
    Step,
    StepKind,
    StepStatus,
    Switch,
    SwitchAction,
    SwitchScope,
    SwitchStatus,
    Turn,
    TurnStatus,
    Worker,
    WorkerKind,
)
from review import groups
from review.models import APPROVALS, Presence, ReviewItem, ReviewKind

PASSWORD = "correct horse battery staple"
SIGNING_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAbCdEf01"
CREDENTIALS: dict[str, dict[str, str]] = {
    ChannelKind.WHATSAPP_CLOUD: {
        "app_secret": "an-app-secret",
        "verify_token": "a-verify-token",
        "access_token": "an-access-token",
    },
    ChannelKind.HTTP: {"signing_secret": SIGNING_SECRET},
    ChannelKind.WAHA: {"api_key": "an-api-key", "hmac_key": "an-hmac-key"},
}
PHASES = (
    ("access_policy", 2),
    ("session_attach", 6),
    ("command_dispatch", 1),
    ("content_resolution", 1),
    ("context_assembly", 9),
    ("prompt_build", 2),
    ("agentic_loop", 1240),
    ("response_finalize", 1),
    ("persistence", 14),
    ("telemetry_emit", 2),
)
"""Each phase of a turn with its usual duration in ms."""

_numbers = count(1)


def user(*permissions: str, username: str = "", is_staff: bool = True, is_superuser: bool = False) -> User:
    """`permissions` are codenames, such as "view_turn"."""
    made = User.objects.create_user(
        username or f"user{next(_numbers)}", password=PASSWORD, is_staff=is_staff, is_superuser=is_superuser
    )
    made.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return made


def superuser() -> User:
    return user(is_superuser=True)


def member(role: str, **fields: Any) -> User:
    """Staff in one of the groups that come with Zupa."""
    groups.establish()  # tests that commit have the tables emptied
    made = user(**fields)
    made.groups.add(Group.objects.get(name=role))
    return made


def staff_scope(of: User, *tenants: Tenant) -> StaffScope:
    """Narrows the user to these tenants."""
    made = StaffScope.objects.create(user=of)
    made.tenants.set(tenants)
    return made


def scoped_user(*tenants: Tenant, permissions: tuple[str, ...] = (), **fields: Any) -> User:
    """Staff that see these tenants alone."""
    made = user(*permissions, **fields)
    staff_scope(made, *tenants)
    return made


def tenant(**fields: Any) -> Tenant:
    number = next(_numbers)
    return Tenant.objects.create(**{"slug": f"tenant-{number}", "name": f"Tenant {number}"} | fields)


def agent(**fields: Any) -> Agent:
    fields["tenant"] = fields.get("tenant") or tenant()
    defaults = {
        "name": f"Agent {next(_numbers)}",
        "prompt_template": "You are $agent_name of $tenant_name. Answer in $language.",
    }
    return Agent.objects.create(**defaults | fields)


def channel(**fields: Any) -> Channel:
    """A WhatsApp channel, unless `kind` says otherwise; its agent brings the tenant."""
    fields["agent"] = fields.get("agent") or agent()
    kind = fields.setdefault("kind", ChannelKind.WHATSAPP_CLOUD)
    number = next(_numbers)
    defaults = {
        "tenant": fields["agent"].tenant,
        "slug": f"channel-{number}",
        "external_id": str(100_000_000_000 + number),
        "credentials": CREDENTIALS[kind],
    }
    return Channel.objects.create(**defaults | fields)


def contact(**fields: Any) -> Contact:
    fields["channel"] = fields.get("channel") or channel()
    number = next(_numbers)
    defaults = {
        "tenant": fields["channel"].tenant,
        "address": str(5_511_900_000_000 + number),
        "name": f"Contact {number}",
        "created_at": timezone.now(),
    }
    return Contact.objects.create(**defaults | fields)


def conversation(**fields: Any) -> Conversation:
    door = fields.pop("channel", None)
    who = fields["contact"] = fields.get("contact") or contact(channel=door)
    now = timezone.now()
    defaults = {"tenant": who.tenant, "channel": who.channel, "created_at": now, "last_message_at": now}
    if fields.get("owner"):
        defaults |= {"owner_kind": Owner.PERSON, "owned_since": now, "owner_active_at": now}
    return Conversation.objects.create(**defaults | fields)


def session(**fields: Any) -> Session:
    fields["conversation"] = fields.get("conversation") or conversation()
    now = timezone.now()
    return Session.objects.create(**{"started_at": now, "last_activity_at": now} | fields)


def message(**fields: Any) -> Message:
    """Said by the contact; `outbound` makes what we say."""
    fields["conversation"] = fields.get("conversation") or conversation()
    return Message.objects.create(**_message_defaults(fields["conversation"]) | fields)


def outbound(**fields: Any) -> Message:
    """Said by the agent, waiting in the outbox unless `delivery` says otherwise."""
    defaults = {
        "direction": Direction.OUT,
        "author_kind": AuthorKind.AGENT,
        "text": "Your order is on its way.",
        "idempotency_key": uuid.uuid4(),
        "delivery": Delivery.QUEUED,
    }
    return message(**defaults | fields)


def _message_defaults(where: Conversation) -> dict[str, Any]:
    return {
        "channel_id": where.channel_id,
        "direction": Direction.IN,
        "author_kind": AuthorKind.CONTACT,
        "text": "Where is my order?",
        "created_at": timezone.now(),
    }


def note(**fields: Any) -> Note:
    fields["conversation"] = fields.get("conversation") or conversation()
    fields["author"] = fields.get("author") or user()
    return Note.objects.create(**{"text": "She called yesterday.", "created_at": timezone.now()} | fields)


def attachment(**fields: Any) -> Attachment:
    """A PNG that lies in the storage."""
    content = ContentFile(b"\x89PNG\r\n\x1a\n pixels", name="photo.png")
    fields["conversation"] = fields.get("conversation") or conversation()
    fields["created_by"] = fields.get("created_by") or user()
    defaults = {
        "file": content,
        "name": "photo.png",
        "mime_type": "image/png",
        "size_bytes": content.size,
        "sha256": "0" * 64,
        "created_at": timezone.now(),
    }
    return Attachment.objects.create(**defaults | fields)


def presence(**fields: Any) -> Presence:
    """A browser that was heard of just now."""
    fields["conversation"] = fields.get("conversation") or conversation()
    fields["user"] = fields.get("user") or user()
    return Presence.objects.create(
        **{"socket": f"socket-{next(_numbers)}", "seen_at": timezone.now()} | fields
    )


def event(**fields: Any) -> ProcessedEvent:
    """Not answered yet; an `outcome` makes it done. `conversation=None` is an event of nobody."""
    if "conversation" not in fields:
        fields["conversation"] = conversation(channel=fields.get("channel"))
    if "channel" not in fields:
        fields["channel"] = fields["conversation"].channel if fields["conversation"] else channel()
    fields.setdefault("tenant", fields["channel"].tenant)
    now = timezone.now()
    defaults = _event_defaults(next(_numbers), now)
    if fields.get("outcome"):
        defaults |= {"status": EventStatus.DONE, "done_at": fields.get("received_at", now)}
    return ProcessedEvent.objects.create(**defaults | fields)


def _event_defaults(number: int, now: datetime) -> dict[str, Any]:
    return {
        "dedupe_key": f"wamid.{number}",
        "fingerprint": f"{number:064x}",
        "kind": EventKind.MESSAGE,
        "payload": {"id": f"wamid.{number}", "type": "text", "text": {"body": "Where is my order?"}},
        "request_id": f"request-{number}",
        "received_at": now,
        "status": EventStatus.RECEIVED,
    }


def mailbox(**fields: Any) -> Mailbox:
    fields["conversation"] = fields.get("conversation") or conversation()
    fields.setdefault("tenant", fields["conversation"].tenant)
    return Mailbox.objects.create(**fields)


def leased_mailbox(**fields: Any) -> Mailbox:
    now = timezone.now()
    held = {"lease_owner": "worker-1", "lease_epoch": 1, "lease_expires_at": now + timedelta(seconds=30)}
    return mailbox(**{"due_at": now} | held | fields)


def turn(**fields: Any) -> Turn:
    """Succeeded, with every phase timed; another `status` leaves out what does not fit it."""
    fields["conversation"] = fields.get("conversation") or conversation()
    status = fields.setdefault("status", TurnStatus.SUCCEEDED)
    started = fields.setdefault("started_at", timezone.now())
    defaults: dict[str, Any] = {
        "request_id": f"request-{next(_numbers)}",
        "policy_version": _policy_version(fields["conversation"]),
        "seed": 1,
        "lease_epoch": 1,
        "attempts": 1,
        "phases": phases(),
    }
    if status not in UNFINISHED:
        defaults["finished_at"] = started + timedelta(milliseconds=sum(ms for _, ms in PHASES))
    if status == TurnStatus.FAILED:
        defaults |= {
            "error_code": "model.timeout",
            "error_detail": "No answer within 30 s.",
            "phase": "agentic_loop",
        }
    return Turn.objects.create(**defaults | fields)


def phases() -> list[dict[str, Any]]:
    """All phases, one after the other, as the runner records them."""
    return list(_phases())


def _phases() -> Iterator[dict[str, Any]]:
    started_ms = 0
    for name, duration_ms in PHASES:
        yield {"name": name, "started_ms": started_ms, "duration_ms": duration_ms}
        started_ms += duration_ms


def _policy_version(where: Conversation) -> int:
    newest = where.channel.agent.history.values_list("history_id", flat=True).first()
    return int(newest or 0)


def step(**fields: Any) -> Step:
    """A model call that succeeded, unless the fields say otherwise."""
    fields["turn"] = fields.get("turn") or turn()
    started = fields.setdefault("started_at", fields["turn"].started_at + timedelta(milliseconds=25))
    status = fields.setdefault("status", StepStatus.SUCCEEDED)
    defaults: dict[str, Any] = {
        "key": f"model:{next(_numbers)}",
        "kind": StepKind.MODEL,
        "name": "gpt-4.1-mini",
        "idempotency_key": uuid.uuid4(),
        "is_idempotent": True,
        "request": {"messages": [{"role": "user", "content": "Where is my order?"}]},
    }
    if status == StepStatus.SUCCEEDED:
        defaults["response"] = {"content": "Your order is on its way.", "usage": {"total_tokens": 120}}
    if status in (StepStatus.SUCCEEDED, StepStatus.FAILED):
        defaults["finished_at"] = started + timedelta(milliseconds=600)
    return Step.objects.create(**defaults | fields)


def worker(**fields: Any) -> Worker:
    """An executor that was seen just now."""
    now = timezone.now()
    defaults = {
        "name": f"host-1:{next(_numbers)}",
        "kind": WorkerKind.EXECUTOR,
        "cluster": "host-1",
        "host": "host-1",
        "pid": 4242,
        "started_at": now,
        "seen_at": now,
    }
    return Worker.objects.create(**defaults | fields)


def breaker(**fields: Any) -> Breaker:
    """Closed, unless `state` says otherwise."""
    if fields.get("state", BreakerState.CLOSED) != BreakerState.CLOSED:
        fields.setdefault("opened_at", timezone.now())
    return Breaker.objects.create(
        **{"name": f"model:{next(_numbers)}", "threshold": 5, "rest_s": 30.0} | fields
    )


def review_item(**fields: Any) -> ReviewItem:
    """A reply that waits for approval, unless `kind` says otherwise."""
    kind = fields.setdefault("kind", ReviewKind.REPLY_APPROVAL)
    if kind in APPROVALS and "turn" not in fields:
        fields["turn"] = turn(
            status=TurnStatus.SUSPENDED, conversation=fields.get("conversation") or conversation()
        )
    if "conversation" not in fields:
        fields["conversation"] = fields["turn"].conversation if fields.get("turn") else conversation()
    now = timezone.now()
    number = next(_numbers)
    defaults = {
        "key": f"review-{number}",
        "fingerprint": f"{number:064x}",
        "tenant": fields["conversation"].tenant,
        "step_key": "reply:0:review" if kind in APPROVALS else "",
        "proposal": {"text": "Your order is on its way."},
        "why_code": "review.supervised",
        "context": {"agent": "Ana", "said": [{"role": "user", "text": "Where is my order?"}], "newer": []},
        "created_at": now,
        "due_at": now + timedelta(minutes=30),
    }
    return ReviewItem.objects.create(**defaults | fields)


def switch(**fields: Any) -> Switch:
    """Pauses the replies of one tenant, unless the fields say otherwise."""
    scope = fields.setdefault("scope", SwitchScope.TENANT)
    if scope == SwitchScope.TENANT:
        fields["tenant"] = fields.get("tenant") or tenant()
    now = timezone.now()
    defaults = {
        "capability": Capability.REPLIES,
        "action": SwitchAction.PAUSE,
        "reason": "The prices are wrong.",
        "status": SwitchStatus.ACTIVE,
        "requested_at": now,
    }
    fields["requested_by"] = fields.get("requested_by") or user()
    if fields.get("status", SwitchStatus.ACTIVE) == SwitchStatus.ACTIVE:
        defaults["active_since"] = now
    return Switch.objects.create(**defaults | fields)


def incident(**fields: Any) -> Incident:
    fields["opened_by"] = fields.get("opened_by") or user()
    return Incident.objects.create(**{"reason": "The model is down.", "opened_at": timezone.now()} | fields)


def blocklist_entry(**fields: Any) -> BlocklistEntry:
    """For all tenants, unless `tenant` says otherwise."""
    fields["created_by"] = fields.get("created_by") or user()
    defaults = {
        "kind": BlocklistKind.ADDRESS,
        "value": str(5_511_800_000_000 + next(_numbers)),
        "reason": "Spam.",
        "created_at": timezone.now(),
    }
    return BlocklistEntry.objects.create(**defaults | fields)


def api_key(**fields: Any) -> ApiKey:
    """One that opens nothing: nobody knows its token."""
    fields["created_by"] = fields.get("created_by") or user()
    defaults = {
        "name": "A script",
        "prefix": f"zk_{next(_numbers)}",
        "token_hash": "0" * 64,
        "scopes": [ApiScope.READ_SWITCHES],
        "created_at": timezone.now(),
    }
    return ApiKey.objects.create(**defaults | fields)


def canned_reply(**fields: Any) -> CannedReply:
    return CannedReply.objects.create(
        **{"shortcut": f"reply-{next(_numbers)}", "text": "Hello $contact_name!"} | fields
    )


CONVERSATIONS_A_FILL = 100
OUTCOMES = (Outcome.REPLIED,) * 7 + (Outcome.MERGED, Outcome.COMMAND, Outcome.FAILED)
BATCH = 5_000


def fill(rows: int, *, now: datetime | None = None) -> list[Conversation]:
    """`rows` answered events, each with turn, step and two messages, a second apart, the newest `now`."""
    end = now or timezone.now()
    where = _filled_conversations(min(rows, CONVERSATIONS_A_FILL) or 1)
    version = _policy_version(where[0])
    for start in range(0, rows, BATCH):
        _fill_batch(where, version, range(start, min(rows, start + BATCH)), end - timedelta(seconds=rows))
    return where


def _filled_conversations(number: int) -> list[Conversation]:
    door = channel()
    return [conversation(channel=door) for _ in range(number)]


def _fill_batch(where: list[Conversation], version: int, numbers: range, start: datetime) -> None:
    moments = [
        (where[n % len(where)], OUTCOMES[n % len(OUTCOMES)], start + timedelta(seconds=n + 1))
        for n in numbers
    ]
    turns = Turn.objects.bulk_create([_filled_turn(version, *moment) for moment in moments])
    Step.objects.bulk_create([_filled_step(turn) for turn in turns])
    ProcessedEvent.objects.bulk_create(
        [_filled_event(turn, outcome) for turn, (_, outcome, _at) in zip(turns, moments, strict=True)]
    )
    Message.objects.bulk_create([said for turn in turns for said in _filled_messages(turn)])


def _filled_turn(version: int, where: Conversation, outcome: Outcome, at: datetime) -> Turn:
    failed = outcome == Outcome.FAILED
    return Turn(
        conversation=where,
        request_id=uuid.uuid4().hex,
        policy_version=version,
        seed=1,
        lease_epoch=1,
        attempts=1,
        status=TurnStatus.FAILED if failed else TurnStatus.SUCCEEDED,
        error_code="model.timeout" if failed else "",
        started_at=at,
        finished_at=at + timedelta(seconds=1),
        phases=phases(),
        prompt_tokens=900,
        completion_tokens=80,
    )


def _filled_step(of: Turn) -> Step:
    return Step(
        turn=of,
        key="model:1",
        kind=StepKind.MODEL,
        name="gpt-4.1-mini",
        idempotency_key=uuid.uuid4(),
        is_idempotent=True,
        request={"messages": [{"role": "user", "content": "Where is my order?"}]},
        response={"content": "Your order is on its way."},
        status=StepStatus.SUCCEEDED,
        started_at=of.started_at,
        finished_at=of.finished_at,
    )


def _filled_event(of: Turn, outcome: Outcome) -> ProcessedEvent:
    defaults = _event_defaults(next(_numbers), of.started_at)
    done = {
        "status": EventStatus.DONE,
        "outcome": outcome,
        "outcome_code": of.error_code,
        "done_at": of.finished_at,
    }
    return ProcessedEvent(
        **defaults | done,
        tenant_id=of.conversation.tenant_id,
        channel_id=of.conversation.channel_id,
        conversation=of.conversation,
        turn=of,
    )


def _filled_messages(of: Turn) -> list[Message]:
    shared = _message_defaults(of.conversation) | {"created_at": of.started_at, "turn_id": of.pk}
    answer = shared | {
        "direction": Direction.OUT,
        "author_kind": AuthorKind.AGENT,
        "text": "Your order is on its way.",
        "idempotency_key": uuid.uuid4(),
        "provider_id": f"wamid.out.{uuid.uuid4().hex}",
        "delivery": Delivery.DELIVERED,
        "attempts": 1,
        "sent_at": of.finished_at,
        "delivered_at": of.finished_at,
    }
    return [Message(conversation=of.conversation, **shared), Message(conversation=of.conversation, **answer)]
