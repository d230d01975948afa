from dataclasses import replace

from pipeline.phases.state import TurnState
from pipeline.ports import Ports


async def persistence(state: TurnState, ports: Ports) -> TurnState:
    """The commit point."""
    await ports.store.commit(state)
    return replace(state, committed=True)
