"""What waits for a person before it happens: a tool's call, or an answer. What they decided stands in the journal."""

import json
from typing import Any

from pipeline.phases.state import TurnState
from pipeline.policies import risk
from pipeline.policies.errors import Code, RequestError
from pipeline.policies.switches import Capability, SwitchAction
from pipeline.ports import (
    Completion,
    HeldError,
    Ports,
    Proposal,
    ProposalKind,
    Ruling,
    ToolCall,
    ToolSpec,
    Verdict,
)


class AnsweredError(Exception):
    """A person answered the contact themselves, in place of what the agent proposed."""

    def __init__(self, ruling: Ruling) -> None:
        super().__init__(ruling.text)
        self.ruling = ruling


async def of_call(state: TurnState, ports: Ports, spec: ToolSpec, call: ToolCall, key: str) -> ToolCall:
    """The call as it may be made: as proposed, or as a person changed it.

    Raises `HeldError` until a person has decided, `RequestError` where they refused, `AnsweredError`.
    """
    ruling = ports.journal.ruling(_review(key))
    if ruling is None:
        await _hold_call(state, ports, spec, call, key)
        return call
    if ruling.verdict is Verdict.ANSWER:
        raise AnsweredError(ruling)
    if ruling.verdict is Verdict.REJECT:
        raise RequestError(Code.TOOL_REFUSED, f"A person of the team refused this call: {ruling.reason}")
    if ruling.verdict is Verdict.EDIT:
        return ToolCall(call.id, call.name, ruling.arguments)
    return call


def _review(key: str) -> str:
    """The key of what was proposed for a step: what was decided counts, also when nothing would hold it any more."""
    return f"{key}:review"


async def _hold_call(state: TurnState, ports: Ports, spec: ToolSpec, call: ToolCall, key: str) -> None:
    """Raises `HeldError` where something holds it. One whose arguments are no JSON object the tool refuses itself."""
    arguments = _arguments(call)
    if arguments is None:
        return
    rule = risk.of_call(state.input.agent.risk_rules, call.name, arguments)
    if rule is not None:
        code, is_low_risk = Code.REVIEW_RULE, rule.low_risk
    elif spec.requires_approval:
        code, is_low_risk = Code.REVIEW_REQUIRED, spec.is_low_risk
    elif await _is_degraded(state, ports, Capability.TOOL, call.name):
        code, is_low_risk = Code.REVIEW_SWITCH, False
    else:
        return
    content = {"tool": call.name, "arguments": arguments}
    proposal = Proposal(
        key=_review(key),
        kind=ProposalKind.TOOL,
        content=content,
        why_code=code,
        why=str(rule or ""),
        is_low_risk=is_low_risk,
    )
    raise HeldError((proposal,))


def _arguments(call: ToolCall) -> dict[str, Any] | None:
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:
        return None
    return arguments if isinstance(arguments, dict) else None


async def of_reply(state: TurnState, ports: Ports, completion: Completion, key: str) -> Ruling:
    """What becomes of an answer; approved where no rule holds it. Raises `HeldError` until a person has decided."""
    if ruling := ports.journal.ruling(_review(key)):
        return ruling
    why = await _why_held(state, ports, completion)
    if why is None:
        return Ruling(verdict=Verdict.APPROVE)
    code, rule = why
    proposal = Proposal(
        key=_review(key),
        kind=ProposalKind.REPLY,
        content={"text": completion.text},
        why_code=code,
        why=rule,
    )
    raise HeldError((proposal,))


async def _why_held(state: TurnState, ports: Ports, completion: Completion) -> tuple[Code, str] | None:
    agent = state.input.agent
    if agent.is_supervised:
        return Code.REVIEW_SUPERVISED, ""
    if rule := risk.of_reply(agent.risk_rules, state.content or "", completion.confidence):
        return Code.REVIEW_RULE, str(rule)
    if await _is_degraded(state, ports, Capability.REPLIES):
        return Code.REVIEW_SWITCH, ""
    return None


async def _is_degraded(state: TurnState, ports: Ports, capability: Capability, tool: str = "") -> bool:
    """What a switch pauses or stops is refused elsewhere: before each effect, and between the phases."""
    return await ports.controls.in_force(capability, state.input, tool) is SwitchAction.DEGRADE


def wants_confidence(state: TurnState) -> bool:
    return any(isinstance(rule, risk.ConfidenceRule) for rule in state.input.agent.risk_rules)
