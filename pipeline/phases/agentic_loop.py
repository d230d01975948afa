"""The model and its tools, in turns, until the model answers in words."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any
from uuid import UUID

from pipeline.phases import approval
from pipeline.phases.approval import AnsweredError
from pipeline.phases.state import Decision, Outcome, TurnState, Usage
from pipeline.policies.calls import CALLS, Call
from pipeline.policies.errors import (
    Code,
    PausedError,
    PermanentError,
    PipelineError,
    RequestError,
    StaleError,
    StoppedError,
    UnknownError,
)
from pipeline.policies.switches import Capability, SwitchAction
from pipeline.ports import (
    ChatMessage,
    Completion,
    CompletionRequest,
    Effect,
    HeldError,
    Json,
    Ports,
    Role,
    Ruling,
    ToolCall,
    ToolCaller,
    ToolSpec,
    Verdict,
)

FAILED = "error "
"""How a tool's failure begins, as the model reads it."""
MAX_REJECTIONS = 3
"""How many of its answers a person may reject before the turn is left to people."""
FALLBACK = ":fallback"
"""How the key of a step ends that asks the fallback model."""


async def agentic_loop(state: TurnState, ports: Ports) -> TurnState:
    """Ask the model; run the tools it calls; ask again, at most `max_tool_iterations` times with tools on offer.

    What waits for a person, a call or the answer, is proposed to one first. Raises the model's `PipelineError`,
    `UnknownError` when nobody knows whether a tool has acted, and `HeldError` until a person has decided.
    """
    assert state.prompt is not None  # checked by the contract
    specs = ports.tools.specs(state.input.agent.allowed_tools)
    return await _Dialogue(state, ports, specs, state.prompt).run()


@dataclass
class _Dialogue:
    """The model, its tools and the people who approve, so far."""

    state: TurnState
    ports: Ports
    specs: tuple[ToolSpec, ...]
    messages: tuple[ChatMessage, ...]
    tool_rounds: int = 0
    rejections: int = 0

    async def run(self) -> TurnState:
        for iteration in count():
            offered = await _switched_on(self._offered(), self.state, self.ports)
            completion = await _ask(self.state, self.ports, self.messages, offered, iteration)
            self.state = _count(self.state, completion)
            go_on = self._call_tools if completion.tool_calls else self._answer
            decided = await go_on(completion, iteration)
            if decided is not None:
                return decided
        raise AssertionError("the loop has no other end")

    def _offered(self) -> tuple[ToolSpec, ...]:
        return self.specs if self.tool_rounds < self.state.input.agent.max_tool_iterations else ()

    async def _call_tools(self, completion: Completion, iteration: int) -> TurnState | None:
        if not self._offered():
            raise PermanentError(
                Code.TOOL_ITERATIONS, "The model called a tool where it had to answer in words."
            )
        self.tool_rounds += 1
        try:
            results = await _call_all(self.state, self.ports, self.specs, completion.tool_calls, iteration)
        except AnsweredError as answered:
            return _said_by_a_person(self.state, answered.ruling)
        self.messages = (*self.messages, _said(completion), *results)
        asked = self.state.person_asked or _why_a_person_was_called(self.specs, completion, results)
        self.state = replace(self.state, person_asked=asked)
        return None

    async def _answer(self, completion: Completion, iteration: int) -> TurnState | None:
        key = f"{generation_prefix(self.state)}reply:{iteration}"
        ruling = await approval.of_reply(self.state, self.ports, completion, key)
        if ruling.verdict is Verdict.ANSWER:
            return _said_by_a_person(self.state, ruling)
        if ruling.verdict is not Verdict.REJECT:
            text = ruling.text if ruling.verdict is Verdict.EDIT else completion.text
            return replace(self.state, replies=(text,), decision=Decision(Outcome.REPLIED))
        self.rejections += 1
        if self.rejections == MAX_REJECTIONS:
            decision = Decision(Outcome.NEEDS_HUMAN, Code.REVIEW_REJECTED, ruling.reason)
            return replace(self.state, replies=(), decision=decision)
        self.messages = (*self.messages, _said(completion), _rejection(ruling))
        return None


def _said_by_a_person(state: TurnState, ruling: Ruling) -> TurnState:
    decision = Decision(Outcome.REPLIED, Code.REVIEW_ANSWERED)
    return replace(state, replies=(ruling.text,), author_id=ruling.by_id, decision=decision)


def _said(completion: Completion) -> ChatMessage:
    return ChatMessage(role=Role.ASSISTANT, content=completion.text, tool_calls=completion.tool_calls)


def _rejection(ruling: Ruling) -> ChatMessage:
    text = (
        "A person of the team read your answer before it was sent and rejected it, for this reason: "
        f"{ruling.reason} It was not sent. Write another one that heeds this, and do not mention the review."
    )
    return ChatMessage(role=Role.SYSTEM, content=text)


def _why_a_person_was_called(
    specs: tuple[ToolSpec, ...], completion: Completion, results: list[ChatMessage]
) -> str:
    """In the agent's own words; empty where it called nobody, or where that failed."""
    callers = {spec.name for spec in specs if spec.calls_person}
    failed = {result.tool_call_id for result in results if result.content.startswith(FAILED)}
    for call in completion.tool_calls:
        if call.name in callers and call.id not in failed:
            return str(json.loads(call.arguments or "{}").get("reason") or call.name)
    return ""


async def _switched_on(specs: tuple[ToolSpec, ...], state: TurnState, ports: Ports) -> tuple[ToolSpec, ...]:
    """Those that no switch stops. The journal refuses a call of the others, and the model reads why."""
    actions = [await ports.controls.in_force(Capability.TOOL, state.input, spec.name) for spec in specs]
    known = zip(specs, actions, strict=True)
    return tuple(spec for spec, action in known if action is not SwitchAction.STOP)


