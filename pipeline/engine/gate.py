"""The way out for every call to the outside: a place among those in flight, then the call's circuit breaker."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pipeline.engine.breakers import Breakers
from pipeline.policies.calls import CALLS, Call


def _slots() -> Mapping[Call, asyncio.Semaphore]:
    return {call: asyncio.Semaphore(policy.max_in_flight) for call, policy in CALLS.items()}


@dataclass(frozen=True, slots=True)
class Gate:
    """One for an event loop. Waiting for a place is our own queueing: it is no part of the attempt's deadline."""

    breakers: Breakers = field(default_factory=Breakers)
    slots: Mapping[Call, asyncio.Semaphore] = field(default_factory=_slots)

    @asynccontextmanager
    async def admit(self, call: Call, breaker: str) -> AsyncIterator[None]:
        """Raises `BreakerOpenError` instead of running the body; `breaker` may be empty for a call without one."""
        async with self.slots[call]:
            if not breaker:
                yield
                return
            async with self.breakers.guard(breaker):
                yield
