"""`/ws/live/`: tells a member of staff's browser what changed. It carries topics, never content.

The browser says `{"watch": [topic, …]}`, always the whole list. It hears

    {"watching": [topic, …], "refused": [topic, …]}   the answer; what changed before it, nobody told
    {"changed": [topic, …]}                           fetch what you show of these
    {"interrupted": true}, {"resync": true}           announcements may be missed; take everything as changed
    {"heartbeat": true}                               the line is alive
"""

import asyncio
import json
import time
from typing import Any

import structlog
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib.auth.models import User
from django.db import DatabaseError, InterfaceError
from django.utils import timezone

from review import access, presence

logger = structlog.get_logger(__name__)

BAD_REQUEST = 4400
UNAUTHENTICATED = 4401
FORBIDDEN = 4403
MAX_TOPICS = 200
MAX_REQUEST_LENGTH = 10_000
MIN_INTERVAL_S = 0.2
HEARTBEAT_S = 30.0


class LiveConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    async def connect(self) -> None:
        """A refused browser is let in for its close code, else it could not tell why; it hears nothing."""
        self._watched: set[str] = set()
        self._changed: set[str] = set()
        self._quiet_until = 0.0
        self._sending: asyncio.Task[None] | None = None
        self._heart: asyncio.Task[None] | None = None
        await self.accept()
        if await self._is_still_allowed():
            self._heart = asyncio.create_task(self._beat())

    async def disconnect(self, code: int) -> None:
        for task in (self._heart, self._sending):
            if task is not None:
                task.cancel()
        await self._watch(set())

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        topics = _wanted_topics(text_data)
        if topics is None:
            await self.close(BAD_REQUEST)
        elif self._heart is not None:
            allowed = await database_sync_to_async(access.watchable)(self._visitor, topics)
            await self._watch(allowed)
            await self._say(watching=sorted(allowed), refused=sorted(topics - allowed))

    async def live_changed(self, event: dict[str, Any]) -> None:
        self._changed.add(event["topic"])
        if self._sending is None or self._sending.done():
            self._sending = asyncio.create_task(self._send_changes())

    async def live_interrupted(self, event: dict[str, Any]) -> None:
        await self._say(interrupted=True)

    async def live_resync(self, event: dict[str, Any]) -> None:
        """Joins its groups again: the layer forgets those of a channel that long took nothing."""
        for topic in self._watched:
            await self.channel_layer.group_add(topic, self.channel_name)
        await self._say(resync=True)

    async def _watch(self, topics: set[str]) -> None:
        left, came = self._watched - topics, topics - self._watched
        for topic in left:
            await self.channel_layer.group_discard(topic, self.channel_name)
        for topic in came:
            await self.channel_layer.group_add(topic, self.channel_name)
        self._watched = topics
        await self._show_presence(left, came)

    async def _show_presence(self, left: set[str], came: set[str]) -> None:
        """That it cannot be shown while the database is away keeps nobody from watching."""
        if not access.conversation_ids(left | came):
            return
        try:
            await database_sync_to_async(_move)(self.channel_name, left, came, self._visitor)
        except (DatabaseError, InterfaceError):
            logger.warning("presence.not_shown", exc_info=True)

    async def _send_changes(self) -> None:
        """At once after a quiet moment, else together with what else changes until the interval is over."""
        while self._changed:
            await asyncio.sleep(max(0.0, self._quiet_until - time.monotonic()))
            topics, self._changed = sorted(self._changed & self._watched), set()
            self._quiet_until = time.monotonic() + MIN_INTERVAL_S
            await self._say(changed=topics)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_S)
            try:
                if not await self._is_still_allowed():
                    return
                await database_sync_to_async(presence.renew)(self.channel_name, now=timezone.now())
                await self._drop_what_was_withdrawn()
            except (DatabaseError, InterfaceError):
                pass  # Nothing changes for anybody while the database is away; the next beat asks again.
            await self._say(heartbeat=True)

    async def _is_still_allowed(self) -> bool:
        """Reads session, account and rights anew, and closes the socket of whoever lost them."""
        session_key = self.scope["session"].session_key
        self._visitor, allowed = await database_sync_to_async(_visitor_and_right)(session_key)
        if not allowed:
            await self.close(FORBIDDEN if self._visitor.is_authenticated else UNAUTHENTICATED)
            return False
        return True

    async def _drop_what_was_withdrawn(self) -> None:
        """Rights and tenants may go while the socket stays: then their topics go, too, and the browser hears it."""
        allowed = await database_sync_to_async(access.watchable)(self._visitor, self._watched)
        if lost := self._watched - allowed:
            await self._watch(allowed)
            await self._say(watching=sorted(allowed), refused=sorted(lost))

    async def _say(self, **message: Any) -> None:
        await self.send(text_data=json.dumps(message))


def _visitor_and_right(session_key: str | None) -> tuple[access.Visitor, bool]:
    visitor = access.visitor_now(session_key)
    return visitor, access.may_watch_anything(visitor)


def _move(socket: str, left: set[str], came: set[str], visitor: access.Visitor) -> None:
    presence.leave(socket, access.conversation_ids(left))
    if isinstance(visitor, User):
        presence.arrive(socket, access.conversation_ids(came), by=visitor, now=timezone.now())


def _wanted_topics(text: str | None) -> set[str] | None:
    """None if it is not what a browser of ours sends."""
    if text is None or len(text) > MAX_REQUEST_LENGTH:
        return None
    try:
        topics = json.loads(text)["watch"]
    except (ValueError, TypeError, KeyError):
        return None
    if not isinstance(topics, list) or len(topics) > MAX_TOPICS:
        return None
    return {topic for topic in topics if isinstance(topic, str)}
