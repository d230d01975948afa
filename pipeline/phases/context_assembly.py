from dataclasses import replace

from pipeline.phases.obedience import obey
from pipeline.phases.state import TurnState
from pipeline.policies.switches import Capability
from pipeline.ports import Ports


async def context_assembly(state: TurnState, ports: Ports) -> TurnState:
    """Working memory: the last messages of this session, unless a switch withholds them."""
    limit, said = state.input.agent.history_limit, state.input.history
    if not limit or not said or await obey(ports.controls, Capability.MEMORY, state.input):
        return replace(state, context=())
    return replace(state, context=said[-limit:])
