"""The way out for every call to the outside: a place among those in flight, then the call's circuit breaker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from pipeline.engine.breakers import Breakers
from pipeline.policies.calls import CALLS, Call


@dataclass(frozen=True, slots=True)
class Gate:
    """One for an event loop. Waiting for a place is our own queueing: it is no part of the attempt's deadline."""

    breakers: Breakers = field(default_factory=Breakers)
    slots: dict[tuple[Call, str], asyncio.Semaphore] = field(default_factory=dict)
    """By kind of call and provider: a breaker guards one model, or one channel."""

    @asynccontextmanager
    async def admit(self, call: Call, breaker: str) -> AsyncIterator[None]:
        """Raises `BreakerOpenError` instead of running the body; `breaker` may be empty for a call without one."""
        async with self._slot(call, breaker):
            if not breaker:
                yield
                return
            async with self.breakers.guard(breaker):
                yield

    def _slot(self, call: Call, provider: str) -> asyncio.Semaphore:
        return self.slots.setdefault((call, provider), asyncio.Semaphore(CALLS[call].max_in_flight))
