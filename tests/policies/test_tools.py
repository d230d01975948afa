"""What befalls tools, and the story that their steps tell."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from pipeline.agents import threads, tool
from pipeline.engine.executor import Executor
from pipeline.models import Worker
from pipeline.policies.errors import Code
from pipeline.policies.retries import Verdict
from tests.engine_room import Room

released = threading.Event()
returned: list[str] = []


@tool(timeout_s=0.2, idempotent=True)
def stubborn() -> str:
    """Does not end by itself."""
    released.wait(30)
    returned.append("late result")
    return "late result"


@tool(timeout_s=0.2, idempotent=False)
def stubborn_payment() -> str:
    """Does not end by itself, and may not run twice."""
    return stubborn()


@tool(timeout_s=5, idempotent=False)
def explode() -> str:
    """Fails."""
    raise ValueError("the warehouse is on fire")


@pytest.fixture(autouse=True)
def _release() -> Iterator[None]:
    released.clear()
    returned.clear()
    yield
    released.set()
    until(lambda: threads.left_behind() == 0)


def until(check: Callable[[], bool], within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not check():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def test_tool_that_ignores_its_deadline_is_left_behind_and_its_late_result_discarded(room: Room) -> None:
    room.configure(allowed_tools=["stubborn"])
    (key,) = room.say("#tool stubborn {}")
    room.work()
    assert room.outcome(key) == ("replied", "")
    assert "tool.timeout" in room.accepted()[0]
    assert threads.left_behind() == 2, "both tries"
    released.set()
    until(lambda: returned == ["late result"] * 2)
    until(lambda: threads.left_behind() == 0)
    assert [step.response for step in room.steps() if step.kind == "tool"] == [None]
    assert len(room.accepted()) == 1


def test_tools_left_behind_are_counted_on_the_workers_row(room: Room) -> None:
    room.configure(allowed_tools=["stubborn"])
    room.say("#tool stubborn {}")
    room.work()
    worker = Executor()
    worker.beat()
    worker.stop()
    assert Worker.objects.get().left_behind == 2


def test_tool_that_may_not_run_twice_and_ignores_its_deadline_is_held_up_to_a_person(room: Room) -> None:
    room.configure(allowed_tools=["stubborn_payment"])
    (key,) = room.say("#tool stubborn_payment {}")
    room.work()
    assert room.outcome(key) == ("needs_human", Code.STEP_UNKNOWN)
    (step,) = [step for step in room.steps() if step.kind == "tool"]
    assert (step.status, step.attempts) == ("unknown", 1)
    assert [each["verdict"] for each in step.decisions] == [Verdict.FINAL_ERROR]


def test_tool_that_found_no_thread_to_begin_in_certainly_did_not_act(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = ThreadPoolExecutor(1)
    busy.submit(released.wait, 30)
    monkeypatch.setattr(threads, "_pool", busy)
    room.configure(allowed_tools=["stubborn_payment"])
    (key,) = room.say("#tool stubborn_payment {}")
    room.work()
    released.set()
    busy.shutdown()
    assert room.outcome(key) == ("replied", "")
    (step,) = [step for step in room.steps() if step.kind == "tool"]
    assert (step.status, step.error_code, step.attempts) == ("failed", Code.TOOL_TIMEOUT, 1)
    assert returned == []


@pytest.mark.django_db(transaction=True)
def test_plain_tool_finds_the_database_again_after_its_connection_was_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one_thread = ThreadPoolExecutor(1)
    monkeypatch.setattr(threads, "_pool", one_thread)
    first = asyncio.run(threads.run(backend))
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
    assert asyncio.run(threads.run(backend)) != first
    one_thread.submit(lambda: connection.close()).result(10)
    one_thread.shutdown()


def backend() -> int:
    """The server's process behind this thread's connection."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def test_step_tells_why_it_was_tried_again_and_how_long_it_waited(room: Room) -> None:
    room.fault("llm", "error", status=503, count=2)
    room.say("Hello")
    room.work()
    (step,) = room.steps()
    assert (step.status, step.attempts) == ("succeeded", 3)
    assert [(each["attempt"], each["error_code"], each["verdict"]) for each in step.decisions] == [
        (1, Code.MODEL_SERVER, Verdict.RETRY),
        (2, Code.MODEL_SERVER, Verdict.RETRY),
    ]
    assert 0.5 <= step.decisions[0]["wait_s"] <= 0.75
    assert 1.0 <= step.decisions[1]["wait_s"] <= 1.5


def test_step_tells_why_it_was_given_up(room: Room) -> None:
    room.fault("llm", "error", status=401)
    (key,) = room.say("Hello")
    room.work()
    (step,) = room.steps()
    assert (step.status, step.error_code, step.attempts) == ("failed", Code.MODEL_CREDENTIALS, 1)
    assert [each["verdict"] for each in step.decisions] == [Verdict.FINAL_ERROR]
    assert room.outcome(key) == ("failed", Code.MODEL_CREDENTIALS)


def test_step_waits_as_long_as_the_provider_asks(room: Room) -> None:
    room.fault("llm", "rate_limit", retry_after=2, count=1)
    room.say("Hello")
    room.work()
    (step,) = room.steps()
    assert step.decisions[0]["wait_s"] >= 2
    assert step.finished_at is not None
    assert (step.finished_at - step.started_at).total_seconds() >= 2


def test_what_a_tool_raises_is_told_to_the_model_and_the_turn_goes_on(room: Room) -> None:
    room.configure(allowed_tools=["explode"])
    (key,) = room.say("#tool explode {}")
    room.work()
    assert room.outcome(key) == ("replied", "")
    assert "the warehouse is on fire" in room.accepted()[0]
    (step,) = [step for step in room.steps() if step.kind == "tool"]
    assert (step.status, step.error_code) == ("failed", Code.TOOL_FAILED)
