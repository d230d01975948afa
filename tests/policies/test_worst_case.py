"""How long everything can take at worst."""

import pytest

from pipeline.policies import worst_case
from pipeline.policies.calls import CALLS, Call
from pipeline.policies.deadlines import DEADLINES


def test_a_call_takes_its_tries_and_the_waits_between_them() -> None:
    # 3 tries of 20 s, waits of at most 0.75 s and 1.5 s.
    assert worst_case.call_s(Call.MODEL) == pytest.approx(62.25)


@pytest.mark.parametrize("call", list(Call))
def test_no_call_takes_longer_than_where_the_other_side_asks_us_to_wait(call: Call) -> None:
    policy = CALLS[call]

    assert policy.attempt_s <= worst_case.call_s(call) <= worst_case.asked_to_wait_s(call)
    assert worst_case.asked_to_wait_s(call) <= policy.retry.total_s + policy.attempt_s


def test_a_turn_without_tools_asks_once() -> None:
    # One try of 20 s, and the six retries that a turn has, each with a wait of at most 6 s.
    assert worst_case.turn(tool_iterations=0, slowest_tool_s=0, models=1).unbounded_s == 20 + 6 * 26


def test_a_fallback_model_and_tools_add_calls_but_no_retries() -> None:
    plain = worst_case.turn(tool_iterations=0, slowest_tool_s=0, models=1).unbounded_s
    rich = worst_case.turn(tool_iterations=2, slowest_tool_s=10, models=2).unbounded_s

    assert rich - plain == 5 * 20 + 2 * 10


def test_a_turn_ends_at_its_deadline_whatever_its_calls_would_allow() -> None:
    time = worst_case.turn(tool_iterations=10, slowest_tool_s=60, models=2)

    assert time.unbounded_s > time.bounded_s == DEADLINES.turn_s


def test_a_tool_has_what_the_model_leaves_it() -> None:
    assert worst_case.room_for_tool_s() == 45
