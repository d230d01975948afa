"""All that a turn is given when it begins: read once, so that its phases ask the database nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cache
from itertools import dropwhile
from typing import Any

from django.db.models import Exists, F, FilteredRelation, Max, OuterRef, Q, QuerySet, Subquery

from audit.compiled import RowQuery, param
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
)
from pipeline.controls import blocklist, switchboard
from pipeline.engine import bursts
from pipeline.engine.bursts import WaitingEvent
from pipeline.models import Outcome, ProcessedEvent, Turn
from pipeline.phases.state import AgentConfig, InboundMessage, OpenSession, OutagePolicy, TurnInput
from pipeline.policies import risk
from pipeline.ports import ChatMessage, Role

MAX_NOTES = 20
RATE_WINDOW = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentNow:
    """What a turn needs to know of its agent, as the agent is now."""

    name: str
    mode: str
    prompt_template: str
    model: str
    language: str
    temperature: float
    max_output_tokens: int
    max_tool_iterations: int
    history_limit: int
    allowed_tools: list[str]
    burst_window_s: float
    fallback_model: str
    fallback_reply: str
    refusal_reply: str
    outage_policy: str
    session_idle_minutes: int
    rate_limit_per_minute: int
    risk_rules: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation(AgentNow):
    """Whose turn it is, and under what it is taken.

    `policy_version`: the newest history id of its agent; `is_switched`: whether any switch is in force;
    `blocked_by`: the blocklist entry that names its contact; `has_notes`: whether staff ever wrote the agent one.
    """

    tenant_id: int
    channel_id: int
    contact_id: int
    owner_kind: str
    owner_epoch: int
    agent_id: int
    tenant_name: str
    time_zone: str
    contact_address: str
    contact_name: str
    policy_version: int
    is_switched: bool
    blocked_by: int | None
    has_notes: bool
    session_id: int | None
    session_last_activity_at: Any
    session_turn_count: Any
    session_prompt_tokens: Any
    session_completion_tokens: Any

    @property
    def answers_bursts_together(self) -> bool:
        return self.burst_window_s > 0

    @property
    def session(self) -> OpenSession | None:
        """The conversation's open session, if there is one."""
        if self.session_id is None:
            return None
        return OpenSession(
            id=self.session_id,
            last_activity_at=self.session_last_activity_at,
            turn_count=self.session_turn_count,
            prompt_tokens=self.session_prompt_tokens,
            completion_tokens=self.session_completion_tokens,
        )


@dataclass(frozen=True, slots=True)
class RecentEvent:
    received_at: datetime
    outcome: str | None


@dataclass(frozen=True, slots=True)
class Line:
    direction: str
    kind: str
    text: str
    provider_id: str


def _situations() -> QuerySet[Any]:
    newest = (
        Agent.history.filter(id=OuterRef("channel__agent_id")).values("id").annotate(newest=Max("history_id"))
    ).values("newest")
    of_agent = {field.name: F(f"channel__agent__{field.name}") for field in fields(AgentNow)}
    of_session = {f"session_{field.name}": F(f"open_session__{field.name}") for field in fields(OpenSession)}
    open_session = FilteredRelation("sessions", condition=Q(sessions__ended_at__isnull=True))
    found = Conversation.objects.filter(pk=param("conversation_id")).annotate(open_session=open_session)
    return found.annotate(
        **of_agent,
        **of_session,
        agent_id=F("channel__agent_id"),
        tenant_name=F("channel__agent__tenant__name"),
        time_zone=F("channel__agent__tenant__time_zone"),
        contact_address=F("contact__address"),
        contact_name=F("contact__name"),
        policy_version=Subquery(newest),
        is_switched=switchboard.any_in_force(),
        blocked_by=blocklist.naming("contact__address"),
        has_notes=Exists(Note.objects.filter(conversation=OuterRef("pk"), for_agent=True)),
    )


SITUATION = RowQuery(Situation, _situations)


