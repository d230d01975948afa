from dataclasses import replace

from pipeline.phases.obedience import obey
from pipeline.phases.state import InboundMessage, TurnState
from pipeline.policies.switches import Capability
from pipeline.ports import Ports

VOICE = "audio"


async def content_resolution(state: TurnState, ports: Ports) -> TurnState:
    """What the contact said, as text for the model; media is named, so that the model knows what it cannot see."""
    if any(message.kind == VOICE for message in state.input.messages):
        await obey(ports.controls, Capability.VOICE_IN, state.input)
    return replace(state, content="\n".join(_as_text(message) for message in state.input.messages))


def _as_text(message: InboundMessage) -> str:
    if not message.media:
        return message.text
    return f"[{message.kind}] {message.text}".rstrip()
