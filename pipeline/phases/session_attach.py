from dataclasses import replace
from datetime import timedelta

from pipeline.phases.state import SessionPlan, TurnInput, TurnState
from pipeline.ports import Ports


async def session_attach(state: TurnState, ports: Ports) -> TurnState:
    """Go on with the open session; if it went idle, close it and plan a new one that remembers nothing of it."""
    session = state.input.session
    if session is None:
        return replace(state, session=SessionPlan(None))
    if not _is_idle(state.input):
        return replace(state, session=SessionPlan(session.id))
    fresh = replace(state.input, session=None, history=())
    return replace(state, input=fresh, session=SessionPlan(None, idle_session_id=session.id))


def _is_idle(turn: TurnInput) -> bool:
    assert turn.session is not None
    return turn.now - turn.session.last_activity_at > timedelta(seconds=turn.agent.session_idle_s)
