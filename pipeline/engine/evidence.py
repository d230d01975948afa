"""What the trail says of a turn: what was decided on its way, oldest first, then how it ended.

Names, states and codes only. What was said, asked and answered is on the steps and messages that the entries name.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from audit.compiled import RowQuery, param
from audit.models import ActorKind
from audit.operations import Fact
from pipeline.models import Step, StepKind, StepStatus
from pipeline.phases.agentic_loop import FALLBACK
from pipeline.phases.state import Decision, TurnInput, TurnState
from pipeline.policies.retries import Verdict
from pipeline.ports import Json

PAUSED = "turn.paused"
TOLD_OF_A_TRY = ("attempt", "error_code", "verdict", "wait_s")
"""Its error's detail may quote what was said."""


def of_turn(state: TurnState, session_id: int, decision: Decision) -> list[Fact]:
    """To be recorded in the transaction that commits the turn."""
    teller = _Teller(state.input, {"session_id": session_id})
    steps = EFFECTS.fetch(turn_id=state.input.turn_id)
    return [
        *_merged(teller),
        *(fact for step in steps for fact in _of_step(teller, step)),
        *_degraded(teller, state, steps, decision),
        _ended(teller, state, decision),
    ]


def of_postponement(turn: TurnInput, reason: str) -> Fact:
    return _Teller(turn, {}).fact("turn.postponed", object_type="turn", is_engines=True, reason=reason)


def of_pause(turn: TurnInput, reason: str) -> Fact:
    return _Teller(turn, {}).fact("turn.paused", object_type="turn", is_engines=True, reason=reason)


@dataclass(frozen=True, slots=True)
class _Teller:
    """`ids` are the correlation ids that the context does not know yet."""

    turn: TurnInput
    ids: dict[str, Any]

    def fact(
        self,
        action: str,
        *,
        object_type: str,
        object_id: object = None,
        is_engines: bool = False,
        reason: str = "",
        details: dict[str, Any] | None = None,
        **ids: object,
    ) -> Fact:
        """Of the turn itself where no `object_id` is given; the agent's doing, unless it is the engine's."""
        return Fact(
            action=action,
            object_type=object_type,
            object_id=object_id or self.turn.turn_id,
            actor_kind=ActorKind.SYSTEM if is_engines else ActorKind.AGENT,
            actor="" if is_engines else self.turn.agent.name,
            reason=reason,
            policy_version=self.turn.policy_version,
            details=details or {},
            ids={**self.ids, **ids},
        )


@dataclass(frozen=True, slots=True)
class _Step:
    """An effect, without what was said in it."""

    id: int
    key: str
    kind: str
    name: str
    idempotency_key: UUID
    status: str
    attempts: int
    decisions: list[Json]
    error_code: str


EFFECTS = RowQuery(
    _Step,
    lambda: Step.objects.filter(turn_id=param("turn_id"), kind__in=[StepKind.MODEL, StepKind.TOOL]).order_by(
        "pk"
    ),
)


def _merged(teller: _Teller) -> Iterator[Fact]:
    """Those before the last message of a burst, which stands for all of it."""
    *before, last = teller.turn.messages
    for message in before:
        yield teller.fact(
            "event.merged",
            object_type="event",
            object_id=message.event_id,
            is_engines=True,
            details={"into": last.event_id},
            event_id=message.event_id,
            dedupe_key=message.dedupe_key,
        )


def _of_step(teller: _Teller, step: _Step) -> Iterator[Fact]:
    if step.kind == StepKind.TOOL:
        yield teller.fact(
            "tool.called" if step.attempts else "tool.refused",
            object_type="step",
            object_id=step.id,
            reason=step.error_code,
            details=_call(step),
        )
    if step.decisions:
        last = step.decisions[-1]
        was_retried = last["verdict"] == Verdict.RETRY
        yield teller.fact(
            "step.retried" if was_retried else "step.given_up",
            object_type="step",
            object_id=step.id,
            is_engines=True,
            reason=last["error_code"] if was_retried else last["verdict"],
            details={"name": step.name, "tries": list(_tries(step))},
        )


def _call(step: _Step) -> dict[str, Any]:
    return {
        "name": step.name,
        "status": step.status,
        "attempts": step.attempts,
        "idempotency_key": str(step.idempotency_key),
    }


def _tries(step: _Step) -> Iterator[dict[str, Any]]:
    for decision in step.decisions:
        yield {name: decision.get(name) for name in TOLD_OF_A_TRY}


def _degraded(
    teller: _Teller, state: TurnState, steps: Sequence[_Step], decision: Decision
) -> Iterator[Fact]:
    """The lowest rung of the agent's ladder that the answer came from, where that is not the first."""
    if decision.failed and state.drafts:
        rung = {"rung": "fallback_reply"}
    elif models := [step.name for step in steps if _is_fallback(step)]:
        rung = {"rung": "fallback_model", "name": models[-1]}
    else:
        return
    yield teller.fact("turn.degraded", object_type="turn", reason=rung["rung"], details=rung)


def _is_fallback(step: _Step) -> bool:
    return step.key.endswith(FALLBACK) and step.status == StepStatus.SUCCEEDED


def _ended(teller: _Teller, state: TurnState, decision: Decision) -> Fact:
    details = {
        "command": state.command or "",
        "tools": list(state.usage.tool_names),
        "replies": len(state.drafts or ()),
        "attempt": state.input.attempt,
    }
    return teller.fact(
        f"turn.{decision.outcome}", object_type="turn", reason=decision.code or "", details=details
    )
