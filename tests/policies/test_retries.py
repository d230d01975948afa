"""When something is tried again: whatever the error, the policy and the history, these hold."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from pipeline.policies.calls import CALLS, Call
from pipeline.policies.errors import (
    AccountError,
    BreakerOpenError,
    Code,
    CredentialsError,
    PermanentError,
    PipelineError,
    RateLimitedError,
    RecipientError,
    RequestError,
    StaleError,
    TransientError,
    UnknownError,
    WindowError,
)
from pipeline.policies.retries import RETRIES_A_TURN, RetryPolicy, Tried, Verdict

FINAL = (
    PermanentError,
    CredentialsError,
    RecipientError,
    WindowError,
    AccountError,
    RequestError,
    UnknownError,
    StaleError,
)
seconds = st.floats(min_value=0, max_value=10_000, allow_nan=False)
codes = st.sampled_from(Code)
randoms = st.randoms(use_true_random=False)
policies = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 20),
    total_s=seconds,
    base_s=st.floats(min_value=0.01, max_value=60),
    max_s=st.floats(min_value=0.01, max_value=600),
)
tries = st.builds(
    Tried,
    attempt=st.integers(1, 25),
    elapsed_s=seconds,
    is_idempotent=st.booleans(),
    retries_left=st.integers(0, RETRIES_A_TURN),
)
transient = st.builds(TransientError, codes, st.just("it broke"))
rate_limited = st.builds(
    RateLimitedError, codes, st.just("slow down"), retry_after_s=st.none() | st.floats(0, 5_000)
)
breaker_open = st.builds(BreakerOpenError, st.just(Code.BREAKER_OPEN), st.just("open"))
final = st.sampled_from(FINAL).flatmap(lambda kind: st.builds(kind, codes, st.just("no")))
errors = transient | rate_limited | breaker_open | final


@given(policies, errors, tries, randoms)
def test_retry_never_goes_beyond_attempts_total_time_or_the_turns_budget(
    policy: RetryPolicy, error: PipelineError, tried: Tried, random: Random
) -> None:
    decision = policy.decide(error, tried, random)
    if decision.is_retry:
        assert tried.attempt < policy.attempts
        assert tried.elapsed_s + decision.wait_s <= policy.total_s
        assert tried.retries_left > 0
    else:
        assert decision.wait_s == 0


@given(policies, errors, tries, randoms)
def test_only_transient_errors_of_idempotent_effects_are_tried_again(
    policy: RetryPolicy, error: PipelineError, tried: Tried, random: Random
) -> None:
    if policy.decide(error, tried, random).is_retry:
        assert isinstance(error, TransientError)
        assert not isinstance(error, BreakerOpenError)
        assert tried.is_idempotent


@given(policies, rate_limited, tries, randoms)
def test_retry_waits_at_least_as_long_as_the_vendor_asked(
    policy: RetryPolicy, error: RateLimitedError, tried: Tried, random: Random
) -> None:
    decision = policy.decide(error, tried, random)
    if decision.is_retry:
        assert decision.wait_s >= (error.retry_after_s or 0)


@given(policies, transient, tries, randoms)
def test_pauses_grow_up_to_a_limit_and_are_spread_by_at_most_half(
    policy: RetryPolicy, error: TransientError, tried: Tried, random: Random
) -> None:
    decision = policy.decide(error, tried, random)
    if decision.is_retry:
        backoff_s = min(policy.base_s * 2.0 ** (tried.attempt - 1), policy.max_s)
        assert backoff_s <= decision.wait_s <= backoff_s * 1.5


@given(policies, breaker_open, tries, randoms)
def test_open_breaker_is_never_tried_again(
    policy: RetryPolicy, error: BreakerOpenError, tried: Tried, random: Random
) -> None:
    assert policy.decide(error, tried, random).verdict is Verdict.BREAKER_OPEN


@given(policies, errors, tries, randoms)
def test_refusal_names_a_reason_that_holds(
    policy: RetryPolicy, error: PipelineError, tried: Tried, random: Random
) -> None:
    held = {
        Verdict.BREAKER_OPEN: isinstance(error, BreakerOpenError),
        Verdict.FINAL_ERROR: not isinstance(error, TransientError),
        Verdict.NOT_IDEMPOTENT: not tried.is_idempotent,
        Verdict.ATTEMPTS_USED: tried.attempt >= policy.attempts,
        Verdict.TURN_BUDGET_USED: tried.retries_left <= 0,
        Verdict.TIME_USED: True,
        Verdict.RETRY: True,
    }
    assert held[policy.decide(error, tried, random).verdict]


@given(policies, transient, randoms)
def test_all_waits_of_a_call_together_stay_within_the_worst_case(
    policy: RetryPolicy, error: TransientError, random: Random
) -> None:
    waited_s, attempt = 0.0, 1
    while True:
        tried = Tried(attempt=attempt, elapsed_s=waited_s, is_idempotent=True, retries_left=1)
        decision = policy.decide(error, tried, random)
        if not decision.is_retry:
            break
        waited_s, attempt = waited_s + decision.wait_s, attempt + 1
    assert attempt <= policy.attempts
    assert waited_s <= policy.worst_wait_s + 1e-6


def test_sends_are_tried_for_as_long_as_a_reply_makes_sense() -> None:
    """An hour, as docs/errors.md promises: its time runs out, not its attempts."""
    policy, random = CALLS[Call.SEND].retry, Random(1)
    error = TransientError(Code.SEND_SERVER, "down")
    elapsed_s, attempt = 0.0, 1
    while True:
        tried = Tried(attempt=attempt, elapsed_s=elapsed_s, is_idempotent=True, retries_left=1)
        decision = policy.decide(error, tried, random)
        if not decision.is_retry:
            break
        elapsed_s, attempt = elapsed_s + decision.wait_s, attempt + 1
    assert decision.verdict is Verdict.TIME_USED
    assert elapsed_s > policy.total_s - 1.5 * policy.max_s
