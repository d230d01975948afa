"""Takes one turn through the phases: the shell around the pure parts."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import structlog
from django.db import InterfaceError, OperationalError

from audit import correlation
from pipeline.phases import CLOSING_PHASES, PHASES, Phase
from pipeline.phases.obedience import obey
from pipeline.phases.state import (
    Decision,
    OutagePolicy,
    Outcome,
    PhaseRecord,
    SessionPlan,
    TurnInput,
    TurnState,
)
from pipeline.policies.deadlines import DEADLINES
from pipeline.policies.errors import (
    Code,
    PausedError,
    PermanentError,
    PipelineError,
    StaleError,
    StoppedError,
    TransientError,
    UnknownError,
)
from pipeline.policies.switches import PAUSED_S, Capability
from pipeline.ports import HeldError, Ports

logger = structlog.get_logger(__name__)

MAX_ATTEMPTS = 3
SLOW_PHASE_S = 1.0
"""A phase that lasts longer than this is shown to staff while it runs."""

OUTAGE_PAUSE_S = 20.0
"""How long a turn that waits for its model rests before it asks again."""

LONGEST_OUTAGE = timedelta(hours=1)
ANSWERS = (Outcome.REPLIED, Outcome.COMMAND)
"""What a switch over replies keeps from being said."""

OnSlowPhase = Callable[[TurnInput, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Postponed:
    """The turn waits: for its model, a switch or a person. It goes on after `seconds`; None: once it is woken."""

    seconds: float | None


async def run_turn(turn: TurnInput, ports: Ports, on_slow_phase: OnSlowPhase) -> Postponed | None:
    """Run the phases and commit, whatever the outcome; None when that is done.

    Raises `StaleError` when this worker may no longer commit, and whatever unexpected error the phases raise while
    attempts remain; nothing is then committed and the next attempt goes on from the journal.
    """
    with correlation.bound(**_correlation(turn)):
        run = _Run(TurnState(input=turn), ports, on_slow_phase, _began_before(turn))
        if turn.attempt > MAX_ATTEMPTS:
            story = f"The turn ended its worker {MAX_ATTEMPTS} times and is not tried again."
            run.fail(Code.TURN_KILLED_WORKER, story)
        elif postponed := await run.decide():
            return postponed
        for phase in CLOSING_PHASES:
            run.tell_records()
            await run.step(phase)
    return None


def _correlation(turn: TurnInput) -> dict[str, object]:
    return {
        "request_id": turn.request_id,
        "tenant_id": turn.tenant_id,
        "conversation_id": turn.conversation_id,
        "session_id": turn.session.id if turn.session else "",
        "contact_id": turn.contact_id,
        "event_id": turn.messages[-1].event_id,
        "dedupe_key": turn.messages[-1].dedupe_key,
        "turn_id": turn.turn_id,
        correlation.POLICY_VERSION: turn.policy_version,
    }


def _began_before(turn: TurnInput) -> float:
    """When the turn began, on the monotonic clock: its timeline counts from there, also in a later attempt."""
    return time.monotonic() - (datetime.now(UTC) - turn.now).total_seconds()


@dataclass
class _Run:
    state: TurnState
    ports: Ports
    on_slow_phase: OnSlowPhase
    began: float
    records: list[PhaseRecord] = field(default_factory=list)

    async def decide(self) -> Postponed | None:
        """Run phases until one decides the outcome; a failure decides it, too, or postpones the turn."""
        try:
            async with asyncio.timeout(DEADLINES.turn_s):
                await self._decide_with_all_that_waits()
        except (StaleError, OperationalError, InterfaceError):
            raise
        except (HeldError, PausedError) as wait:
            return await self._wait(wait)
        except UnknownError as error:
            self.fail(error.code, error.detail, Outcome.NEEDS_HUMAN)
        except PipelineError as error:
            return await self._fail_or_postpone(error)
        except TimeoutError:
            self.fail(Code.TURN_DEADLINE, "The turn took longer than it may.")
        except Exception as error:
            logger.exception("turn.unexpected_error", attempt=self.state.input.attempt)
            if self.state.input.attempt < MAX_ATTEMPTS:
                raise
            self.fail(Code.TURN_UNEXPECTED, f"{type(error).__name__}: {error}")
        return None

    async def _decide_with_all_that_waits(self) -> None:
        """What came in while the turn ran is answered with it: then it decides anew over all of it."""
        turn = self.state.input
        while True:
            await self._decide_once()
            if self.state.decision != Decision(Outcome.REPLIED) or not turn.agent.answers_bursts_together:
                return
            wider = await self.ports.store.absorb(self.state.input)
            if wider is None:
                return
            self.state = TurnState(input=wider, usage=self.state.usage)

    async def _decide_once(self) -> None:
        for phase in PHASES:
            await self.step(phase)
            if self.state.decision is None or self.state.decision.outcome in ANSWERS:
                await obey(self.ports.controls, Capability.REPLIES, self.state.input)
            if self.state.decision is not None:
                return

    async def _wait(self, wait: HeldError | PausedError) -> Postponed:
        """For a person's decision, or until a switch is lifted."""
        if isinstance(wait, HeldError):
            self.tell_records()
            await self.ports.store.suspend(self.state, wait.proposals)
            return Postponed(None)
        await self.ports.store.set_aside(self.state.input)
        return Postponed(PAUSED_S)

    async def _fail_or_postpone(self, error: PipelineError) -> Postponed | None:
        """The last rung of the agent's ladder, where a model does not answer; a switch that stops it refuses."""
        policy = self.state.input.agent.outage_policy
        if isinstance(error, StoppedError):
            self.refuse(error.code, error.detail)
        elif not isinstance(error, TransientError) or policy is OutagePolicy.REPLY:
            self.fail(error.code, error.detail)
        elif datetime.now(UTC) - self.state.input.now > LONGEST_OUTAGE:
            self.fail(error.code, error.detail, Outcome.EXPIRED)
        elif policy is OutagePolicy.PERSON:
            self.fail(error.code, error.detail, Outcome.NEEDS_HUMAN)
        else:
            await self.ports.store.postpone(self.state.input)
            return Postponed(OUTAGE_PAUSE_S)
        return None

    def refuse(self, code: Code, detail: str) -> None:
        """Said once: those within a minute of another that was refused meet silence."""
        turn = self.state.input
        reply = "" if turn.was_silenced else turn.agent.refusal_reply
        self._end(Decision(Outcome.SILENCED, code, detail), reply)

    def fail(self, code: Code, detail: str, outcome: Outcome = Outcome.FAILED) -> None:
        self._end(Decision(outcome, code, detail, failed=True), self.state.input.agent.fallback_reply)

    def _end(self, decision: Decision, reply: str) -> None:
        turn = self.state.input
        self.state = replace(
            self.state,
            decision=decision,
            replies=(reply,) if reply else (),
            session=self.state.session or SessionPlan(turn.session.id if turn.session else None),
        )

    async def step(self, phase: Phase) -> None:
        """Run one phase under its deadline; its record stays with the turn also when it fails."""
        phase.check_required(self.state)
        started = time.monotonic()
        error_name = ""
        loop = asyncio.get_running_loop()
        announcement = loop.call_later(SLOW_PHASE_S, lambda: loop.create_task(self._announce(phase)))
        try:
            after = await self._run_in_time(phase)
            phase.check_provided(after)
            self.state = after
        except HeldError:
            raise
        except BaseException as error:
            error_name = error.code if isinstance(error, PipelineError) else type(error).__name__
            raise
        finally:
            announcement.cancel()
            self._record(phase, started, error_name)

    async def _run_in_time(self, phase: Phase) -> TurnState:
        try:
            async with asyncio.timeout(phase.deadline_s) as limit:
                return await phase.run(self.state, self.ports)
        except TimeoutError as error:
            if not limit.expired():
                raise
            story = f"{phase.name} took longer than its {phase.deadline_s:g} s."
            raise PermanentError(Code.PHASE_DEADLINE, story) from error

    def _record(self, phase: Phase, started: float, error: str) -> None:
        record = PhaseRecord(
            name=phase.name,
            started_ms=round((started - self.began) * 1000),
            duration_ms=round((time.monotonic() - started) * 1000, 1),
            error=error,
        )
        self.records.append(record)

    def tell_records(self) -> None:
        """Let the state know of the phases so far."""
        self.state = replace(self.state, records=tuple(self.records))

    async def _announce(self, phase: Phase) -> None:
        await self.on_slow_phase(self.state.input, phase.name)
