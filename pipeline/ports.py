"""What the phases may ask of the world. Each method says whether repeating it is harmless (idempotent)."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import IO, TYPE_CHECKING, Any, Protocol
from uuid import UUID

from pydantic import BaseModel

from pipeline.policies.calls import Call
from pipeline.policies.errors import Code
from pipeline.policies.switches import Capability, SwitchAction

if TYPE_CHECKING:
    from pipeline.phases.state import TurnInput, TurnState

Json = dict[str, Any]


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """`arguments` is the model's own text; it may not be JSON."""

    id: str
    name: str
    arguments: str

    def to_json(self) -> Json:
        return {"id": self.id, "name": self.name, "arguments": self.arguments}


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str = ""

    def to_json(self) -> Json:
        return {
            "role": self.role,
            "content": self.content,
            "tool_calls": [call.to_json() for call in self.tool_calls],
            "tool_call_id": self.tool_call_id,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSpec:
    name: str
    description: str
    parameters: type[BaseModel]
    timeout_s: float
    is_idempotent: bool
    requires_approval: bool = False
    is_low_risk: bool = False
    calls_person: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionRequest:
    """`tools` empty means the model has to answer in words. `wants_confidence`: its answer says how sure it is."""

    model: str
    messages: tuple[ChatMessage, ...]
    tools: tuple[ToolSpec, ...]
    temperature: float
    max_output_tokens: int
    wants_confidence: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """Either `text` or `tool_calls` is there; `request_id` is the provider's, for its support.

    `confidence` is between 0 and 1; None where it was not asked for, or not given.
    """

    text: str
    tool_calls: tuple[ToolCall, ...]
    model: str
    request_id: str
    prompt_tokens: int
    completion_tokens: int
    confidence: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One thing done outside. `key` names it within its turn, the same on every attempt.

    `breaker` names the circuit breaker that guards it, empty for none. `is_fallback`: a lower rung of a ladder.
    """

    key: str
    call: Call
    name: str
    request: Json
    is_idempotent: bool
    deadline_s: float
    breaker: str = ""
    is_fallback: bool = False


class ProposalKind(StrEnum):
    TOOL = "tool"
    REPLY = "reply"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a person has to decide before it happens. `key` names it within its turn, the same on every attempt.

    `content` is a tool and its arguments, or an answer's text; `why` is the rule that holds it.
    """

    key: str
    kind: ProposalKind
    content: Json
    why_code: Code
    why: str
    is_low_risk: bool = False


class Verdict(StrEnum):
    """`answer`: the person says something themselves, in place of all that was proposed."""

    APPROVE = "approve"
    EDIT = "edit"
    REJECT = "reject"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a person decided; `by_id` None where nobody did in time and the agent's default holds.

    `text` is what is said instead, `arguments` (JSON) what a tool is called with instead.
    """

    verdict: Verdict
    by_id: int | None = None
    reason: str = ""
    text: str = ""
    arguments: str = ""


class HeldError(Exception):
    """The turn has to wait for a person. No failure: nothing catches it but the runner, which suspends the turn."""

    def __init__(self, proposals: tuple[Proposal, ...]) -> None:
        super().__init__(", ".join(proposal.key for proposal in proposals))
        self.proposals = proposals


class Journal(Protocol):
    def ruling(self, key: str) -> Ruling | None:
        """What a person decided on the proposal of that key, None until somebody has. Idempotent."""

    async def perform(self, effect: Effect, run: Callable[[UUID], Awaitable[Json]]) -> Json:
        """The recorded response of `effect`, or that of `run(idempotency_key)`, recorded. Idempotent.

        Raises the effect's `PipelineError`, recorded too; `UnknownError` where a non-idempotent effect was begun and
        nobody knows how it ended.
        """


class ModelProvider(Protocol):
    async def complete(self, request: CompletionRequest) -> Completion:
        """Idempotent. Raises `TransientError`, `RateLimitedError` or a `PermanentError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCaller:
    """On whose behalf a tool is called."""

    state: "TurnState"
    idempotency_key: UUID


class Tools(Protocol):
    def specs(self, names: tuple[str, ...]) -> tuple[ToolSpec, ...]:
        """The named tools that exist. Idempotent."""

    async def call(self, name: str, arguments: str, caller: ToolCaller) -> str:
        """As idempotent as the tool says. Raises `RequestError` for bad arguments, `PermanentError` if it fails."""


class Store(Protocol):
    async def commit(self, state: "TurnState") -> int | None:
        """The commit point: everything the turn decided, in one transaction. Idempotent.

        The session's id; None where it was committed before.
        Raises `StaleError` when the lease is lost, or when the conversation changed hands meanwhile.
        """

    async def absorb(self, turn: "TurnInput") -> "TurnInput | None":
        """The turn with what came in meanwhile, None to answer as it is. Not idempotent, harmless to repeat."""

    async def postpone(self, turn: "TurnInput") -> None:
        """Set the turn aside without counting the attempt. Not idempotent, harmless to repeat."""

    async def suspend(self, state: "TurnState", proposals: tuple[Proposal, ...]) -> None:
        """Set the turn aside until people have decided. Idempotent.

        Raises `StaleError` when the lease is lost, or when the conversation changed hands meanwhile.
        """

    async def set_aside(self, turn: "TurnInput") -> None:
        """As `postpone`, and nothing is asked anew: it goes on where it is. Not idempotent, harmless to repeat."""


class Controls(Protocol):
    async def in_force(
        self, capability: Capability, turn: "TurnInput", tool: str = ""
    ) -> SwitchAction | None:
        """What a person switched for this turn, at most `FRESH_S` old. Idempotent."""


class Telemetry(Protocol):
    def emit(self, event: str, fields: Mapping[str, object]) -> None:
        """Fire and forget."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    model: ModelProvider
    tools: Tools
    journal: Journal
    store: Store
    telemetry: Telemetry
    controls: Controls


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundFile:
    """A file to send. `open` may raise `OSError`; `url` leads to it for a day, for platforms that fetch."""

    name: str
    mime_type: str
    url: str
    open: Callable[[], IO[bytes]] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundMessage:
    """A message on its way to a platform. `client_reference` is our idempotency key, echoed back where possible.

    `kind` is a MessageKind; with a `file`, `text` is its caption and may be empty.
    """

    to: str
    text: str
    client_reference: UUID
    attempt: int
    kind: str = "text"
    file: OutboundFile | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelConfig:
    slug: str
    external_id: str
    api_url: str
    credentials: Mapping[str, str] = field(repr=False)


class Sender(Protocol):
    @property
    def sends_idempotently(self) -> bool:
        """True where the platform itself drops a repeated `client_reference`."""

    async def send(self, message: OutboundMessage, channel: ChannelConfig) -> str:
        """The platform's id of the accepted message. Idempotent only where `sends_idempotently`.

        Raises `TransientError` when it was certainly not accepted, `UnknownError` when that is not certain,
        a `PermanentError` when it never will be.
        """
