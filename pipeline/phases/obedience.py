from pipeline.phases.state import TurnInput
from pipeline.policies.errors import Code, PausedError, StoppedError
from pipeline.policies.switches import Capability, SwitchAction
from pipeline.ports import Controls


async def obey(controls: Controls, capability: Capability, turn: TurnInput, tool: str = "") -> bool:
    """Whether a switch degrades it. Raises `PausedError` or `StoppedError` where one pauses or stops it."""
    action = await controls.in_force(capability, turn, tool)
    name = f"the tool {tool}" if tool else capability.replace("_", " ")
    if action is SwitchAction.PAUSE:
        raise PausedError(Code.SWITCH_PAUSED, f"A switch pauses {name}.")
    if action is SwitchAction.STOP:
        raise StoppedError(Code.SWITCH_STOPPED, f"A switch stops {name}.")
    return action is SwitchAction.DEGRADE