def _count(state: TurnState, completion: Completion) -> TurnState:
    usage = state.usage
    return replace(
        state,
        usage=Usage(
            usage.prompt_tokens + completion.prompt_tokens,
            usage.completion_tokens + completion.completion_tokens,
            (*usage.tool_names, *(call.name for call in completion.tool_calls)),
        ),
    )


async def _ask(
    state: TurnState,
    ports: Ports,
    messages: tuple[ChatMessage, ...],
    tools: tuple[ToolSpec, ...],
    iteration: int,
) -> Completion:
    """The agent's model, or where that does not answer the next rung of its ladder: the fallback model."""
    agent = state.input.agent
    key = f"{generation_prefix(state)}model:{iteration}"
    try:
        return await _ask_model(agent.model, key, state, ports, messages, tools)
    except (UnknownError, StaleError, PausedError, StoppedError):
        raise
    except PipelineError:
        if not agent.fallback_model:
            raise
        key = f"{key}{FALLBACK}"
        return await _ask_model(agent.fallback_model, key, state, ports, messages, tools, is_fallback=True)


def generation_prefix(state: TurnState) -> str:
    """A turn that started over to take in new messages asks anew: its steps have keys of their own."""
    return f"{state.input.generation}/" if state.input.generation else ""


async def _ask_model(
    model: str,
    key: str,
    state: TurnState,
    ports: Ports,
    messages: tuple[ChatMessage, ...],
    tools: tuple[ToolSpec, ...],
    *,
    is_fallback: bool = False,
) -> Completion:
    agent = state.input.agent
    request = CompletionRequest(
        model=model,
        messages=messages,
        tools=tools,
        temperature=agent.temperature,
        max_output_tokens=agent.max_output_tokens,
        wants_confidence=approval.wants_confidence(state),
    )

    async def run(idempotency_key: UUID) -> Json:
        return _record(await ports.model.complete(request))

    effect = Effect(
        key=key,
        call=Call.MODEL,
        name=model,
        request={
            "messages": [message.to_json() for message in messages],
            "tools": [spec.name for spec in tools],
            "temperature": agent.temperature,
            "max_output_tokens": agent.max_output_tokens,
        },
        is_idempotent=True,
        deadline_s=CALLS[Call.MODEL].attempt_s,
        breaker=f"model:{model}",
        is_fallback=is_fallback,
    )
    return _completion(await ports.journal.perform(effect, run))


def _record(completion: Completion) -> Json:
    return {
        "text": completion.text,
        "tool_calls": [call.to_json() for call in completion.tool_calls],
        "model": completion.model,
        "request_id": completion.request_id,
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
        "confidence": completion.confidence,
    }


def _completion(recorded: Json) -> Completion:
    """What `_record` was made of."""
    calls: list[dict[str, Any]] = recorded["tool_calls"]
    return Completion(**{**recorded, "tool_calls": tuple(ToolCall(**call) for call in calls)})


async def _call_all(
    state: TurnState, ports: Ports, specs: tuple[ToolSpec, ...], calls: tuple[ToolCall, ...], iteration: int
) -> list[ChatMessage]:
    """Side by side. One that ends unknown, or is held, does not cut the others off: each ends and is recorded first."""
    prefix = generation_prefix(state)
    ended = await asyncio.gather(
        *(_call(state, ports, specs, call, f"{prefix}tool:{iteration}.{n}") for n, call in enumerate(calls)),
        return_exceptions=True,
    )
    _raise_gravest(ended)
    return [result for result in ended if isinstance(result, ChatMessage)]


def _raise_gravest(ended: Sequence[ChatMessage | BaseException]) -> None:
    """An accident before a person's answer, a person's answer before what still waits for one."""
    errors = [result for result in ended if isinstance(result, BaseException)]
    held = [error for error in errors if isinstance(error, HeldError)]
    answered = [error for error in errors if isinstance(error, AnsweredError)]
    accidents = [error for error in errors if not isinstance(error, HeldError | AnsweredError)]
    for error in (*accidents, *answered):
        raise error
    if held:
        raise HeldError(tuple(proposal for error in held for proposal in error.proposals))


async def _call(
    state: TurnState, ports: Ports, specs: tuple[ToolSpec, ...], call: ToolCall, key: str
) -> ChatMessage:
    """The tool's result, or its failure in words: both are for the model to read."""
    try:
        content = await _perform_call(state, ports, specs, call, key)
    except (UnknownError, StaleError, PausedError):
        raise
    except PipelineError as error:
        content = f"{FAILED}{error.code}: {error.detail}"
    return ChatMessage(role=Role.TOOL, content=content, tool_call_id=call.id)


async def _perform_call(
    state: TurnState, ports: Ports, specs: tuple[ToolSpec, ...], call: ToolCall, key: str
) -> str:
    spec = next((spec for spec in specs if spec.name == call.name), None)
    if spec is None:
        known = ", ".join(spec.name for spec in specs) or "none"
        raise RequestError(Code.TOOL_UNKNOWN, f"There is no tool {call.name!r}. You may call: {known}.")
    call = await approval.of_call(state, ports, spec, call, key)

    async def run(idempotency_key: UUID) -> Json:
        caller = ToolCaller(state=state, idempotency_key=idempotency_key)
        return {"result": await ports.tools.call(call.name, call.arguments, caller)}

    effect = Effect(
        key=key,
        call=Call.TOOL,
        name=call.name,
        request={"arguments": call.arguments},
        is_idempotent=spec.is_idempotent,
        deadline_s=spec.timeout_s,
    )
    result: str = (await ports.journal.perform(effect, run))["result"]
    return result
