"""Circuit breakers for every call to the outside: purgatory's state machine over a table that all processes share.

While one is open nothing is called: the call fails at once with `BreakerOpenError`. After its rest one process takes
the probe; if that call succeeds the breaker closes, if not it rests again. A breaker tripped by hand has no probe.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from purgatory import AsyncCircuitBreakerFactory
from purgatory.domain.messages.base import Message
from purgatory.domain.model import CLOSED, HALF_OPENED, OPENED, Context, OpenedState
from purgatory.service._async.repository import AsyncAbstractRepository
from purgatory.service._async.unit_of_work import AsyncAbstractUnitOfWork

from audit.models import ActorKind
from audit.operations import Fact, record
from audit.records import newest_version
from conversations.live import DASHBOARD, announce
from pipeline.engine.database import in_database
from pipeline.models import Breaker, BreakerState
from pipeline.policies.errors import (
    BreakerOpenError,
    Code,
    RecipientLimitedError,
    TransientError,
    UnknownError,
)

THRESHOLD = 5
REST_S = 30.0
PROBE = timedelta(seconds=60)
"""How long the probe may take before another call may try: longer than any attempt."""
FRESH_S = 0.5
"""How long a process trusts what it last read of a breaker that was closed and had no failures, before one of its
calls asks again; the others trust it until that one has its answer, at most as long again."""

STATES: dict[str, BreakerState] = {
    CLOSED: BreakerState.CLOSED,
    OPENED: BreakerState.OPEN,
    HALF_OPENED: BreakerState.HALF_OPEN,
}


class _SparedError(Exception):
    """Carries an error past the breaker that says nothing about its provider's health."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


@dataclass
class Breakers:
    """The `Breakers` of one event loop."""

    _factory: AsyncCircuitBreakerFactory = field(
        default_factory=lambda: AsyncCircuitBreakerFactory(
            THRESHOLD, REST_S, exclude=[_SparedError], uow=_UnitOfWork()
        )
    )

    @asynccontextmanager
    async def guard(self, name: str) -> AsyncIterator[None]:
        """Run the body under the breaker. Raises `BreakerOpenError` instead while it is open.

        Only what is transient, or unknown, speaks against the provider: a refused request is our own affair, the
        limit of one recipient nobody else's, and a call that was cut off says nothing, neither for nor against it.
        """
        try:
            async with AsyncExitStack() as verdict:
                await verdict.enter_async_context(await self._factory.get_breaker(name))
                try:
                    yield
                except asyncio.CancelledError:
                    verdict.pop_all()
                    raise
                except RecipientLimitedError as error:
                    raise _SparedError(error) from error
                except (TransientError, UnknownError, TimeoutError):
                    raise
                except BaseException as error:
                    raise _SparedError(error) from error
        except _SparedError as spared:
            raise spared.error from None
        except OpenedState as opened:
            raise BreakerOpenError(Code.BREAKER_OPEN, f"The breaker {name} is open.") from opened


