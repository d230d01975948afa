"""Effects, recorded before they are believed.

A step that is on record is never run again: its response, or its failure, is handed out as it was. `started` on
record means that a worker died in the middle; an idempotent effect then runs again with the same key, and any other
is held up to a person as unknown.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from random import Random
from uuid import UUID, uuid5

from django.db import transaction
from django.utils import timezone

from audit.compiled import execute
from conversations.live import announce, conversation_topic
from pipeline.agents import threads
from pipeline.cleaning import storable
from pipeline.controls.switchboard import Switchboard
from pipeline.engine import mailbox
from pipeline.engine.database import in_database
from pipeline.engine.faults import FaultPoint, passing
from pipeline.engine.gate import Gate
from pipeline.models import Step, StepStatus
from pipeline.phases.obedience import obey
from pipeline.phases.state import TurnInput
from pipeline.policies.calls import CALLS, Call
from pipeline.policies.errors import (
    Code,
    PipelineError,
    StoppedError,
    TransientError,
    UnknownError,
    recorded,
)
from pipeline.policies.retries import RETRIES_A_TURN, RetryDecision, Tried
from pipeline.policies.switches import Capability
from pipeline.ports import Controls, Effect, Json, Ruling, Verdict

TIMEOUT_CODES = {Call.MODEL: Code.MODEL_TIMEOUT, Call.TOOL: Code.TOOL_TIMEOUT}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a step ended, as it goes on record."""

    status: StepStatus
    started_at: datetime
    finished_at: datetime
    attempts: int
    decisions: tuple[Json, ...]
    response: Json | None = None
    error: PipelineError | None = None


@dataclass
class StepJournal:
    """The journal of one turn. `recorded` holds what earlier attempts left behind."""

    turn: TurnInput
    gate: Gate
    recorded: dict[str, Step]
    retries_left: int = RETRIES_A_TURN
    controls: Controls = field(default_factory=Switchboard)

    @classmethod
    async def open(cls, turn: TurnInput, gate: Gate) -> "StepJournal":
        return cls(turn, gate, await in_database(_recorded_steps, turn.turn_id) if turn.is_resumed else {})

    async def perform(self, effect: Effect, run: Callable[[UUID], Awaitable[Json]]) -> Json:
        """See `pipeline.ports.Journal`."""
        step = self.recorded.get(effect.key)
        if step is not None and (step.finished_at is not None or not step.is_idempotent):
            return self._replay(step)
        key = uuid5(self.turn.turn_id, effect.key)
        await self._obey(effect, key)
        passing(FaultPoint.STEP_BEFORE)
        if not effect.is_idempotent:
            await in_database(_write_started, self.turn, effect, key, timezone.now())
            passing(FaultPoint.STEP_STARTED)
        ending = await self._run(effect, partial(run, key))
        passing(FaultPoint.STEP_DONE)
        await in_database(_write_ending, self.turn, effect, key, ending)
        passing(FaultPoint.STEP_RECORDED)
        if ending.error is not None:
            raise ending.error
        assert ending.response is not None
        return ending.response

    def ruling(self, key: str) -> Ruling | None:
        """See `pipeline.ports.Journal`. What is proposed is written when the turn is suspended."""
        step = self.recorded.get(key)
        if step is None or step.response is None:
            return None
        return Ruling(**{**step.response, "verdict": Verdict(step.response["verdict"])})

    async def _obey(self, effect: Effect, key: UUID) -> None:
        """Raises what a switch says about the effect: kept on record, except for a pause, which is no end."""
        try:
            if effect.call is Call.TOOL:
                await obey(self.controls, Capability.TOOL, self.turn, effect.name)
            elif await obey(self.controls, Capability.MODEL, self.turn) and not effect.is_fallback:
                raise TransientError(Code.SWITCH_DEGRADED, f"A switch keeps {effect.name} from being asked.")
        except (StoppedError, TransientError) as error:
            now = timezone.now()
            refused = Ending(_status(error), now, now, attempts=0, decisions=(), error=error)
            await in_database(_write_ending, self.turn, effect, key, refused)
            raise

    def _replay(self, step: Step) -> Json:
        if step.response is not None:
            return dict(step.response)
        if step.status == StepStatus.FAILED:
            raise recorded(Code(step.error_code), step.error_detail)
        raise UnknownError(
            Code.STEP_UNKNOWN, f"A worker died while {step.name} ran; it is not known whether it acted."
        )

    async def _run(self, effect: Effect, run: Callable[[], Awaitable[Json]]) -> Ending:
        """Try until it succeeds or the policy of its kind says stop; each decision goes on record."""
        started_at, started = timezone.now(), time.monotonic()
        decisions: list[Json] = []
        attempt = 1
        while True:
            response, error = await self._attempt(effect, run)
            if error is None:
                break
            tried = Tried(
                attempt=attempt,
                elapsed_s=time.monotonic() - started,
                is_idempotent=effect.is_idempotent,
                retries_left=self.retries_left,
            )
            chance = Random(f"{self.turn.seed}:{effect.key}:{attempt}")
            decision = CALLS[effect.call].retry.decide(error, tried, chance)
            decisions.append(_story(attempt, error, decision))
            if not decision.is_retry:
                break
            self.retries_left -= 1
            await asyncio.sleep(decision.wait_s)
            attempt += 1
        # Its length by the monotonic clock, which no clock change can bend.
        finished_at = started_at + timedelta(seconds=time.monotonic() - started)
        recorded = storable(response)  # what is handed on now is what a replay will hand on
        return Ending(_status(error), started_at, finished_at, attempt, tuple(decisions), recorded, error)

    async def _attempt(
        self, effect: Effect, run: Callable[[], Awaitable[Json]]
    ) -> tuple[Json | None, PipelineError | None]:
        try:
            async with self.gate.admit(effect.call, effect.breaker):
                return await self._in_time(effect, run), None
        except PipelineError as error:
            return None, error

    async def _in_time(self, effect: Effect, run: Callable[[], Awaitable[Json]]) -> Json:
        try:
            async with asyncio.timeout(effect.deadline_s):
                return await run()
        except TimeoutError as error:
            raise _timed_out(effect, never_began=threads.never_began(error)) from error


