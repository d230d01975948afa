"""What a turn knows, without a database: phases are pure."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

from pipeline.phases.state import AgentConfig, InboundMessage, OutagePolicy, SessionPlan, TurnInput, TurnState
from pipeline.ports import Ports


class Unswitched:
    """The `Controls` port while nothing is switched."""

    async def in_force(self, capability: object, turn: object, tool: str = "") -> None:
        return None


NO_PORTS = cast(Ports, SimpleNamespace(controls=Unswitched()))
"""For phases that ask nothing of the world but what is switched."""

AGENT = AgentConfig(
    name="Ana",
    tenant_name="Demo",
    time_zone="America/Sao_Paulo",
    prompt_template="You are $agent_name.",
    model="gpt-4.1-mini",
    language="en",
    temperature=0.3,
    max_output_tokens=800,
    max_tool_iterations=3,
    history_limit=20,
    allowed_tools=(),
    answers_bursts_together=False,
    fallback_model="",
    fallback_reply="Sorry.",
    refusal_reply="Not now.",
    outage_policy=OutagePolicy.REPLY,
    session_idle_s=1800,
    rate_limit_per_minute=20,
    is_supervised=False,
    risk_rules=(),
)


def said(*texts: str, kind: str = "text", media: dict[str, Any] | None = None) -> tuple[InboundMessage, ...]:
    return tuple(
        InboundMessage(
            event_id=number,
            dedupe_key=f"wamid.{number}",
            received_at=datetime(2026, 9, 1, 12, tzinfo=UTC),
            kind=kind,
            text=text,
            media=media or {},
            provider_id=f"wamid.{number}",
            is_requeued=False,
        )
        for number, text in enumerate(texts)
    )


def turn_input(*texts: str, agent: dict[str, Any] | None = None, **fields: Any) -> TurnInput:
    made = TurnInput(
        turn_id=UUID(int=1),
        request_id="request-1",
        tenant_id=1,
        channel_id=1,
        contact_id=1,
        conversation_id=1,
        lease_epoch=1,
        owner_epoch=0,
        policy_version=1,
        attempt=1,
        is_resumed=False,
        leaves_waiting=False,
        generation=0,
        recent_count=1,
        was_limited=False,
        was_silenced=False,
        now=datetime(2026, 9, 1, 12, tzinfo=UTC),
        seed=1,
        owned_by_person=False,
        contact_address="5511999990001",
        contact_name="Bruno",
        agent_id=1,
        blocked_by=None,
        agent=replace(AGENT, **agent or {}),
        messages=said(*texts or ("Hello",)),
        session=None,
        history=(),
    )
    return replace(made, **fields)


def state(*texts: str, agent: dict[str, Any] | None = None, **fields: Any) -> TurnState:
    """Of a turn that has its session already."""
    return TurnState(input=turn_input(*texts, agent=agent, **fields), session=SessionPlan(None))


def ran(phase: Callable[[TurnState, Ports], Awaitable[TurnState]], before: TurnState) -> TurnState:
    async def run() -> TurnState:
        return await phase(before, NO_PORTS)

    return asyncio.run(run())
