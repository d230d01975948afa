"""Sessions: opened by use, closed with a reason; a closed one is summed up later, never while somebody waits."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F

from audit.compiled import Update, fetch, param
from audit.models import ActorKind
from audit.operations import Fact, record
from conversations.live import announce, conversation_topic
from conversations.models import EndReason, Session, SummaryStatus
from conversations.queries import minutes

USE_AGAIN = Update(
    lambda: Session.objects.filter(
        pk=param("session_id"), conversation_id=param("conversation_id"), ended_at__isnull=True
    ),
    last_activity_at=param("now"),
    turn_count=F("turn_count") + 1,
    prompt_tokens=F("prompt_tokens") + param("prompt_tokens"),
    completion_tokens=F("completion_tokens") + param("completion_tokens"),
)
USE = """
INSERT INTO conversations_session AS known (
    conversation_id, started_at, last_activity_at, turn_count, prompt_tokens, completion_tokens,
    end_reason, summary, summary_status
) VALUES (
    %(conversation_id)s, %(now)s, %(now)s, 1, %(prompt_tokens)s, %(completion_tokens)s, '', '', %(summary_status)s
)
ON CONFLICT (conversation_id) WHERE ended_at IS NULL DO UPDATE SET
    last_activity_at = excluded.last_activity_at,
    turn_count = known.turn_count + 1,
    prompt_tokens = known.prompt_tokens + excluded.prompt_tokens,
    completion_tokens = known.completion_tokens + excluded.completion_tokens
RETURNING id
"""
"""Where none is known to be open; finding one it uses up a number of the sequence, which `USE_AGAIN` does not."""


def use(
    *, session_id: int | None, conversation_id: int, prompt_tokens: int, completion_tokens: int, now: datetime
) -> int:
    """Count one turn on the session, or on a new one; its id. In the caller's transaction.

    Where it was closed since the turn began, or a person opened one, that which is open now is the one.
    """
    counted: dict[str, Any] = {
        "conversation_id": conversation_id,
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "now": now,
    }
    if session_id is not None and USE_AGAIN.execute(session_id=session_id, **counted):
        return session_id
    ((used_id,),) = fetch(USE, {**counted, "summary_status": SummaryStatus.NONE})
    return int(used_id)


def join(*, conversation_id: int, now: datetime) -> Session:
    """The open session, or a new one, for what a person says: no turn is counted. In a transaction as `use`'s."""
    session_id = _open_id(conversation_id)
    if session_id is None:
        return Session.objects.create(conversation_id=conversation_id, started_at=now, last_activity_at=now)
    Session.objects.filter(pk=session_id).update(last_activity_at=now)
    return Session(pk=session_id)


def _open_id(conversation_id: int) -> int | None:
    open_sessions = Session.objects.filter(conversation_id=conversation_id, ended_at__isnull=True)
    return open_sessions.values_list("pk", flat=True).first()


@transaction.atomic
def close_by_operator(*, session_ids: Collection[int], by: str, reason: str, now: datetime) -> int:
    """A person ends these sessions, and says why. Idempotent. Their number."""
    ended = [
        close(session_id=pk, reason=EndReason.OPERATOR, now=now, by=by, why=reason)
        for pk in sorted(session_ids)
    ]
    return sum(ended)


def close_of_blocked(*, address: str, tenant_id: int | None, by: str, reason: str, now: datetime) -> int:
    """Close what is open with a contact whom nobody is to answer any more, at one tenant or all. Their number.

    In the caller's transaction. Idempotent.
    """
    open_sessions = Session.objects.filter(ended_at__isnull=True, conversation__contact__address=address)
    if tenant_id is not None:
        open_sessions = open_sessions.filter(conversation__tenant_id=tenant_id)
    ids = open_sessions.order_by("pk").values_list("pk", flat=True)
    return sum(close(session_id=pk, reason=EndReason.POLICY, now=now, by=by, why=reason) for pk in ids)


def close(*, session_id: int, reason: EndReason, now: datetime, by: str = "", why: str = "") -> bool:
    """Idempotent; False if it was closed already. In the caller's transaction.

    `by` and `why`: the member of staff, if any, and their words.
    """
    open_session = Session.objects.filter(pk=session_id, ended_at__isnull=True)
    if not open_session.update(ended_at=now, end_reason=reason, summary_status=SummaryStatus.PENDING):
        return False
    whose = Session.objects.values_list("conversation_id", "conversation__tenant_id")
    conversation_id, tenant_id = whose.get(pk=session_id)
    fact = Fact(
        action="session.closed",
        object_type="session",
        object_id=session_id,
        actor_kind=ActorKind.PERSON if by else ActorKind.SYSTEM,
        actor=by,
        reason=why or reason,
        details={"end_reason": reason} if why else {},
        ids={"session_id": session_id, "conversation_id": conversation_id, "tenant_id": tenant_id},
    )
    record(fact, now=now)
    announce(conversation_topic(conversation_id))
    return True


def close_idle(*, now: datetime, limit: int) -> int:
    """Close up to `limit` open sessions whose agent's idle time is over, longest idle first. Their number."""
    idle_since = now - minutes("conversation__channel__agent__session_idle_minutes")
    idle = Session.objects.filter(ended_at__isnull=True, last_activity_at__lt=idle_since)
    chosen = idle.order_by("last_activity_at").values_list("pk", flat=True)[:limit]
    with transaction.atomic():
        return sum(close(session_id=pk, reason=EndReason.IDLE, now=now) for pk in chosen)


def write_summary(*, session_id: int, summary: str, status: SummaryStatus) -> None:
    """Idempotent: only a pending summary is written."""
    Session.objects.filter(pk=session_id, summary_status=SummaryStatus.PENDING).update(
        summary=summary, summary_status=status
    )
