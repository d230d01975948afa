from collections.abc import Callable
from dataclasses import replace

from pipeline.phases.state import Decision, Outcome, TurnState
from pipeline.phases.texts import Text, translate
from pipeline.ports import Ports


async def command_dispatch(state: TurnState, ports: Ports) -> TurnState:
    """A message that is a known command is answered here, without the model."""
    word = state.input.messages[-1].text.strip().lower()
    command = COMMANDS.get(word)
    if command is None:
        return replace(state, command="")
    return replace(command(state), command=word, decision=Decision(Outcome.COMMAND))


def _help(state: TurnState) -> TurnState:
    return replace(state, replies=(translate(Text.HELP, state.input.agent.language),))


def _reset(state: TurnState) -> TurnState:
    assert state.session is not None  # promised by session_attach, checked by the contract
    return replace(
        state,
        session=replace(state.session, reset=True),
        replies=(translate(Text.RESET, state.input.agent.language),),
    )


def _usage(state: TurnState) -> TurnState:
    session = state.input.session
    text = translate(Text.USAGE, state.input.agent.language).format(
        turns=session.turn_count if session else 0,
        tokens=session.prompt_tokens + session.completion_tokens if session else 0,
    )
    return replace(state, replies=(text,))


def is_command(text: str) -> bool:
    return text.strip().lower() in COMMANDS


COMMANDS: dict[str, Callable[[TurnState], TurnState]] = {"/help": _help, "/reset": _reset, "/usage": _usage}
