"""A turn's two ends: what it is given when it begins, and the commit point where all it decided becomes true."""

import random
import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import dropwhile
from typing import Any

from django.db import transaction
from django.db.models import F, Max, OuterRef, Subquery

from conversations.live import announce, conversation_topic
from conversations.models import (
    Agent,
    AgentMode,
    AuthorKind,
    Conversation,
    Direction,
    Message,
    MessageKind,
    Note,
    Owner,
    Session,
    Tenant,
)
from pipeline.controls import blocklist, switchboard
from pipeline.engine import bursts, holds, mailbox
from pipeline.engine.mailbox import Claim
from pipeline.engine.runner import MAX_ATTEMPTS
from pipeline.models import (
    EventStatus,
    Outcome,
    ProcessedEvent,
    Turn,
    TurnStatus,
)
from pipeline.phases.state import (
    AgentConfig,
    InboundMessage,
    OpenSession,
    OutagePolicy,
    TurnInput,
)
from pipeline.policies import risk
from pipeline.policies.errors import Code, StaleError
from pipeline.policies.switches import PAUSED_S, Capability, SwitchAction, strictest
from pipeline.ports import ChatMessage, Role

MAX_ABSORPTIONS = 3
MAX_NOTES = 20
RATE_WINDOW = timedelta(minutes=1)


@transaction.atomic
def begin(claim: Claim, *, now: datetime) -> TurnInput | None:
    """The conversation's unfinished turn, or a new one over its next burst; None when nothing waits for a worker.

    A turn that waits for a person starts over when the contact writes again. While a switch pauses its replies, the
    conversation looks again after `PAUSED_S`, or when the switch is lifted. Counts the attempt before it starts.
    Raises `StaleError` when the lease is lost.
    """
    mailbox.clear_due(claim.conversation_id, claim.lease_epoch)
    waiting = _waiting_events(claim.conversation_id)
    if not waiting:
        return None
    conversation = _conversation_with_policy(claim.conversation_id)
    if _is_paused(conversation):
        mailbox.look_again(claim.conversation_id, in_s=PAUSED_S)
        return None
    unfinished = waiting[0].turn
    events = _events_of(unfinished, waiting, conversation, now)
    if not events:
        return None
    turn = (
        _resume(unfinished, claim) if unfinished else _open(events, conversation.policy_version, claim, now)
    )
    announce(conversation_topic(claim.conversation_id))
    return _turn_input(
        turn,
        events,
        conversation,
        is_resumed=unfinished is not None,
        leaves_waiting=len(events) < len(waiting) or len(waiting) == bursts.MAX_BURST,
    )


def _waiting_events(conversation_id: int) -> list[ProcessedEvent]:
    """In arrival order, those of a running turn first."""
    waiting = ProcessedEvent.objects.filter(conversation_id=conversation_id).exclude(status=EventStatus.DONE)
    return list(
        waiting.select_related("turn").order_by(F("turn_id").asc(nulls_last=True), "id")[: bursts.MAX_BURST]
    )


def _events_of(
    unfinished: Turn | None, waiting: list[ProcessedEvent], conversation: Any, now: datetime
) -> list[ProcessedEvent]:
    """What the next turn, or the unfinished one, answers; none where that waits for a person."""
    if unfinished is None:
        return bursts.next_burst(waiting, together=conversation.channel.agent.burst_window_s > 0)
    taken = [event for event in waiting if event.turn_id]
    if unfinished.status == TurnStatus.SUSPENDED:
        return _start_over(unfinished, taken, conversation, now)
    return taken


def _is_paused(conversation: Any) -> bool:
    """What a person owns is theirs to see: no switch over the agent's replies keeps it from them."""
    rules = switchboard.read_if(conversation.is_switched)
    if conversation.owner_kind != Owner.AGENT:
        return False
    subject = switchboard.subject_at(conversation.channel, conversation.pk, conversation.contact_id)
    rule = strictest(rules, subject, Capability.REPLIES)
    return rule is not None and rule.action is SwitchAction.PAUSE


def _start_over(
    turn: Turn, held: list[ProcessedEvent], conversation: Any, now: datetime
) -> list[ProcessedEvent]:
    """The contact wrote again while the turn waited for a person: it decides anew over all these events.

    None where nothing new came, or where that has to wait for its own turn: people then decide in its knowledge.
    """
    fresh = bursts.fresh(turn.conversation_id)
    together = conversation.channel.agent.burst_window_s > 0
    joining = bursts.joining(turn.pk, len(held), fresh, together)
    if not joining:
        holds.propose_anew(turn.pk, fresh, now=now)
        return []
    _take(joining, turn)
    holds.start_over(turn.pk, conversation.policy_version, now=now)
    turn.refresh_from_db()
    return [*held, *joining]


