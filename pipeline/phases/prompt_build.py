from dataclasses import replace
from string import Template
from zoneinfo import ZoneInfo

from pipeline.phases.state import TurnInput, TurnState
from pipeline.ports import ChatMessage, Ports, Role

NOTES = "Notes from your human colleagues. The contact does not see them: never quote or mention them."


async def prompt_build(state: TurnState, ports: Ports) -> TurnState:
    """The agent's instructions with staff's notes, then what was said, then what is said now."""
    assert state.context is not None  # both checked by the contract
    assert state.content is not None
    system = ChatMessage(role=Role.SYSTEM, content=_instructions(state.input) + _notes(state.input))
    said = ChatMessage(role=Role.USER, content=state.content)
    return replace(state, prompt=(system, *state.context, said))


def _instructions(turn: TurnInput) -> str:
    agent = turn.agent
    return Template(agent.prompt_template).safe_substitute(
        agent_name=agent.name,
        tenant_name=agent.tenant_name,
        contact_name=turn.contact_name or turn.contact_address,
        language=agent.language,
        now=turn.now.astimezone(ZoneInfo(agent.time_zone)).strftime("%Y-%m-%d %H:%M %Z"),
    )


def _notes(turn: TurnInput) -> str:
    return "".join((f"\n\n{NOTES}", *(f"\n- {note}" for note in turn.notes))) if turn.notes else ""
