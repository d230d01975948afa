"""Places in flight: so many at once of one provider, whatever the others do."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from pipeline.engine.gate import Gate
from pipeline.policies.calls import CALLS, Call

pytestmark = pytest.mark.usefixtures("database_threads")


@pytest.fixture(autouse=True)
def _two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for call in (Call.MODEL, Call.SEND):
        monkeypatch.setitem(CALLS, call, replace(CALLS[call], max_in_flight=2))


def most_at_once(*wanted: tuple[Call, str]) -> int:
    """Of calls that all want in at the same time."""
    inside, most = 0, 0

    async def call(gate: Gate, kind: Call, name: str) -> None:
        nonlocal inside, most
        async with gate.admit(kind, name):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.2)
            inside -= 1

    async def all_at_once() -> None:
        gate = Gate()
        await asyncio.gather(*(call(gate, kind, name) for kind, name in wanted))

    asyncio.run(all_at_once())
    return most


def test_no_more_calls_of_one_provider_are_in_flight_than_its_policy_says() -> None:
    assert most_at_once(*[(Call.MODEL, "model:gpt")] * 5) == 2


def test_calls_of_another_provider_do_not_wait_for_them() -> None:
    assert most_at_once(*[(Call.MODEL, "model:gpt")] * 5, *[(Call.MODEL, "model:other")] * 5) == 4
    assert most_at_once(*[(Call.SEND, "send:one")] * 5, *[(Call.SEND, "send:two")] * 5) == 4
