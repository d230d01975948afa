"""What a tool is: a typed function, made callable by a model."""

import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, get_type_hints
from uuid import UUID

from pydantic import BaseModel, ConfigDict, create_model

from pipeline.agents import threads
from pipeline.agents.registry import registry
from pipeline.policies.calls import CALLS, Call

TOOL_TIMEOUT_S = CALLS[Call.TOOL].attempt_s

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolContext:
    """Who the tool acts for. Hand `idempotency_key` to whatever the tool calls: it is the same on every attempt."""

    conversation_id: int
    contact_address: str
    contact_name: str
    language: str
    now: datetime
    idempotency_key: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    name: str
    description: str
    parameters: type[BaseModel]
    function: Callable[..., Any]
    takes_context: bool
    timeout_s: float
    is_idempotent: bool
    requires_approval: bool
    is_low_risk: bool
    calls_person: bool

    async def call(self, arguments: BaseModel, context: ToolContext) -> str:
        """Run it and return its result as text for the model: a string as it is, anything else as JSON."""
        given = {name: getattr(arguments, name) for name in type(arguments).model_fields}
        if self.takes_context:
            given["context"] = context
        result = await self._run(given)
        return result if isinstance(result, str) else json.dumps(result, default=str, ensure_ascii=False)

    async def _run(self, given: dict[str, Any]) -> Any:
        if inspect.iscoroutinefunction(self.function):
            return await self.function(**given)
        return await threads.run(partial(self.function, **given))


def tool(
    *,
    timeout_s: float = TOOL_TIMEOUT_S,
    idempotent: bool = False,
    requires_approval: bool = False,
    low_risk: bool = False,
    calls_person: bool = False,
) -> Callable[[Function], Function]:
    """Register a function as a tool. A parameter named `context` receives the `ToolContext`, unseen by the model.

    `idempotent`: running it twice with the same arguments does no harm. Say so only when it is true: the engine
    runs an idempotent tool again after a crash, and holds any other up to a person.
    `requires_approval`: each call waits until a person has approved it; with `low_risk`, equal ones may be approved at
    once. `calls_person`: once it succeeded, the conversation lies in the review inbox, with its argument `reason`.
    Raises `TypeError` where a parameter has no type or the function has no docstring.
    """

    def register(function: Function) -> Function:
        registry.add(
            _describe(
                function,
                timeout_s=timeout_s,
                is_idempotent=idempotent,
                requires_approval=requires_approval,
                is_low_risk=low_risk,
                calls_person=calls_person,
            )
        )
        return function

    return register


def _describe(function: Callable[..., Any], **policy: Any) -> Tool:
    description = inspect.getdoc(function)
    if not description:
        raise TypeError(f"The tool {function.__name__} needs a docstring: it is what the model reads.")
    return Tool(
        name=function.__name__,
        description=description,
        parameters=_parameters(function),
        function=function,
        takes_context="context" in inspect.signature(function).parameters,
        **policy,
    )


def _parameters(function: Callable[..., Any]) -> type[BaseModel]:
    hints = get_type_hints(function)
    fields: dict[str, Any] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name == "context":
            continue
        if name not in hints:
            raise TypeError(f"The parameter {name} of the tool {function.__name__} needs a type.")
        fields[name] = (hints[name], ... if parameter.default is parameter.empty else parameter.default)
    return create_model(function.__name__, __config__=ConfigDict(extra="forbid"), **fields)
