"""All that a turn is given when it begins: read once, so that its phases ask the database nothing."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import dropwhile
from typing import Any

from conversations.models import (
    Agent,
    AgentMode,
    AuthorKind,
    Direction,
    Message,
    MessageKind,
    Note,
    Owner,
    Session,
    Tenant,
)
from pipeline.engine import bursts
from pipeline.models import Outcome, ProcessedEvent, Turn
from pipeline.phases.state import AgentConfig, InboundMessage, OpenSession, OutagePolicy, TurnInput
from pipeline.policies import risk
from pipeline.ports import ChatMessage, Role

MAX_NOTES = 20
RATE_WINDOW = timedelta(minutes=1)


def turn_input(
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
        messages=tuple(map(inbound_message, events)),
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


def inbound_message(event: ProcessedEvent) -> InboundMessage:
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