def _conversation_with_policy(conversation_id: int) -> Any:
    """The conversation with what it hangs on, and what else is to be known of it.

    `policy_version`: the newest history id of its agent; `is_switched`: whether any switch is in force;
    `blocked_by`: the blocklist entry that names its contact.
    """
    newest = (
        Agent.history.filter(id=OuterRef("channel__agent_id")).values("id").annotate(newest=Max("history_id"))
    ).values("newest")
    return (
        Conversation.objects.select_related("contact", "channel__agent__tenant")
        .annotate(
            policy_version=Subquery(newest),
            is_switched=switchboard.any_in_force(),
            blocked_by=blocklist.naming("contact__address"),
        )
        .get(pk=conversation_id)
    )


def _open(events: list[ProcessedEvent], policy_version: int, claim: Claim, now: datetime) -> Turn:
    turn = Turn.objects.create(
        id=uuid.uuid4(),
        conversation_id=claim.conversation_id,
        request_id=events[-1].request_id,
        policy_version=policy_version,
        seed=random.getrandbits(62),
        lease_epoch=claim.lease_epoch,
        attempts=1,
        started_at=now,
    )
    _take(events, turn)
    return turn


def _take(events: Sequence[ProcessedEvent], turn: Turn) -> None:
    ProcessedEvent.objects.filter(pk__in=[event.pk for event in events]).update(
        status=EventStatus.PROCESSING, turn=turn
    )


def _resume(turn: Turn, claim: Claim) -> Turn:
    """The last attempt is counted by `begin_last_attempt`: it may have to wait for its place."""
    is_counted = turn.attempts < MAX_ATTEMPTS - 1
    turn.lease_epoch = claim.lease_epoch
    Turn.objects.filter(pk=turn.pk).update(
        lease_epoch=turn.lease_epoch, attempts=turn.attempts + 1 if is_counted else turn.attempts
    )
    turn.attempts += 1
    return turn


def begin_last_attempt(turn_input: TurnInput) -> None:
    """Count it. Raises `StaleError` when the lease is lost."""
    held = Turn.objects.filter(pk=turn_input.turn_id, lease_epoch=turn_input.lease_epoch)
    if not held.update(attempts=turn_input.attempt):
        raise StaleError(Code.TURN_LEASE_LOST, "Another worker went on with the turn while this one waited.")


@transaction.atomic
def absorb(turn_input: TurnInput) -> TurnInput | None:
    """The same turn over what came in meanwhile as well, to be answered together; None where that is not to be.

    Once a tool has acted that must not act twice, or after `MAX_ABSORPTIONS`, a new message only queues.
    Raises `StaleError` when the lease is lost.
    """
    if turn_input.generation >= MAX_ABSORPTIONS:
        return None
    mailbox.hold(turn_input.conversation_id, turn_input.lease_epoch)
    fresh = bursts.fresh(turn_input.conversation_id)
    burst = bursts.joining(turn_input.turn_id, len(turn_input.messages), fresh, together=True)
    if not burst:
        return None
    _take(burst, Turn(pk=turn_input.turn_id))
    Turn.objects.filter(pk=turn_input.turn_id).update(generation=F("generation") + 1)
    announce(conversation_topic(turn_input.conversation_id))
    return replace(
        turn_input,
        generation=turn_input.generation + 1,
        messages=(*turn_input.messages, *map(_inbound_message, burst)),
    )


def _turn_input(
    turn: Turn,
    events: Sequence[ProcessedEvent],
    conversation: Any,
    *,
    is_resumed: bool,
    leaves_waiting: bool,
) -> TurnInput:
    session = Session.objects.filter(conversation=conversation, ended_at__isnull=True).first()
    agent = _agent_in_force(conversation, turn.policy_version)
    recent = _recent_outcomes(events[-1], agent.rate_limit_per_minute)
    return TurnInput(
        turn_id=turn.pk,
        request_id=turn.request_id,
        tenant_id=conversation.tenant_id,
        channel_id=conversation.channel_id,
        contact_id=conversation.contact_id,
        conversation_id=conversation.pk,
        lease_epoch=turn.lease_epoch,
        owner_epoch=conversation.owner_epoch,
        policy_version=turn.policy_version,
        attempt=turn.attempts,
        is_resumed=is_resumed,
        leaves_waiting=leaves_waiting,
        generation=turn.generation,
        recent_count=len(recent),
        was_limited=Outcome.RATE_LIMITED in recent,
        was_silenced=Outcome.SILENCED in recent,
        now=turn.started_at,
        seed=turn.seed,
        owned_by_person=conversation.owner_kind != Owner.AGENT,
        contact_address=conversation.contact.address,
        contact_name=conversation.contact.name,
        agent_id=conversation.channel.agent_id,
        blocked_by=conversation.blocked_by,
        agent=_agent_config(agent, conversation.channel.agent.tenant),
        messages=tuple(map(_inbound_message, events)),
        session=_open_session(session),
        history=_history(session, agent.history_limit, events),
        notes=_notes(conversation.pk),
    )


