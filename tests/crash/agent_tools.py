import os
import signal

from pipeline.agents import tool


@tool(idempotent=True)
def end_the_process() -> str:
    """End the process, as a defect in a library of a tool might."""
    os.kill(os.getpid(), signal.SIGKILL)
    return "never said"