class _Repository(AsyncAbstractRepository):
    """Reads and writes `Breaker` rows; what is closed and healthy is read at most every `FRESH_S`."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._healthy_until: dict[str, float] = {}

    async def get(self, name: str) -> Context | None:
        if self._healthy_until.get(name, 0.0) > time.monotonic():
            return Context(name, THRESHOLD, REST_S)
        if name in self._healthy_until:
            self._trust(name)  # one asks; the others go by what was true a moment ago until it knows better
        context = await in_database(_read, name, now=timezone.now())
        if context is not None and context.state == CLOSED and not context.failure_count:
            self._trust(name)
        else:
            self._healthy_until.pop(name, None)
        return context

    def _trust(self, name: str) -> None:
        self._healthy_until[name] = time.monotonic() + FRESH_S

    async def register(self, context: Context) -> None:
        await in_database(_register, context)

    async def update_state(self, name: str, state: str, opened_at: float | None) -> None:
        self._healthy_until.pop(name, None)
        await in_database(_write_state, name, STATES[state], now=timezone.now())

    async def inc_failures(self, name: str, failure_count: int) -> None:
        self._healthy_until.pop(name, None)
        await in_database(_count_failure, name, now=timezone.now())

    async def reset_failure(self, name: str) -> None:
        await in_database(_forget_failures, name)


class _UnitOfWork(AsyncAbstractUnitOfWork):
    """Each write is a transaction of its own: a breaker is a running judgement, not part of any other change."""

    def __init__(self) -> None:
        self.contexts = _Repository()

    async def commit(self) -> None:
        return None

    async def rollback(self) -> None:
        return None


@transaction.atomic
def _read(name: str, *, now: datetime) -> Context | None:
    """The breaker as this call may see it: of an open one whose rest is over, only the probe learns that it is."""
    breaker = Breaker.objects.filter(pk=name).first()
    if breaker is None:
        return None
    if breaker.state == BreakerState.CLOSED:
        return Context(name, breaker.threshold, breaker.rest_s, CLOSED, breaker.failures)
    if breaker.is_tripped or not _take_probe(breaker, now):
        return Context(name, breaker.threshold, breaker.rest_s, OPENED, opened_at=_in_the_future(now))
    return Context(name, breaker.threshold, breaker.rest_s, OPENED, opened_at=0.0)


def _in_the_future(now: datetime) -> float:
    """An opening time from which no rest is over yet."""
    return (now + timedelta(days=1)).timestamp()


def _take_probe(breaker: Breaker, now: datetime) -> bool:
    """By the database's clock, whatever the worker's says."""
    rested = Q(opened_at__lte=Now() - timedelta(seconds=breaker.rest_s))
    free = Q(probe_until__isnull=True) | Q(probe_until__lte=Now())
    if not Breaker.objects.filter(rested & free, pk=breaker.pk).update(probe_until=Now() + PROBE):
        return False
    _change(breaker, BreakerState.HALF_OPEN, now=now, reason="its rest is over: one call tries")
    return True


def _register(context: Context) -> None:
    Breaker.objects.bulk_create(
        [Breaker(name=context.name, threshold=context.threshold, rest_s=context.ttl)], ignore_conflicts=True
    )


@transaction.atomic
def _write_state(name: str, state: BreakerState, *, now: datetime) -> None:
    """What calls found out never undoes what a person did: a tripped breaker stays as it is."""
    breaker = Breaker.objects.select_for_update().get(pk=name)
    if breaker.is_tripped or breaker.state == state:
        return
    _change(breaker, state, now=now, reason="" if state == BreakerState.CLOSED else "calls failed")


@transaction.atomic
def _count_failure(name: str, *, now: datetime) -> None:
    """Counted in the row, so that the failures of all processes add up."""
    Breaker.objects.filter(pk=name).update(failures=F("failures") + 1)
    breaker = Breaker.objects.select_for_update().get(pk=name)
    if breaker.state == BreakerState.CLOSED and breaker.failures >= breaker.threshold:
        _change(breaker, BreakerState.OPEN, now=now, reason=f"{breaker.failures} failures in a row")


def _forget_failures(name: str) -> None:
    Breaker.objects.filter(pk=name, state=BreakerState.CLOSED).exclude(failures=0).update(failures=0)


@transaction.atomic
def trip(*, name: str, by: str, reason: str, now: datetime) -> None:
    """Open it by hand, until `reset`. Raises `Breaker.DoesNotExist`."""
    breaker = Breaker.objects.select_for_update().get(pk=name)
    breaker.is_tripped = True
    _change(breaker, BreakerState.OPEN, now=now, reason=reason, by=by)


@transaction.atomic
def reset(*, name: str, by: str, reason: str, now: datetime) -> None:
    """Close it by hand, whoever opened it. Raises `Breaker.DoesNotExist`."""
    breaker = Breaker.objects.select_for_update().get(pk=name)
    breaker.is_tripped = False
    _change(breaker, BreakerState.CLOSED, now=now, reason=reason, by=by)


def _change(breaker: Breaker, state: BreakerState, *, now: datetime, reason: str, by: str = "") -> None:
    """Write the state with its history row and its evidence, and tell staff."""
    breaker.state = state
    breaker.reason = reason
    breaker.probe_until = now + PROBE if state == BreakerState.HALF_OPEN else None
    breaker.opened_at = None if state == BreakerState.CLOSED else now
    breaker.failures = 0 if state == BreakerState.CLOSED else breaker.failures
    breaker.save()
    fact = Fact(
        action=f"breaker.{state}",
        object_type="breaker",
        object_id=breaker.name,
        actor_kind=ActorKind.PERSON if by else ActorKind.SYSTEM,
        actor=by,
        reason=reason,
        details=newest_version(breaker),
    )
    record(fact, now=now)
    announce(DASHBOARD)
