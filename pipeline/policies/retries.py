"""Whether and when something is tried again. The decision is made here, recorded by the caller, never by an adapter."""

from dataclasses import dataclass
from enum import StrEnum
from random import Random

from pipeline.policies.errors import BreakerOpenError, PipelineError, RateLimitedError, TransientError

RETRIES_A_TURN = 6
"""All steps of a turn together: retries of several steps must not multiply."""


class Verdict(StrEnum):
    RETRY = "retry"
    FINAL_ERROR = "final_error"
    NOT_IDEMPOTENT = "not_idempotent"
    BREAKER_OPEN = "breaker_open"
    ATTEMPTS_USED = "attempts_used"
    TIME_USED = "time_used"
    TURN_BUDGET_USED = "turn_budget_used"


@dataclass(frozen=True, slots=True)
class RetryDecision:
    """`wait_s` is only there with `RETRY`."""

    verdict: Verdict
    wait_s: float = 0.0

    @property
    def is_retry(self) -> bool:
        return self.verdict is Verdict.RETRY


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What was tried so far: `attempt` counts from 1, `elapsed_s` since the first began."""

    attempt: int
    elapsed_s: float
    is_idempotent: bool
    retries_left: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """At most `attempts` within `total_s`, waiting `base_s` · 2^n up to `max_s`, spread to keep peers apart."""

    attempts: int
    total_s: float
    base_s: float
    max_s: float

    def decide(self, error: PipelineError, tried: Tried, random: Random) -> RetryDecision:
        refusal = self._refusal(error, tried)
        if refusal is not None:
            return RetryDecision(refusal)
        wait_s = self._wait_s(error, tried.attempt, random)
        if tried.elapsed_s + wait_s > self.total_s:
            return RetryDecision(Verdict.TIME_USED)
        return RetryDecision(Verdict.RETRY, wait_s)

    def _refusal(self, error: PipelineError, tried: Tried) -> Verdict | None:
        reasons = {
            Verdict.BREAKER_OPEN: isinstance(error, BreakerOpenError),
            Verdict.FINAL_ERROR: not isinstance(error, TransientError),
            Verdict.NOT_IDEMPOTENT: not tried.is_idempotent,
            Verdict.ATTEMPTS_USED: tried.attempt >= self.attempts,
            Verdict.TURN_BUDGET_USED: tried.retries_left <= 0,
        }
        return next((verdict for verdict, holds in reasons.items() if holds), None)

    def _wait_s(self, error: PipelineError, attempt: int, random: Random) -> float:
        backoff_s: float = min(self.base_s * 2 ** (attempt - 1), self.max_s)
        asked_s = (error.retry_after_s or 0.0) if isinstance(error, RateLimitedError) else 0.0
        return max(backoff_s, asked_s) * (1 + random.random() / 2)

    @property
    def worst_wait_s(self) -> float:
        waits_s = [1.5 * min(self.base_s * 2.0**n, self.max_s) for n in range(self.attempts - 1)]
        return min(self.total_s, sum(waits_s))
