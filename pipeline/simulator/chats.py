"""What each simulated phone shows, and the live feed to the browsers that look at it."""

import asyncio
from collections import OrderedDict
from dataclasses import asdict, dataclass, replace
from typing import Any

CHATS_KEPT = 1_000
MESSAGES_KEPT = 200
FEED_BACKLOG = 1_000
IN, OUT = "in", "out"
RANKS = {"sending": 0, "retrying": 0, "failed": 0, "sent": 1, "delivered": 2, "read": 3}

Event = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ChatKey:
    channel: str
    contact: str


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """`direction` is seen from the phone: `in` comes from the agent, `out` is what the customer wrote."""

    id: str
    direction: str
    type: str
    text: str
    at: float
    state: str
    detail: str = ""
    media_id: str | None = None
    media_url: str | None = None
    by_hand: bool = False


class Chat:
    def __init__(self) -> None:
        self.messages: OrderedDict[str, ChatMessage] = OrderedDict()
        self.watchers: set[asyncio.Queue[Event | None]] = set()

    def tell(self, event: Event) -> None:
        for watcher in self.watchers:
            if not watcher.full():
                watcher.put_nowait(event)


class ChatBook:
    def __init__(self) -> None:
        self._chats: OrderedDict[ChatKey, Chat] = OrderedDict()
        self._whose: dict[str, ChatKey] = {}
        self.closed = False

    def put(self, key: ChatKey, message: ChatMessage) -> None:
        """Adds the message, or takes its place in the chat when it is already there."""
        chat = self._chat(key)
        chat.messages[message.id] = message
        self._whose[message.id] = key
        if len(chat.messages) > MESSAGES_KEPT:
            oldest, _ = chat.messages.popitem(last=False)
            self._whose.pop(oldest, None)
        chat.tell({"type": "message", "message": asdict(message)})

    def move_on(self, message_id: str, state: str, detail: str = "") -> None:
        """A state of a higher rank replaces a lower one; never the other way."""
        key = self._whose.get(message_id)
        message = self.find(key, message_id) if key else None
        if key is None or message is None or RANKS[state] < RANKS[message.state]:
            return
        self.put(key, replace(message, state=state, detail=detail))

    def typing(self, message_id: str) -> None:
        key = self._whose.get(message_id)
        if key and key in self._chats:
            self._chats[key].tell({"type": "typing"})

    def find(self, key: ChatKey, message_id: str) -> ChatMessage | None:
        chat = self._chats.get(key)
        return chat.messages.get(message_id) if chat else None

    def watch(self, key: ChatKey) -> asyncio.Queue[Event | None]:
        """A feed that begins with what the phone already shows; None ends it."""
        chat = self._chat(key)
        feed: asyncio.Queue[Event | None] = asyncio.Queue(FEED_BACKLOG)
        feed.put_nowait(_snapshot(chat))
        if self.closed:
            feed.put_nowait(None)
        chat.watchers.add(feed)
        return feed

    def unwatch(self, key: ChatKey, feed: asyncio.Queue[Event | None]) -> None:
        if key in self._chats:
            self._chats[key].watchers.discard(feed)

    def clear(self) -> None:
        """Forgets what was said; browsers that look on see an empty phone."""
        self._whose.clear()
        self._chats = OrderedDict((key, chat) for key, chat in self._chats.items() if chat.watchers)
        for chat in self._chats.values():
            chat.messages.clear()
            chat.tell(_snapshot(chat))

    def close(self) -> None:
        self.closed = True
        for chat in self._chats.values():
            for watcher in chat.watchers:
                if watcher.full():
                    watcher.get_nowait()
                watcher.put_nowait(None)

    def _chat(self, key: ChatKey) -> Chat:
        chat = self._chats.get(key)
        if chat is None:
            chat = self._chats[key] = Chat()
            self._drop_oldest()
        self._chats.move_to_end(key)
        return chat

    def _drop_oldest(self) -> None:
        if len(self._chats) <= CHATS_KEPT:
            return
        key = next((each for each, chat in self._chats.items() if not chat.watchers), None)
        if key is not None:
            for message_id in self._chats.pop(key).messages:
                self._whose.pop(message_id, None)


def _snapshot(chat: Chat) -> Event:
    return {"type": "snapshot", "messages": [asdict(message) for message in chat.messages.values()]}