def _recent_outcomes(event: ProcessedEvent, limit: int) -> list[str | None]:
    """Of the conversation's events in the minute before `event`, itself included; never reads many over `limit`.

    Nothing counts for an event that a person sent back: it is to be answered, whatever the limit was.
    """
    if event.requeues:
        return []
    newest = ProcessedEvent.objects.filter(conversation_id__in=[event.conversation_id], pk__lte=event.pk)
    recent = newest.order_by("-pk").values_list("received_at", "outcome")[: limit + bursts.MAX_BURST]
    return [outcome for received_at, outcome in recent if received_at > event.received_at - RATE_WINDOW]


def _agent_in_force(conversation: Any, policy_version: int) -> Any:
    """The agent as the turn found it when it began, however it was changed since."""
    agent = conversation.channel.agent
    if policy_version == conversation.policy_version:
        return agent
    return Agent.history.filter(history_id=policy_version).first() or agent


def _agent_config(agent: Any, tenant: Tenant) -> AgentConfig:
    return AgentConfig(
        name=agent.name,
        tenant_name=tenant.name,
        time_zone=tenant.time_zone,
        prompt_template=agent.prompt_template,
        model=agent.model,
        language=agent.language,
        temperature=agent.temperature,
        max_output_tokens=agent.max_output_tokens,
        max_tool_iterations=agent.max_tool_iterations,
        history_limit=agent.history_limit,
        allowed_tools=tuple(agent.allowed_tools),
        answers_bursts_together=agent.burst_window_s > 0,
        fallback_model=agent.fallback_model,
        fallback_reply=agent.fallback_reply,
        refusal_reply=agent.refusal_reply,
        outage_policy=OutagePolicy(agent.outage_policy),
        session_idle_s=agent.session_idle_minutes * 60,
        rate_limit_per_minute=agent.rate_limit_per_minute,
        is_supervised=agent.mode == AgentMode.SUPERVISED,
        risk_rules=risk.parse(agent.risk_rules),
    )


def _inbound_message(event: ProcessedEvent) -> InboundMessage:
    return InboundMessage(
        event_id=event.pk,
        dedupe_key=event.dedupe_key,
        received_at=event.received_at,
        kind=event.payload["type"],
        text=event.payload["text"],
        media=event.payload["media"],
        provider_id=event.payload["provider_id"],
        is_requeued=event.requeues > 0,
    )


def _open_session(session: Session | None) -> OpenSession | None:
    if session is None:
        return None
    return OpenSession(
        id=session.pk,
        last_activity_at=session.last_activity_at,
        turn_count=session.turn_count,
        prompt_tokens=session.prompt_tokens,
        completion_tokens=session.completion_tokens,
    )


def _history(
    session: Session | None, limit: int, events: Sequence[ProcessedEvent]
) -> tuple[ChatMessage, ...]:
    """What was said before. What was said last and is asked for again now, is said now."""
    if session is None or not limit:
        return ()
    newest = (
        Message.objects.filter(session=session)
        .order_by("-id")
        .values_list("direction", "kind", "text", "provider_id")[:limit]
    )
    again = {event.payload["provider_id"] for event in events if event.requeues}
    said = dropwhile(lambda row: row[0] == Direction.IN and row[3] in again, newest)
    return tuple(_line(direction, kind, text) for direction, kind, text, _ in reversed(list(said)))


def _notes(conversation_id: int) -> tuple[str, ...]:
    """What staff wrote for the agent since its last answer was begun, oldest first."""
    notes = Note.objects.filter(conversation_id=conversation_id, for_agent=True).order_by("-id")
    newest = list(notes.values_list("created_at", "text")[:MAX_NOTES])
    since = _last_answer_begun_at(conversation_id) if newest else None
    return tuple(text for at, text in reversed(newest) if since is None or at > since)


def _last_answer_begun_at(conversation_id: int) -> datetime | None:
    answers = Message.objects.filter(
        conversation_id=conversation_id, author_kind=AuthorKind.AGENT, turn_id__isnull=False
    )
    last = answers.order_by("-id").values("turn_id")[:1]
    return Turn.objects.filter(pk__in=last).values_list("started_at", flat=True).first()


def _line(direction: str, kind: str, text: str) -> ChatMessage:
    role = Role.USER if direction == Direction.IN else Role.ASSISTANT
    return ChatMessage(role=role, content=text if kind == MessageKind.TEXT else f"[{kind}] {text}".rstrip())
