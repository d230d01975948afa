from dataclasses import replace

from pipeline.phases.state import Access, Decision, Outcome, SessionPlan, TurnInput, TurnState
from pipeline.phases.texts import Text, translate
from pipeline.policies.errors import Code
from pipeline.ports import Ports


async def access_policy(state: TurnState, ports: Ports) -> TurnState:
    """Whether the agent may answer this contact now. Who it may not answer is recorded all the same."""
    turn = state.input
    if turn.owned_by_person:
        return _refuse(state, Access.OWNED_BY_PERSON, Decision(Outcome.NEEDS_HUMAN))
    if turn.blocked_by is not None:
        return _refuse(state, Access.BLOCKED, Decision(Outcome.BLOCKED, Code.CONTACT_BLOCKED))
    if turn.recent_count > turn.agent.rate_limit_per_minute:
        decision = Decision(Outcome.RATE_LIMITED, Code.CONTACT_RATE_LIMITED)
        return _refuse(state, Access.RATE_LIMITED, decision, replies=_notice(turn))
    return replace(state, access=Access.ALLOWED)


def _refuse(state: TurnState, access: Access, decision: Decision, replies: tuple[str, ...] = ()) -> TurnState:
    session = state.input.session
    plan = SessionPlan(session.id if session else None)
    return replace(state, access=access, session=plan, replies=replies, decision=decision)


def _notice(turn: TurnInput) -> tuple[str, ...]:
    """Said once: with the first message over the limit. Those within a minute of another that was, meet silence."""
    return () if turn.was_limited else (translate(Text.RATE_LIMITED, turn.agent.language),)
