"""Circuit breakers on the shared table: what one process finds out, all know."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from audit.models import AuditEntry
from conversations.live import NOTIFY_CHANNEL
from pipeline.engine import breakers
from pipeline.engine.breakers import PROBE, REST_S, THRESHOLD, Breakers
from pipeline.engine.listening import listener_parameters
from pipeline.models import Breaker
from pipeline.policies.errors import (
    BreakerOpenError,
    Code,
    CredentialsError,
    PipelineError,
    RecipientLimitedError,
    RequestError,
    TransientError,
    UnknownError,
)

NAME = "model:gpt"
pytestmark = pytest.mark.usefixtures("database_threads")
broken = TransientError(Code.MODEL_SERVER, "down")


class Provider:
    """Counts the calls that reach it."""

    def __init__(self) -> None:
        self.calls = 0

    async def call(self, shared: Breakers, error: BaseException | None = None, lasts_s: float = 0.0) -> str:
        """How the call ended: "ok", "open", or the code of its failure."""
        try:
            async with shared.guard(NAME):
                self.calls += 1
                await asyncio.sleep(lasts_s)
                if error is not None:
                    raise error
        except BreakerOpenError:
            return "open"
        except PipelineError as failure:
            return failure.code
        return "ok"

    def in_process(self, *errors: BaseException | None) -> list[str]:
        """The calls, one after the other, of a process of its own: another loop, with its own view of the breaker."""

        async def run() -> list[str]:
            shared = Breakers()
            return [await self.call(shared, error) for error in errors]

        return asyncio.run(run())


@pytest.fixture
def provider() -> Provider:
    return Provider()


def breaker() -> Breaker:
    return Breaker.objects.get(pk=NAME)


def rest_is_over() -> None:
    Breaker.objects.filter(pk=NAME).update(opened_at=timezone.now() - timedelta(seconds=REST_S + 1))


def opened(provider: Provider) -> None:
    provider.in_process(*[broken] * THRESHOLD)
    assert breaker().state == "open"


def test_failures_of_several_processes_add_up_and_open_it_for_all(provider: Provider) -> None:
    for _ in range(THRESHOLD - 1):
        assert provider.in_process(broken) == [Code.MODEL_SERVER]
        assert breaker().state == "closed"
    assert provider.in_process(broken) == [Code.MODEL_SERVER]
    assert breaker().state == "open"
    assert provider.in_process(None) == ["open"]


def test_failures_of_processes_that_work_at_once_add_up(provider: Provider) -> None:
    working = [threading.Thread(target=provider.in_process, args=(broken,)) for _ in range(THRESHOLD)]
    for thread in working:
        thread.start()
    for thread in working:
        thread.join()
    assert (breaker().state, breaker().failures) == ("open", THRESHOLD)


def test_success_in_between_starts_the_count_over(provider: Provider) -> None:
    provider.in_process(*[broken] * (THRESHOLD - 1), None, *[broken] * (THRESHOLD - 1))
    assert breaker().state == "closed"


def test_no_call_leaves_while_it_is_open(provider: Provider) -> None:
    opened(provider)
    before = provider.calls
    assert provider.in_process(None, None, None) == ["open"] * 3
    assert provider.calls == before


def test_errors_that_say_nothing_about_the_provider_do_not_count(provider: Provider) -> None:
    refused: list[BaseException | None] = [
        CredentialsError(Code.MODEL_CREDENTIALS, "wrong key"),
        RequestError(Code.MODEL_REQUEST, "wrong name"),
    ]
    provider.in_process(*refused * THRESHOLD)
    assert (breaker().state, breaker().failures) == ("closed", 0)


def test_limit_of_one_recipient_does_not_count_against_the_channel(provider: Provider) -> None:
    limited = RecipientLimitedError(Code.SEND_RATE_LIMITED, "131056: pair rate limit", retry_after_s=None)
    provider.in_process(*[limited] * THRESHOLD)
    assert (breaker().state, breaker().failures) == ("closed", 0)


def test_answers_that_never_came_count(provider: Provider) -> None:
    provider.in_process(*[UnknownError(Code.SEND_UNANSWERED, "silence")] * THRESHOLD)
    assert breaker().state == "open"


def test_one_caller_alone_probes_when_its_rest_is_over(provider: Provider) -> None:
    opened(provider)
    rest_is_over()
    before = provider.calls

    async def many_at_once() -> list[str]:
        processes = [Breakers() for _ in range(10)]
        return await asyncio.gather(*(provider.call(each, lasts_s=0.3) for each in processes))

    ended = asyncio.run(many_at_once())
    assert sorted(ended) == ["ok", *["open"] * 9]
    assert provider.calls == before + 1


def test_rest_is_over_in_its_time_though_a_workers_clock_jumped_back(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened(provider)
    rest_is_over()
    clock = timezone.now
    monkeypatch.setattr(
        timezone, "now", lambda: clock() - timedelta(hours=1)
    )  # no machine's clock is ours to set
    assert provider.in_process(None) == ["ok"]


def test_probe_that_succeeds_closes_it(provider: Provider) -> None:
    opened(provider)
    rest_is_over()
    assert provider.in_process(None, None) == ["ok", "ok"]
    assert (breaker().state, breaker().failures, breaker().opened_at) == ("closed", 0, None)


def test_probe_that_fails_opens_it_for_another_rest(provider: Provider) -> None:
    opened(provider)
    rest_is_over()
    assert provider.in_process(broken, None) == [Code.MODEL_SERVER, "open"]
    assert breaker().state == "open"
    rest_is_over()
    assert provider.in_process(None) == ["ok"]


def test_probe_that_was_cut_off_says_nothing_and_is_followed_by_another(provider: Provider) -> None:
    """By a worker that stops, or by the turn's deadline."""
    opened(provider)
    rest_is_over()

    async def cut_off() -> None:
        async with asyncio.timeout(0.2):
            await provider.call(Breakers(), lasts_s=60)

    with pytest.raises(TimeoutError):
        asyncio.run(cut_off())
    assert breaker().state == "half_open"
    assert provider.in_process(None) == ["open"]
    past = timezone.now() - PROBE
    Breaker.objects.filter(pk=NAME).update(opened_at=past, probe_until=past)
    assert provider.in_process(None) == ["ok"]
    assert breaker().state == "closed"