def _timed_out(effect: Effect, *, never_began: bool) -> PipelineError:
    did_not = "begin" if never_began else "answer"
    detail = f"{effect.name} did not {did_not} within {effect.deadline_s:g} s."
    if effect.is_idempotent or never_began:
        return TransientError(TIMEOUT_CODES[effect.call], detail)
    return UnknownError(Code.STEP_UNKNOWN, detail + " It is not known whether it acted.")


def _story(attempt: int, error: PipelineError, decision: RetryDecision) -> Json:
    return {
        "attempt": attempt,
        "error_code": error.code,
        "error_detail": storable(error.detail),
        "verdict": decision.verdict,
        "wait_s": round(decision.wait_s, 3),
    }


def _status(error: PipelineError | None) -> StepStatus:
    if error is None:
        return StepStatus.SUCCEEDED
    return StepStatus.UNKNOWN if isinstance(error, UnknownError) else StepStatus.FAILED


def _recorded_steps(turn_id: UUID) -> dict[str, Step]:
    return {step.key: step for step in Step.objects.filter(turn_id=turn_id)}


@transaction.atomic
def _write_started(turn: TurnInput, effect: Effect, idempotency_key: UUID, now: datetime) -> None:
    """Raises `StaleError`: whoever lost the lease begins nothing that another may begin, too, and nothing that a
    person who took over does not expect."""
    mailbox.hold_for_owner(turn.conversation_id, turn.lease_epoch, turn.owner_epoch)
    Step.objects.update_or_create(
        turn_id=turn.turn_id,
        key=effect.key,
        defaults={**_described(effect, idempotency_key), "status": StepStatus.STARTED, "started_at": now},
    )
    announce(conversation_topic(turn.conversation_id))


def _write_ending(turn: TurnInput, effect: Effect, idempotency_key: UUID, ending: Ending) -> None:
    """One statement and no transaction around it: the most frequent write of a turn."""
    described = _described(effect, idempotency_key)
    execute(
        WRITE_ENDING,
        {
            **described,
            "turn_id": turn.turn_id,
            "key": effect.key,
            "request": json.dumps(described["request"]),
            "status": ending.status,
            "started_at": ending.started_at,
            "finished_at": ending.finished_at,
            "attempts": ending.attempts,
            "decisions": json.dumps(ending.decisions),
            "response": None if ending.response is None else json.dumps(ending.response),
            "error_code": ending.error.code if ending.error else "",
            "error_detail": storable(ending.error.detail) if ending.error else "",
        },
    )


WRITE_ENDING = """
INSERT INTO pipeline_step (
    turn_id, key, kind, name, idempotency_key, is_idempotent, request,
    status, started_at, finished_at, attempts, decisions, response, error_code, error_detail
) VALUES (
    %(turn_id)s, %(key)s, %(kind)s, %(name)s, %(idempotency_key)s, %(is_idempotent)s, %(request)s::jsonb,
    %(status)s, %(started_at)s, %(finished_at)s, %(attempts)s, %(decisions)s::jsonb, %(response)s::jsonb,
    %(error_code)s, %(error_detail)s
)
ON CONFLICT (turn_id, key) DO UPDATE SET
    status = excluded.status, started_at = excluded.started_at, finished_at = excluded.finished_at,
    attempts = excluded.attempts, decisions = excluded.decisions, response = excluded.response,
    error_code = excluded.error_code, error_detail = excluded.error_detail
"""


def _described(effect: Effect, idempotency_key: UUID) -> Json:
    return {
        "kind": effect.call,
        "name": effect.name,
        "idempotency_key": idempotency_key,
        "is_idempotent": effect.is_idempotent,
        "request": storable(effect.request),
    }
