from dataclasses import replace

from pipeline.phases.state import TurnState
from pipeline.ports import Ports


async def persistence(state: TurnState, ports: Ports) -> TurnState:
    """The commit point."""
    assert state.session is not None  # checked by the contract
    session_id = await ports.store.commit(state)
    known = replace(state.session, session_id=session_id or state.session.session_id)
    return replace(state, session=known, committed=True)
