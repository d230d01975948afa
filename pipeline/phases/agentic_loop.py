"""The model and its tools, in turns, until the model answers in words."""

import asyncio
from dataclasses import asdict, replace
from typing import Any
from uuid import UUID

from pipeline.phases.state import Decision, Outcome, TurnState, Usage
from pipeline.policies.calls import CALLS, Call
from pipeline.policies.errors import (
    Code,
    PermanentError,
    PipelineError,
    RequestError,
    StaleError,
    UnknownError,
)
from pipeline.ports import (
    ChatMessage,
    Completion,
    CompletionRequest,
    Effect,
    Json,
    Ports,
    Role,
    ToolCall,
    ToolCaller,
    ToolSpec,
)


async def agentic_loop(state: TurnState, ports: Ports) -> TurnState:
    """Ask the model; run the tools it calls; ask again, at most `max_tool_iterations` times with tools on offer.

    Raises the model's `PipelineError`, and `UnknownError` when nobody knows whether a tool has acted.
    """
    assert state.prompt is not None  # checked by the contract
    specs = ports.tools.specs(state.input.agent.allowed_tools)
    messages = state.prompt
    for iteration in range(state.input.agent.max_tool_iterations):
        completion = await _ask(state, ports, messages, specs, iteration)
        state = _count(state, completion)
        if not completion.tool_calls:
            return _answered(state, completion)
        asked = ChatMessage(role=Role.ASSISTANT, content=completion.text, tool_calls=completion.tool_calls)
        messages = (
            *messages,
            asked,
            *await _call_all(state, ports, specs, completion.tool_calls, iteration),
        )
    completion = await _ask(state, ports, messages, (), state.input.agent.max_tool_iterations)
    if completion.tool_calls:
        raise PermanentError(Code.TOOL_ITERATIONS, "The model called a tool where it had to answer in words.")
    return _answered(_count(state, completion), completion)


def _answered(state: TurnState, completion: Completion) -> TurnState:
    return replace(state, replies=(completion.text,), decision=Decision(Outcome.REPLIED))


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
    except (UnknownError, StaleError):
        raise
    except PipelineError:
        if not agent.fallback_model:
            raise
        return await _ask_model(agent.fallback_model, f"{key}:fallback", state, ports, messages, tools)


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
) -> Completion:
    agent = state.input.agent
    request = CompletionRequest(
        model=model,
        messages=messages,
        tools=tools,
        temperature=agent.temperature,
        max_output_tokens=agent.max_output_tokens,
    )

    async def run(idempotency_key: UUID) -> Json:
        return asdict(await ports.model.complete(request))

    effect = Effect(
        key=key,
        call=Call.MODEL,
        name=model,
        request={
            "messages": [asdict(message) for message in messages],
            "tools": [spec.name for spec in tools],
            "temperature": agent.temperature,
            "max_output_tokens": agent.max_output_tokens,
        },
        is_idempotent=True,
        deadline_s=CALLS[Call.MODEL].attempt_s,
        breaker=f"model:{model}",
    )
    return _completion(await ports.journal.perform(effect, run))


def _completion(recorded: Json) -> Completion:
    calls: list[dict[str, Any]] = recorded["tool_calls"]
    return Completion(**{**recorded, "tool_calls": tuple(ToolCall(**call) for call in calls)})


async def _call_all(
    state: TurnState, ports: Ports, specs: tuple[ToolSpec, ...], calls: tuple[ToolCall, ...], iteration: int
) -> list[ChatMessage]:
    """Side by side. One that ends unknown does not cut the others off: each ends and is recorded first."""
    prefix = generation_prefix(state)
    ended = await asyncio.gather(
        *(_call(state, ports, specs, call, f"{prefix}tool:{iteration}.{n}") for n, call in enumerate(calls)),
        return_exceptions=True,
    )
    for result in ended:
        if isinstance(result, BaseException):
            raise result
    return [result for result in ended if isinstance(result, ChatMessage)]


async def _call(
    state: TurnState, ports: Ports, specs: tuple[ToolSpec, ...], call: ToolCall, key: str
) -> ChatMessage:
    """The tool's result, or its failure in words: both are for the model to read."""
    try:
        content = await _perform_call(state, ports, specs, call, key)
    except (UnknownError, StaleError):
        raise
    except PipelineError as error:
        content = f"error {error.code}: {error.detail}"
    return ChatMessage(role=Role.TOOL, content=content, tool_call_id=call.id)


async def _perform_call(
    state: TurnState, ports: Ports, specs: tuple[ToolSpec, ...], call: ToolCall, key: str
) -> str:
    spec = next((spec for spec in specs if spec.name == call.name), None)
    if spec is None:
        known = ", ".join(spec.name for spec in specs) or "none"
        raise RequestError(Code.TOOL_UNKNOWN, f"There is no tool {call.name!r}. You may call: {known}.")

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
