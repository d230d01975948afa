"""How long the outside can keep us waiting if everything goes as badly as the policies allow."""

from dataclasses import dataclass

from pipeline.policies.calls import CALLS, Call
from pipeline.policies.deadlines import DEADLINES
from pipeline.policies.retries import RETRIES_A_TURN


def call_s(call: Call) -> float:
    """All tries of one call, each as long as it may be, with our own waits between them."""
    policy = CALLS[call]
    return min(policy.retry.attempts * policy.attempt_s + policy.retry.worst_wait_s, asked_to_wait_s(call))


def asked_to_wait_s(call: Call) -> float:
    """The same where the other side asks us to wait (Retry-After): no try begins after the total time."""
    policy = CALLS[call]
    return policy.attempt_s + (policy.retry.total_s if policy.retry.attempts > 1 else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnTime:
    """Of a turn that uses up its tool iterations. `unbounded_s` is what the policies of its calls would allow."""

    unbounded_s: float

    @property
    def bounded_s(self) -> float:
        return min(self.unbounded_s, DEADLINES.turn_s)


def turn(*, tool_iterations: int, slowest_tool_s: float, models: int) -> TurnTime:
    """`models`: how many its ladder has. Tools of one iteration run side by side, so its slowest one counts.

    Retries do not multiply: all steps of a turn share RETRIES_A_TURN of them.
    """
    model, tool = CALLS[Call.MODEL], CALLS[Call.TOOL]
    first_s = (tool_iterations + 1) * models * model.attempt_s + tool_iterations * slowest_tool_s
    longest_retry_s = max(model.attempt_s + 1.5 * model.retry.max_s, slowest_tool_s + 1.5 * tool.retry.max_s)
    return TurnTime(unbounded_s=first_s + RETRIES_A_TURN * longest_retry_s)


def room_for_tool_s() -> float:
    """What is left for a tool in a turn where the model needs one full try to call it and one to answer."""
    return DEADLINES.loop_s - 2 * CALLS[Call.MODEL].attempt_s
