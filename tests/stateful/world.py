"""The world outside of the engine, under the machine's control: a model, a tool, a platform, and what befalls them."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from collections import Counter
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel

from pipeline.engine.database import in_database
from pipeline.engine.mailbox import Claim
from pipeline.models import Mailbox
from pipeline.phases.state import TurnState
from pipeline.policies.errors import (
    BreakerOpenError,
    Code,
    CredentialsError,
    RecipientError,
    TransientError,
    UnknownError,
)
from pipeline.ports import (
    ChannelConfig,
    Completion,
    CompletionRequest,
    OutboundMessage,
    Role,
    ToolCall,
    ToolCaller,
    ToolSpec,
)

T = TypeVar("T")


class Here:
    """The engine's database threads, without threads: all of an example happens on this thread's one connection."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    async def call(self, run: Callable[[], T]) -> T:
        """See `pipeline.engine.database.Threads`."""
        done: Future[T] = Future()
        self._jobs.put(partial(_settle, done, partial(copy_context().run, run)))
        return await asyncio.wrap_future(done)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Like `asyncio.run`, with the loop in another thread and what it asks of the database done in this one."""
        ended: Future[T] = Future()
        thread = threading.Thread(target=self._run_loop, args=(ended, work))
        thread.start()
        for job in iter(self._jobs.get, None):
            job()
        thread.join()
        return ended.result()

    def _run_loop(self, ended: Future[T], work: Coroutine[Any, Any, T]) -> None:
        _settle(ended, lambda: asyncio.run(work))
        self._jobs.put(None)


def _settle(future: Future[T], work: Callable[[], T]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 - raised to whoever waits for it
        future.set_exception(error)


class DiedError(BaseException):
    """The worker is no more, here and now."""


class HeldError(BaseException):
    """The worker stands still right before its commit."""


class NoArguments(BaseModel):
    pass


@dataclass
class World:
    """What happened outside, whatever the database says."""

    acted: Counter[str] = field(default_factory=Counter)
    """How often the tool that may not run twice ran for a message."""
    asked: Counter[str] = field(default_factory=Counter)
    """How often the tool that a person has to approve ran for a message."""
    accepted: list[UUID] = field(default_factory=list)
    """Our references of the messages that the platform took, in order."""


@dataclass
class Model:
    """A `ModelProvider`. `befalls`: "", "down", "refuses" or "dies", these also "after the tool"."""

    befalls: str

    async def complete(self, request: CompletionRequest) -> Completion:
        after_tool = request.messages[-1].role is Role.TOOL
        if self.befalls == "dies" or (self.befalls == "dies after the tool" and after_tool):
            raise DiedError
        if self.befalls == "down" or (self.befalls == "down after the tool" and after_tool):
            raise BreakerOpenError(Code.BREAKER_OPEN, "down")
        if self.befalls == "refuses":
            raise CredentialsError(Code.MODEL_CREDENTIALS, "no")
        name = "ask" if "ask" in request.messages[-1].content else "act"
        calls = () if self._has_acted(request) else (ToolCall("1", name, "{}"),)
        return Completion(
            text="" if calls else "Done.",
            tool_calls=calls,
            model="model",
            request_id="",
            prompt_tokens=1,
            completion_tokens=1,
        )

    def _has_acted(self, request: CompletionRequest) -> bool:
        *_, last = request.messages
        asked = last.role is Role.USER and ("act" in last.content or "ask" in last.content)
        return not (asked and request.tools)


@dataclass
class Hands:
    """A `Tools` whose tools may not run twice, `ask` only with a person's approval.

    `befalls`: "" | "dies before" | "dies after".
    """

    world: World
    befalls: str

    def specs(self, names: tuple[str, ...]) -> tuple[ToolSpec, ...]:
        act = ToolSpec(
            name="act", description="Acts.", parameters=NoArguments, timeout_s=5, is_idempotent=False
        )
        return (act, replace(act, name="ask", requires_approval=True))

    async def call(self, name: str, arguments: str, caller: ToolCaller) -> str:
        assert json.loads(arguments) == {}
        if self.befalls == "dies before":
            raise DiedError
        ran = self.world.asked if name == "ask" else self.world.acted
        ran.update(message.dedupe_key for message in caller.state.input.messages)
        if self.befalls == "dies after":
            raise DiedError
        return "It has been done."


@dataclass
class Store:
    """A `Store` that hands the state over instead of committing it; `real` does the rest."""

    real: Any
    held: TurnState | None = None

    async def commit(self, state: TurnState) -> None:
        self.held = state
        raise HeldError

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


@dataclass
class Platform:
    """A `Sender` on whom something befalls: "", "unknown", "unknown but sent", "down", "refuses", "dies before",
    "dies after". Nobody may send without the lease."""

    world: World
    claim: Claim
    befalls: str
    sends_idempotently: bool = False

    async def send(self, message: OutboundMessage, channel: ChannelConfig) -> str:
        assert await in_database(epoch_of, self.claim.conversation_id) == self.claim.lease_epoch
        if self.befalls == "dies before":
            raise DiedError
        if self.befalls == "down":
            raise TransientError(Code.SEND_SERVER, "down")
        if self.befalls == "refuses":
            raise RecipientError(Code.SEND_RECIPIENT, "no")
        if self.befalls != "unknown":
            self.world.accepted.append(message.client_reference)
        if self.befalls == "dies after":
            raise DiedError
        if self.befalls.startswith("unknown"):
            raise UnknownError(Code.SEND_UNANSWERED, "silence")
        return f"wamid.{message.client_reference}"


def epoch_of(conversation_id: int) -> int:
    return Mailbox.objects.values_list("lease_epoch", flat=True).get(pk=conversation_id)