def test_call_that_was_cut_off_keeps_the_count_of_failures(provider: Provider) -> None:
    provider.in_process(*[broken] * (THRESHOLD - 1))

    async def cut_off() -> None:
        async with asyncio.timeout(0.2):
            await provider.call(Breakers(), lasts_s=60)

    with pytest.raises(TimeoutError):
        asyncio.run(cut_off())
    assert breaker().failures == THRESHOLD - 1


def test_defect_of_ours_passes_through_unchanged(provider: Provider) -> None:
    with pytest.raises(ZeroDivisionError):
        provider.in_process(ZeroDivisionError())
    assert breaker().state == "closed"


def test_trip_by_hand_survives_successes_and_rests(provider: Provider) -> None:
    async def trip_while_calls_are_under_way() -> list[str]:
        before = asyncio.create_task(provider.call(Breakers(), lasts_s=0.5))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(trip)
        return [await before, await provider.call(Breakers())]

    provider.in_process(None)
    assert asyncio.run(trip_while_calls_are_under_way()) == ["ok", "open"]
    rest_is_over()
    assert provider.in_process(None) == ["open"]
    assert (breaker().state, breaker().is_tripped) == ("open", True)


def test_reset_by_hand_closes_it_at_once(provider: Provider) -> None:
    provider.in_process(None)
    trip()
    breakers.reset(name=NAME, by="ada", reason="the bill is paid", now=timezone.now())
    assert provider.in_process(None) == ["ok"]
    assert (breaker().state, breaker().is_tripped) == ("closed", False)


def trip() -> None:
    breakers.trip(name=NAME, by="ada", reason="the bill is unpaid", now=timezone.now())
    connection.close()


def test_every_change_is_audited_and_kept_in_the_history(provider: Provider) -> None:
    opened(provider)
    rest_is_over()
    provider.in_process(None)
    trip()
    breakers.reset(name=NAME, by="ada", reason="the bill is paid", now=timezone.now())
    found = AuditEntry.objects.filter(object_type="breaker", object_id=NAME).order_by("pk")
    expected = [
        ("breaker.open", "system", ""),
        ("breaker.half_open", "system", ""),
        ("breaker.closed", "system", ""),
        ("breaker.open", "person", "ada"),
        ("breaker.closed", "person", "ada"),
    ]
    assert list(found.values_list("action", "actor_kind", "actor")) == expected
    states = Breaker.history.filter(name=NAME).order_by("history_id").values_list("state", flat=True)
    assert list(states) == [action.removeprefix("breaker.") for action, *_ in expected]


def test_every_change_is_announced_to_staff(provider: Provider, ear: psycopg.Connection) -> None:
    opened(provider)
    assert "dashboard" in heard(ear)
    rest_is_over()
    provider.in_process(None)
    assert heard(ear) == ["dashboard", "dashboard"]


def test_healthy_calls_announce_nothing(provider: Provider, ear: psycopg.Connection) -> None:
    provider.in_process(None, None, None)
    assert heard(ear) == []


@pytest.fixture
def ear() -> Iterator[psycopg.Connection]:
    with psycopg.connect(**listener_parameters(), autocommit=True) as listener:
        listener.execute(f"LISTEN {NOTIFY_CHANNEL}")
        yield listener


def heard(ear: psycopg.Connection) -> list[str]:
    return [notice.payload for notice in ear.notifies(timeout=0.3)]


def test_summary_that_ran_into_its_deadline_counts_against_the_provider(provider: Provider) -> None:
    """Its deadline stands inside the guard."""
    provider.in_process(*[broken] * (THRESHOLD - 1))

    async def too_late() -> None:
        async with Breakers().guard(NAME), asyncio.timeout(0.05):
            await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        asyncio.run(too_late())
    assert breaker().state == "open"
