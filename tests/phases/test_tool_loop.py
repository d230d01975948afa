"""Model and tools in turns, on the real engine: whatever a tool call is, the model hears of it and answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.agents import ToolContext, tool
from pipeline.engine import runner
from pipeline.phases import PHASES
from pipeline.policies.deadlines import DEADLINES
from pipeline.policies.errors import Code
from tests.engine_room import ADDRESS, Room

called: list[tuple[str, ToolContext]] = []


@tool(timeout_s=5, idempotent=True)
async def remember(word: str, times: int, context: ToolContext) -> dict[str, object]:
    """Remember a word."""
    called.append((word, context))
    return {"remembered": [word] * times}


@pytest.fixture
def loop(room: Room) -> Room:
    called.clear()
    room.configure(allowed_tools=["remember", "order_status"])
    return room


def told(room: Room) -> list[str]:
    """What the model was told by tools, in its last request."""
    messages = room.steps()[-1].request["messages"]
    return [message["content"] for message in messages if message["role"] == "tool"]


def kinds(room: Room) -> list[str]:
    return [step.kind for step in room.steps()]


def test_tools_result_reaches_the_model_and_its_answer_the_contact(loop: Room) -> None:
    (key,) = loop.say('#tool remember {"word": "blue", "times": 2}')
    loop.work()
    assert loop.outcome(key) == ("replied", "")
    assert told(loop) == ['{"remembered": ["blue", "blue"]}']
    assert kinds(loop) == ["model", "tool", "model"]
    ((word, context),) = called
    assert (word, context.contact_address) == ("blue", ADDRESS)
    assert context.idempotency_key == loop.steps()[1].idempotency_key


def test_several_tools_asked_for_at_once_all_run(loop: Room) -> None:
    loop.say('#tool remember {"word": "a", "times": 1} #tool remember {"word": "b", "times": 1}')
    loop.work()
    assert sorted(word for word, _ in called) == ["a", "b"]
    assert len(told(loop)) == 2


@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        ("fly {}", Code.TOOL_UNKNOWN, "You may call: remember, order_status"),
        ("request_refund {}", Code.TOOL_UNKNOWN, "request_refund"),
        ('remember {"word": "x"}', Code.TOOL_ARGUMENTS, "times"),
        ('remember {"word": "x", "times": "many"}', Code.TOOL_ARGUMENTS, "times"),
        ('remember {"word": "x", "times": 1, "more": 1}', Code.TOOL_ARGUMENTS, "more"),
        ("remember {broken", Code.TOOL_ARGUMENTS, "JSON"),
        ("remember [1]", Code.TOOL_ARGUMENTS, "arguments"),
    ],
)
def test_wrong_call_is_explained_to_the_model_and_nothing_runs(
    loop: Room, call: str, code: Code, words: str
) -> None:
    """A tool the agent may not use does not exist for it."""
    (key,) = loop.say(f"#tool {call}")
    loop.work()
    assert loop.outcome(key) == ("replied", "")
    (explanation,) = told(loop)
    assert explanation.startswith(f"error {code}")
    assert words in explanation
    assert not called


def test_model_that_never_stops_calling_is_made_to_answer(loop: Room) -> None:
    loop.configure(max_tool_iterations=2)
    (key,) = loop.say('#loop remember {"word": "again", "times": 1}')
    loop.work()
    assert loop.outcome(key) == ("replied", "")
    assert kinds(loop) == ["model", "tool", "model", "tool", "model"]
    assert loop.steps()[-1].request["tools"] == []


def test_agent_without_tools_offers_none(loop: Room) -> None:
    loop.configure(allowed_tools=[])
    loop.say('#tool remember {"word": "x", "times": 1}')
    loop.work()
    assert kinds(loop) == ["model"]
    assert not called


def test_tokens_of_all_calls_are_counted_on_turn_and_session(loop: Room) -> None:
    loop.say('#tool remember {"word": "x", "times": 1}')
    loop.work()
    used = [step.response["prompt_tokens"] for step in loop.steps() if step.kind == "model" and step.response]
    assert loop.turn().prompt_tokens == sum(used)
    assert loop.sessions()[0].prompt_tokens == sum(used)


def test_turn_that_takes_too_long_ends_and_the_contact_is_told(
    loop: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "DEADLINES", type(DEADLINES)(turn_s=1.0))
    (key,) = loop.say("#sleep 30 Hello")
    loop.work()
    assert loop.outcome(key) == ("failed", Code.TURN_DEADLINE)
    assert loop.accepted() == [loop.agent.fallback_reply]
    failed = [record for record in loop.turn().phases if record["error"]]
    assert [record["name"] for record in failed] == ["agentic_loop"]


def test_phase_that_takes_too_long_ends_the_turn_under_a_code_of_its_own(
    loop: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = [replace(each, deadline_s=1.0) if each.name == "agentic_loop" else each for each in PHASES]
    monkeypatch.setattr(runner, "PHASES", short)
    (key,) = loop.say("#sleep 30 Hello")
    loop.work()
    assert loop.outcome(key) == ("failed", Code.PHASE_DEADLINE)
    assert loop.turn().error_detail == "agentic_loop took longer than its 1 s."


def test_every_phase_is_timed_and_named_on_the_turn(loop: Room) -> None:
    loop.say("Hello")
    loop.work()
    records = loop.turn().phases
    assert [record["name"] for record in records][:7] == [phase.name for phase in PHASES]
    assert all(record["duration_ms"] >= 0 for record in records)
    starts = [record["started_ms"] for record in records]
    assert starts == sorted(starts)
