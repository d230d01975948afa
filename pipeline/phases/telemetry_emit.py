from pipeline.phases.state import TurnState
from pipeline.ports import Ports


async def telemetry_emit(state: TurnState, ports: Ports) -> TurnState:
    assert state.decision is not None  # checked by the contract
    assert state.session is not None
    ports.telemetry.emit(
        "turn.finished",
        {
            "session_id": str(state.session.session_id or ""),
            "outcome": state.decision.outcome,
            "error_code": state.decision.code or "",
            "attempt": state.input.attempt,
            "duration_ms": round(sum(record.duration_ms for record in state.records), 1),
            "prompt_tokens": state.usage.prompt_tokens,
            "completion_tokens": state.usage.completion_tokens,
            "replies": len(state.drafts or ()),
        },
    )
    return state
