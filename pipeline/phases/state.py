"""What a turn knows. Frozen: a phase returns the next one."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID

from pipeline.policies.errors import Code
from pipeline.policies.risk import ReplyRule, ToolRule
from pipeline.ports import ChatMessage


class OutagePolicy(StrEnum):
    REPLY = "reply"
    WAIT = "wait"
    PERSON = "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentConfig:
    name: str
    tenant_name: str
    time_zone: str
    prompt_template: str
    model: str
    language: str
    temperature: float
    max_output_tokens: int
    max_tool_iterations: int
    history_limit: int
    allowed_tools: tuple[str, ...]
    answers_bursts_together: bool
    fallback_model: str
    fallback_reply: str
    refusal_reply: str
    outage_policy: OutagePolicy
    session_idle_s: float
    rate_limit_per_minute: int
    is_supervised: bool
    risk_rules: tuple[ToolRule | ReplyRule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundMessage:
    """`text` is what was written, or a caption; `media` describes what came with it, empty for plain text.

    `is_requeued`: it has had an outcome before, and may stand in the transcript already.
    """

    event_id: int
    dedupe_key: str
    received_at: datetime
    kind: str
    text: str
    media: dict[str, Any]
    provider_id: str
    is_requeued: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    id: int
    last_activity_at: datetime
    turn_count: int
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnInput:
    """All a turn is given. `now` and `seed` are all the time and chance it sees, so a replay sees the same.

    `is_resumed`: it was begun before, by a worker that died or until it was postponed; its journal may hold steps.
    `blocked_by`: the blocklist entry that names the contact. `was_limited`, `was_silenced`: within the last minute.
    `notes`: what staff wrote for the agent since it last answered.
    """

    turn_id: UUID
    request_id: str
    tenant_id: int
    channel_id: int
    contact_id: int
    conversation_id: int
    lease_epoch: int
    owner_epoch: int
    policy_version: int
    attempt: int
    is_resumed: bool
    leaves_waiting: bool
    generation: int
    recent_count: int
    was_limited: bool
    was_silenced: bool
    now: datetime
    seed: int
    owned_by_person: bool
    contact_address: str
    contact_name: str
    agent_id: int
    blocked_by: int | None
    agent: AgentConfig
    messages: tuple[InboundMessage, ...]
    session: OpenSession | None
    history: tuple[ChatMessage, ...]
    notes: tuple[str, ...] = ()


class Access(StrEnum):
    ALLOWED = "allowed"
    OWNED_BY_PERSON = "owned_by_person"
    BLOCKED = "blocked"
    RATE_LIMITED = "rate_limited"


class Outcome(StrEnum):
    """Those ways in which a turn itself can end; the ledger knows more."""

    REPLIED = "replied"
    COMMAND = "command"
    NEEDS_HUMAN = "needs_human"
    BLOCKED = "blocked"
    RATE_LIMITED = "rate_limited"
    SILENCED = "silenced"
    FAILED = "failed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """`session_id` None opens a new session; `reset` closes it again at the end of this turn.

    `idle_session_id` is the session that went idle and is closed to make room for a new one.
    """

    session_id: int | None
    reset: bool = False
    idle_session_id: int | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """How the turn ends. `code` says why where that is not plain; `failed` where the run itself went wrong."""

    outcome: Outcome
    code: Code | None = None
    detail: str = ""
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """A reply, to be queued at the commit point. `author_id`: the person who wrote it, None for the agent."""

    idempotency_key: UUID
    text: str
    author_id: int | None = None


class PhaseRecord(NamedTuple):
    name: str
    started_ms: int
    duration_ms: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class Usage:
    prompt_tokens: int = 0
    completion_tokens: int = 0
    tool_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnState:
    """The input, then what each phase adds. None means that no phase provided it yet.

    `author_id`: the member of staff who wrote the replies, None for the agent. `person_asked`: why the agent called a
    person, empty where it did not. `records`: the phases until it closes.
    """

    input: TurnInput
    access: Access | None = None
    session: SessionPlan | None = None
    command: str | None = None
    content: str | None = None
    context: tuple[ChatMessage, ...] | None = None
    prompt: tuple[ChatMessage, ...] | None = None
    usage: Usage = Usage()
    replies: tuple[str, ...] | None = None
    author_id: int | None = None
    person_asked: str = ""
    decision: Decision | None = None
    drafts: tuple[Draft, ...] | None = None
    committed: bool | None = None
    records: tuple[PhaseRecord, ...] = ()
