from dataclasses import replace

from pipeline.phases.state import TurnState
from pipeline.ports import Ports


async def context_assembly(state: TurnState, ports: Ports) -> TurnState:
    """Working memory: the last messages of this session."""
    limit = state.input.agent.history_limit
    return replace(state, context=state.input.history[-limit:] if limit else ())
