"""What waits for a person before it happens: a tool's call, or an answer. Asked through the journal."""

import json
from typing import Any

from pipeline.phases.state import TurnState
from pipeline.policies import risk
from pipeline.policies.errors import Code, RequestError
from pipeline.ports import (
    Completion,
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
    proposal = _held_call(state, spec, call, key)
    if proposal is None:
        return call
    ruling = await ports.journal.ask(proposal)
    if ruling.verdict is Verdict.ANSWER:
        raise AnsweredError(ruling)
    if ruling.verdict is Verdict.REJECT:
        raise RequestError(Code.TOOL_REFUSED, f"A person of the team refused this call: {ruling.reason}")
    if ruling.verdict is Verdict.EDIT:
        return ToolCall(call.id, call.name, ruling.arguments)
    return call


def _held_call(state: TurnState, spec: ToolSpec, call: ToolCall, key: str) -> Proposal | None:
    """None for a call that no rule holds, and for one whose arguments are no JSON object: the tool refuses that."""
    arguments = _arguments(call)
    if arguments is None:
        return None
    rule = risk.of_call(state.input.agent.risk_rules, call.name, arguments)
    if not spec.requires_approval and rule is None:
        return None
    return Proposal(
        key=f"{key}:review",
        kind=ProposalKind.TOOL,
        content={"tool": call.name, "arguments": arguments},
        why_code=Code.REVIEW_RULE if rule else Code.REVIEW_REQUIRED,
        why=str(rule or ""),
        is_low_risk=rule.low_risk if rule else spec.is_low_risk,
    )


def _arguments(call: ToolCall) -> dict[str, Any] | None:
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:
        return None
    return arguments if isinstance(arguments, dict) else None


async def of_reply(state: TurnState, ports: Ports, completion: Completion, key: str) -> Ruling:
    """What becomes of an answer; approved where no rule holds it. Raises `HeldError` until a person has decided."""
    why = _why_held(state, completion)
    if why is None:
        return Ruling(verdict=Verdict.APPROVE)
    code, rule = why
    return await ports.journal.ask(
        Proposal(
            key=f"{key}:review",
            kind=ProposalKind.REPLY,
            content={"text": completion.text},
            why_code=code,
            why=rule,
        )
    )


def _why_held(state: TurnState, completion: Completion) -> tuple[Code, str] | None:
    agent = state.input.agent
    if agent.is_supervised:
        return Code.REVIEW_SUPERVISED, ""
    rule = risk.of_reply(agent.risk_rules, state.content or "", completion.confidence)
    return (Code.REVIEW_RULE, str(rule)) if rule else None


def wants_confidence(state: TurnState) -> bool:
    return any(isinstance(rule, risk.ConfidenceRule) for rule in state.input.agent.risk_rules)
