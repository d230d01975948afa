"""A channel layer on PostgreSQL alone: groups live in the process, announcements cross processes as NOTIFY.

`conversations.live` says what travels: a topic, in the transaction that makes the change true. Here each
process LISTENs once (once an event loop) and hands topics to the channels of its own groups. A channel can hear:

    {"type": "live.changed", "topic": …}   something under this topic changed
    {"type": "live.interrupted"}           the database is away: announcements may be missed from here on
    {"type": "live.resync"}                some may have been missed: take everything as changed

Nothing is kept for a channel beyond `capacity` messages: one that does not keep up gets a resync instead.
"""

import asyncio
import random
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
import structlog
from channels.db import database_sync_to_async
from channels.layers import BaseChannelLayer
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg.sql import SQL, Identifier

from conversations.live import NOTIFY_CHANNEL, announce, changed

Event = Mapping[str, Any]

INTERRUPTED: Event = {"type": "live.interrupted"}
RESYNC: Event = {"type": "live.resync"}
SHORTEST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
# Parameters that only Django's own, synchronous connections understand.
SYNCHRONOUS_ONLY = ("cursor_factory", "pool")

log = structlog.stdlib.get_logger(__name__)


class NotifyChannelLayer(BaseChannelLayer):  # type: ignore[misc]
    """`channels` asks for asynchronous methods throughout, also where nothing is awaited."""

    extensions = ["groups", "flush"]

    def __init__(
        self, expiry: float = 60, capacity: int = 100, channel_capacity: Mapping[str, int] | None = None
    ) -> None:
        super().__init__(expiry=expiry, capacity=capacity)
        self.channel_capacity = self.compile_capacities(channel_capacity or {})
        self._hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, _Hub] = WeakKeyDictionary()

    async def new_channel(self, prefix: str = "specific.") -> str:
        channel = f"{prefix}notify!{uuid.uuid4().hex}"
        self._hub().open(channel, self.get_capacity(channel))
        return channel

    async def send(self, channel: str, message: Event) -> None:
        """Reaches channels of this process and event loop; a message to nobody is dropped."""
        self.require_valid_channel_name(channel)
        self._hub().deliver(channel, message)

    async def receive(self, channel: str) -> Event:
        self.require_valid_channel_name(channel)
        hub = self._hub()
        inbox = hub.open(channel, self.get_capacity(channel))
        try:
            return await inbox.take()
        except asyncio.CancelledError:
            hub.close_if_in_no_group(channel)
            raise

    async def group_add(self, group: str, channel: str) -> None:
        self.require_valid_group_name(group)
        self.require_valid_channel_name(channel)
        hub = self._hub()
        hub.open(channel, self.get_capacity(channel))
        hub.groups[group].add(channel)
        hub.ensure_listening()

    async def group_discard(self, group: str, channel: str) -> None:
        self._hub().leave(group, channel)

    async def group_send(self, group: str, message: Event) -> None:
        """From anywhere to everywhere. Raises `ValueError` for anything but an announcement."""
        if message != changed(group):
            raise ValueError(f"Only {changed(group)} travels between processes, not {message}.")
        await database_sync_to_async(announce)(group)

    async def flush(self) -> None:
        self._hub().clear()

    def _hub(self) -> "_Hub":
        return self._hubs.setdefault(asyncio.get_running_loop(), _Hub(self.expiry))


class _Hub:
    """The channels and groups of one event loop, and the listener that feeds them."""

    def __init__(self, expiry_s: float) -> None:
        self.groups: defaultdict[str, set[str]] = defaultdict(set)
        self._expiry_s = expiry_s
        self._inboxes: dict[str, _Inbox] = {}
        self._listener: asyncio.Task[None] | None = None

    def open(self, channel: str, capacity: int) -> "_Inbox":
        return self._inboxes.setdefault(channel, _Inbox(capacity))

    def close_if_in_no_group(self, channel: str) -> None:
        if not any(channel in members for members in self.groups.values()):
            self._inboxes.pop(channel, None)

    def leave(self, group: str, channel: str) -> None:
        members = self.groups.get(group, set())
        members.discard(channel)
        if not members:
            self.groups.pop(group, None)

    def clear(self) -> None:
        self.groups.clear()
        self._inboxes.clear()

    def deliver(self, channel: str, message: Event) -> None:
        inbox = self._inboxes.get(channel)
        if inbox is None:
            return
        if inbox.waiting_s() > self._expiry_s:
            self._forget(channel)
        else:
            inbox.put(message)

    def _forget(self, channel: str) -> None:
        """Nobody takes what arrives there. Should its consumer live, a fresh inbox tells it to resync."""
        for group in [group for group, members in self.groups.items() if channel in members]:
            self.leave(group, channel)
        self._inboxes.pop(channel).put_only(RESYNC)

    def ensure_listening(self) -> None:
        if self._listener is None or self._listener.done():
            self._listener = asyncio.create_task(self._listen(), name="live listener")

    async def _listen(self) -> None:
        pause_s = SHORTEST_PAUSE_S
        while True:
            try:
                async with await _connect() as connection:
                    await connection.execute(SQL("LISTEN {}").format(Identifier(NOTIFY_CHANNEL)))
                    pause_s = SHORTEST_PAUSE_S
                    self._deliver_to_all(RESYNC)
                    await self._hand_out(connection)
            except (psycopg.Error, OSError) as error:
                log.warning("live.listener_lost", error=str(error).strip(), retry_in_s=pause_s)
            self._deliver_to_all(INTERRUPTED)
            await asyncio.sleep(pause_s * random.uniform(0.5, 1))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _hand_out(self, connection: psycopg.AsyncConnection[Any]) -> None:
        async for notification in connection.notifies():
            for channel in list(self.groups.get(notification.payload, ())):
                self.deliver(channel, changed(notification.payload))

    def _deliver_to_all(self, message: Event) -> None:
        for channel in list(self._inboxes):
            self.deliver(channel, message)


async def _connect() -> psycopg.AsyncConnection[Any]:
    parameters = dict(connections[DEFAULT_DB_ALIAS].get_connection_params())
    for name in SYNCHRONOUS_ONLY:
        parameters.pop(name, None)
    parameters |= {"autocommit": True, "application_name": "zupa-live"}
    return await psycopg.AsyncConnection.connect(**parameters)


class _Inbox:
    """What a channel has yet to take: equal messages once, where the last came, and never more than `capacity`."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._messages: deque[Event] = deque()
        self._filled_at = 0.0
        self._arrived = asyncio.Event()

    def put(self, message: Event) -> None:
        if message in self._messages:
            self._messages.remove(message)
            self._messages.append(message)
            return
        if len(self._messages) >= self._capacity:
            self.put_only(RESYNC)
            return
        if not self._messages:
            self._filled_at = time.monotonic()
        self._messages.append(message)
        self._arrived.set()

    def put_only(self, message: Event) -> None:
        self._messages.clear()
        self._messages.append(message)
        self._arrived.set()

    def waiting_s(self) -> float:
        """How long its oldest message has waited; 0 when nothing waits."""
        return time.monotonic() - self._filled_at if self._messages else 0.0

    async def take(self) -> Event:
        while not self._messages:
            self._arrived.clear()
            await self._arrived.wait()
        message = self._messages.popleft()
        self._filled_at = time.monotonic()
        return message
