"""The tools that installed apps offer, as the phases call them."""

from uuid import UUID

from pydantic import ValidationError

from pipeline.agents import Tool, ToolContext, registry
from pipeline.phases.state import TurnInput
from pipeline.policies.errors import Code, PermanentError, RequestError
from pipeline.ports import ToolCaller, ToolSpec


class Toolbox:
    """The `Tools` port."""

    def specs(self, names: tuple[str, ...]) -> tuple[ToolSpec, ...]:
        return tuple(_spec(tool) for tool in registry.select(names))

    async def call(self, name: str, arguments: str, caller: ToolCaller) -> str:
        """See `pipeline.ports.Tools`. What a tool raises is its own affair: the model is told, the turn goes on."""
        tool = registry.get(name)
        if tool is None:
            raise RequestError(Code.TOOL_UNKNOWN, f"There is no tool {name!r}.")
        try:
            checked = tool.parameters.model_validate_json(arguments or "{}")
        except ValidationError as error:
            raise RequestError(Code.TOOL_ARGUMENTS, _complaint(error)) from error
        try:
            return await tool.call(checked, _context(caller.state.input, caller.idempotency_key))
        except Exception as error:
            raise PermanentError(Code.TOOL_FAILED, f"{type(error).__name__}: {error}") from error


def _spec(tool: Tool) -> ToolSpec:
    return ToolSpec(
        name=tool.name,
        description=tool.description,
        parameters=tool.parameters,
        timeout_s=tool.timeout_s,
        is_idempotent=tool.is_idempotent,
        requires_approval=tool.requires_approval,
        is_low_risk=tool.is_low_risk,
        calls_person=tool.calls_person,
    )


def _context(turn: TurnInput, idempotency_key: UUID) -> ToolContext:
    return ToolContext(
        conversation_id=turn.conversation_id,
        contact_address=turn.contact_address,
        contact_name=turn.contact_name,
        language=turn.agent.language,
        now=turn.now,
        idempotency_key=idempotency_key,
    )


def _complaint(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, one['loc'])) or 'arguments'}: {one['msg']}" for one in error.errors()
    )
