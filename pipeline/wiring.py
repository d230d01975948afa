"""The one composition root: settings → everything a worker's event loop works with."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.utils import timezone

from pipeline.controls.switchboard import Switchboard
from pipeline.engine import holds, outbox, turns, waiting
from pipeline.engine.commit import commit_and_mark
from pipeline.engine.database import in_database
from pipeline.engine.faults import FaultPoint, passing
from pipeline.engine.gate import Gate
from pipeline.engine.journal import StepJournal
from pipeline.engine.mailbox import Claim
from pipeline.engine.outbox import Senders
from pipeline.engine.toolbox import Toolbox
from pipeline.phases.state import TurnInput, TurnState
from pipeline.ports import ModelProvider, Ports, Proposal, Tools
from pipeline.providers.openai_model import OpenAIModel
from pipeline.transports.http_client import make_client
from pipeline.transports.registry import make_senders

logger = structlog.get_logger("pipeline")


@dataclass(slots=True)
class TurnStore:
    """The `Store` port of one flight; `next_send`: what is to be done about the replies, once they are committed."""

    claim: Claim
    senders: Senders
    next_send: outbox.NextSend = None

    async def commit(self, state: TurnState) -> int | None:
        passing(FaultPoint.COMMIT_BEFORE)
        committed = await in_database(commit_and_mark, state, self.claim, self.senders, now=timezone.now())
        passing(FaultPoint.COMMITTED)
        self.next_send = committed.next_send
        return committed.session_id

    async def absorb(self, turn: TurnInput) -> TurnInput | None:
        return await in_database(turns.absorb, turn)

    async def postpone(self, turn: TurnInput) -> None:
        await in_database(waiting.postpone, turn, now=timezone.now())

    async def suspend(self, state: TurnState, proposals: tuple[Proposal, ...]) -> None:
        passing(FaultPoint.SUSPEND_BEFORE)
        await in_database(holds.suspend, state, proposals, now=timezone.now())
        passing(FaultPoint.SUSPENDED)

    async def set_aside(self, turn: TurnInput) -> None:
        await in_database(waiting.pause, turn, now=timezone.now())


class LogTelemetry:
    """The `Telemetry` port."""

    def emit(self, event: str, fields: Mapping[str, object]) -> None:
        logger.info(event, **fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    model: ModelProvider
    tools: Tools
    senders: Senders
    gate: Gate

    def store(self, claim: Claim) -> TurnStore:
        return TurnStore(claim, self.senders)

    def ports(self, journal: StepJournal, store: TurnStore) -> Ports:
        """For one turn."""
        return Ports(
            model=self.model,
            tools=self.tools,
            journal=journal,
            store=store,
            telemetry=LogTelemetry(),
            controls=Switchboard(),
        )


@asynccontextmanager
async def open_world() -> AsyncIterator[World]:
    """On the running event loop; its connections close with the context."""
    zupa = settings.ZUPA
    async with make_client() as client:
        model = OpenAIModel(client, base_url=zupa.openai_base_url, api_key=zupa.openai_api_key)
        yield World(model=model, tools=Toolbox(), senders=make_senders(client), gate=Gate())
