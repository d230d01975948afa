"""What is on record is not run again, and what may have happened is never taken for not having happened."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from django.db import connection

from pipeline.engine.gate import Gate
from pipeline.engine.journal import StepJournal
from pipeline.models import Step
from pipeline.phases.state import TurnInput
from pipeline.policies.calls import Call
from pipeline.policies.errors import Code, PermanentError, PipelineError, StaleError, UnknownError
from pipeline.ports import Effect, Json
from tests.engine.flights import Flight, begun

pytestmark = pytest.mark.usefixtures("database_threads")

Run = Callable[[UUID], Awaitable[Json]]


@pytest.fixture
def flight(database_threads: None) -> Flight:
    return begun()


def effect(*, idempotent: bool, key: str = "tool:0.0") -> Effect:
    request = {"arguments": "{}"}
    return Effect(
        key=key, call=Call.TOOL, name="refund", request=request, is_idempotent=idempotent, deadline_s=5
    )


class Outside:
    """The world behind an effect: counts what reaches it, and under which keys."""

    def __init__(self, answer: Json | PipelineError) -> None:
        self.answer = answer
        self.keys: list[UUID] = []

    async def __call__(self, idempotency_key: UUID) -> Json:
        self.keys.append(idempotency_key)
        if isinstance(self.answer, PipelineError):
            raise self.answer
        return self.answer


class DeathError(BaseException):
    """The worker dies here: nothing after it is written."""


async def die(idempotency_key: UUID) -> Json:
    raise DeathError


def perform(turn: TurnInput, what: Effect, run: Run) -> Json:
    async def work() -> Json:
        return await (await StepJournal.open(turn, Gate())).perform(what, run)

    return asyncio.run(work())


def crash(turn: TurnInput, what: Effect) -> None:
    with pytest.raises(DeathError):
        perform(turn, what, die)


@pytest.mark.parametrize("idempotent", [True, False])
def test_effect_on_record_is_handed_out_and_not_run_again(flight: Flight, idempotent: bool) -> None:
    outside = Outside({"result": "refunded"})
    what = effect(idempotent=idempotent)
    assert perform(flight.turn, what, outside) == {"result": "refunded"}
    assert perform(flight.taken_over().turn, what, outside) == {"result": "refunded"}
    assert len(outside.keys) == 1


def test_failure_on_record_is_handed_out_and_not_tried_again(flight: Flight) -> None:
    outside = Outside(PermanentError(Code.TOOL_FAILED, "no such order"))
    for _ in range(2):
        with pytest.raises(PipelineError) as failure:
            perform(flight.turn, effect(idempotent=False), outside)
        assert (failure.value.code, failure.value.detail) == (Code.TOOL_FAILED, "no such order")
        flight = flight.taken_over()
    assert len(outside.keys) == 1


def test_effect_that_may_run_twice_runs_again_after_a_crash_under_the_same_key(flight: Flight) -> None:
    outside = Outside({"result": "found"})
    crash(flight.turn, effect(idempotent=True))
    first = perform(flight.turn, effect(idempotent=True, key="tool:0.1"), outside)
    again = perform(flight.taken_over().turn, effect(idempotent=True), outside)
    assert first == again
    other, same = outside.keys
    assert other != same
    assert Step.objects.get(key="tool:0.0").idempotency_key == same


def test_effect_that_may_not_run_twice_is_unknown_after_a_crash(flight: Flight) -> None:
    outside = Outside({"result": "refunded"})
    crash(flight.turn, effect(idempotent=False))
    assert Step.objects.get().status == "started"
    with pytest.raises(UnknownError) as unknown:
        perform(flight.taken_over().turn, effect(idempotent=False), outside)
    assert unknown.value.code == Code.STEP_UNKNOWN
    assert not outside.keys


def test_effect_that_may_not_run_twice_is_on_record_before_it_happens(flight: Flight) -> None:
    seen: list[str] = []

    async def look(idempotency_key: UUID) -> Json:
        seen.extend(await asyncio.to_thread(statuses))
        return {}

    perform(flight.turn, effect(idempotent=False), look)
    assert seen == ["started"]
    assert statuses() == ["succeeded"]


def statuses() -> list[str]:
    try:
        return list(Step.objects.values_list("status", flat=True))
    finally:
        connection.close()


def test_worker_that_lost_its_lease_begins_nothing_that_another_may_begin(flight: Flight) -> None:
    outside = Outside({"result": "refunded"})
    flight.taken_over()
    with pytest.raises(StaleError):
        perform(flight.turn, effect(idempotent=False), outside)
    assert not outside.keys
    assert not Step.objects.exists()


def test_key_of_an_effect_is_its_own_within_its_turn(flight: Flight) -> None:
    outside = Outside({})
    other = begun()
    for turn in (flight.turn, other.turn):
        for key in ("tool:0.0", "tool:0.1"):
            perform(turn, effect(idempotent=True, key=key), outside)
    assert len(set(outside.keys)) == 4


@pytest.mark.parametrize("strange", ["\x00", "\ud83d"])
def test_answer_that_no_database_can_store_is_the_same_now_and_on_replay(
    flight: Flight, strange: str
) -> None:
    outside = Outside({"result": f"a{strange}b", "score": float("nan")})
    now = perform(flight.turn, effect(idempotent=True), outside)
    assert now == perform(flight.taken_over().turn, effect(idempotent=True), outside)
    assert now == {"result": "a�b", "score": None}


def test_request_is_on_record_as_it_was_made(flight: Flight) -> None:
    perform(flight.turn, effect(idempotent=True), Outside({"result": 1}))
    step = Step.objects.get()
    assert (step.kind, step.name, step.request, step.response) == (
        "tool", "refund", {"arguments": "{}"}, {"result": 1}
    )  # fmt: skip
    assert step.finished_at is not None
    assert step.finished_at >= step.started_at