@cache
def _newest_events(number: int) -> RowQuery[RecentEvent]:
    """One for each limit in use: how many rows are wanted is no value that a query can bring along."""
    of_conversation = ProcessedEvent.objects.filter(
        conversation_id=param("conversation_id"), pk__lte=param("event_id")
    )
    return RowQuery(RecentEvent, lambda: of_conversation.order_by("-pk")[:number])


@cache
def _newest_lines(number: int) -> RowQuery[Line]:
    return RowQuery(
        Line, lambda: Message.objects.filter(session_id=param("session_id")).order_by("-id")[:number]
    )


def situation_of(conversation_id: int) -> Situation:
    (situation,) = SITUATION.fetch(conversation_id=conversation_id)
    return situation


def turn_input(
    turn: Turn,
    events: Sequence[WaitingEvent],
    situation: Situation,
    *,
    is_resumed: bool,
    leaves_waiting: bool,
) -> TurnInput:
    agent = _agent_in_force(situation, turn.policy_version)
    recent = _recent_outcomes(turn.conversation_id, events[-1], agent.rate_limit_per_minute)
    return TurnInput(
        turn_id=turn.pk,
        request_id=turn.request_id,
        tenant_id=situation.tenant_id,
        channel_id=situation.channel_id,
        contact_id=situation.contact_id,
        conversation_id=turn.conversation_id,
        lease_epoch=turn.lease_epoch,
        owner_epoch=situation.owner_epoch,
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
        owned_by_person=situation.owner_kind != Owner.AGENT,
        contact_address=situation.contact_address,
        contact_name=situation.contact_name,
        agent_id=situation.agent_id,
        blocked_by=situation.blocked_by,
        agent=_agent_config(agent, situation),
        messages=tuple(map(inbound_message, events)),
        session=situation.session,
        history=_history(situation.session, agent.history_limit, events),
        notes=_notes(turn.conversation_id) if situation.has_notes else (),
    )


def _recent_outcomes(conversation_id: int, event: WaitingEvent, limit: int) -> list[str | None]:
    """Of the conversation's events in the minute before `event`, itself included; never reads many over `limit`.

    Nothing counts for an event that a person sent back: it is to be answered, whatever the limit was.
    """
    if event.requeues:
        return []
    newest = _newest_events(limit + bursts.MAX_BURST).fetch(
        conversation_id=conversation_id, event_id=event.id
    )
    return [each.outcome for each in newest if each.received_at > event.received_at - RATE_WINDOW]


def _agent_in_force(situation: Situation, policy_version: int) -> Any:
    """The agent as the turn found it when it began, however it was changed since."""
    if policy_version == situation.policy_version:
        return situation
    return Agent.history.filter(history_id=policy_version).first() or situation


def _agent_config(agent: Any, situation: Situation) -> AgentConfig:
    return AgentConfig(
        name=agent.name,
        tenant_name=situation.tenant_name,
        time_zone=situation.time_zone,
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


def inbound_message(event: WaitingEvent) -> InboundMessage:
    return InboundMessage(
        event_id=event.id,
        dedupe_key=event.dedupe_key,
        received_at=event.received_at,
        kind=event.payload["type"],
        text=event.payload["text"],
        media=event.payload["media"],
        provider_id=event.payload["provider_id"],
        is_requeued=event.requeues > 0,
    )


def _history(
    session: OpenSession | None, limit: int, events: Sequence[WaitingEvent]
) -> tuple[ChatMessage, ...]:
    """What was said before. What was said last and is asked for again now, is said now."""
    if session is None or not limit:
        return ()
    newest = _newest_lines(limit).fetch(session_id=session.id)
    again = {event.payload["provider_id"] for event in events if event.requeues}
    said = dropwhile(lambda line: line.direction == Direction.IN and line.provider_id in again, newest)
    return tuple(map(_chat_message, reversed(list(said))))


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


def _chat_message(line: Line) -> ChatMessage:
    role = Role.USER if line.direction == Direction.IN else Role.ASSISTANT
    text = line.text if line.kind == MessageKind.TEXT else f"[{line.kind}] {line.text}".rstrip()
    return ChatMessage(role=role, content=text)
