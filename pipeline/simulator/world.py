"""Everything the simulator holds in memory."""

import asyncio
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace

from aiohttp import web

from pipeline.simulator.calls import CallLog
from pipeline.simulator.channels import Channel, ChannelBook
from pipeline.simulator.chats import IN, ChatBook, ChatKey, ChatMessage
from pipeline.simulator.faults import FaultBook
from pipeline.simulator.media import MediaStore
from pipeline.simulator.sent import SentBook, SentMessage
from pipeline.simulator.statuses import StatusSender
from pipeline.simulator.webhooks import WebhookSender

TELL_STATUSES = ("whatsapp_cloud", "waha")
"""The kinds of channel whose platform tells what became of a message."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`statuses` is how far a message gets by itself; `seed` makes faults with a rate repeatable."""

    statuses: str = "delivered"
    seed: int = 0


class World:
    def __init__(self, channels: Iterable[Channel], settings: Settings) -> None:
        self.settings = settings
        self.channels = ChannelBook(channels)
        self.calls = CallLog()
        self.faults = FaultBook()
        self.sent = SentBook()
        self.media = MediaStore()
        self.chats = ChatBook()
        self.webhooks = WebhookSender()
        self.statuses = StatusSender(self.webhooks)
        self.waha_states: dict[str, str] = {}
        self.stopping = asyncio.Event()
        self._background: set[asyncio.Task[None]] = set()

    def accept(self, channel: Channel, message: SentMessage) -> None:
        """A platform has taken a message: on the record, on the phone, with its statuses to follow."""
        self.sent.add(message)
        self.chats.put(ChatKey(channel.slug, message.to), _shown(message))
        if channel.kind in TELL_STATUSES:
            self.statuses.follow(channel, message, level=self.settings.statuses)

    def configure(self, *, statuses: str | None, seed: int | None) -> None:
        if statuses is not None:
            self.settings = replace(self.settings, statuses=statuses)
        if seed is not None:
            self.settings = replace(self.settings, seed=seed)

    async def rest(self, seconds: float) -> None:
        """Sleeps, unless the simulator stops."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)

    def in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def cancel_deliveries(self) -> None:
        """Calls off the statuses and redeliveries that are under way."""
        for task in self._background:
            task.cancel()
        await self.statuses.clear()

    async def reset(self) -> None:
        """Forgets all but channels and settings."""
        await self.cancel_deliveries()
        self.calls.clear()
        self.faults.clear()
        self.sent.clear()
        self.media.clear()
        self.chats.clear()
        self.waha_states.clear()


def _shown(message: SentMessage) -> ChatMessage:
    """A phone shows files that it has itself; those elsewhere it leads to."""
    is_elsewhere = "://" in (message.media or "")
    return ChatMessage(
        message.id,
        IN,
        message.type,
        message.text,
        message.at,
        "sent",
        media_id=None if is_elsewhere else message.media,
        media_url=message.media if is_elsewhere else None,
    )


WORLD = web.AppKey("world", World)
