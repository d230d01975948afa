"""Status webhooks of WhatsApp: sent, delivered, read, in order per message.

Under load, Meta puts many of them into a POST; WAHA gives each its own.
"""

import asyncio
import heapq
import json
import logging
import time
from dataclasses import dataclass
from typing import Any

from pipeline.simulator.channels import Channel
from pipeline.simulator.sent import SentMessage
from pipeline.simulator.waha_events import ack, event
from pipeline.simulator.webhooks import Webhook, WebhookSender

LEVELS = ("off", "sent", "delivered", "read")
DELAYS_S = {"sent": 0.020, "delivered": 0.060, "read": 0.150}
BATCH = 100
QUEUE_LIMIT = 50_000
HINTS = {131026: "Message undeliverable", 131047: "Re-engagement message", 131056: "Pair rate limit hit"}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, order=True)
class DueStatus:
    """A status, or for WAHA its whole event, and the moment on the monotonic clock from which it may go out."""

    due: float
    number: int
    message_id: str
    body: str


class StatusQueue:
    """One channel's statuses. Whatever is due goes out in one POST; one POST at a time keeps the order."""

    def __init__(self, channel: Channel, sender: WebhookSender) -> None:
        self.channel = channel
        self._sender = sender
        self._due: list[DueStatus] = []
        self._number = 0
        self._wake = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    def put(self, message_id: str, body: str, *, after_s: float) -> None:
        if len(self._due) >= QUEUE_LIMIT:
            log.warning("status of %s dropped: %d wait already", message_id, QUEUE_LIMIT)
            return
        self._number += 1
        due = time.monotonic() + after_s
        heapq.heappush(self._due, DueStatus(due, self._number, message_id, body))
        self._wake.set()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            batch = await self._next_batch()
            webhook = Webhook(self.channel, posted(self.channel, batch))
            answer = await self._sender.send(webhook)
            if not answer.accepted:
                await self._sender.redeliver(webhook)

    async def _next_batch(self) -> list[str]:
        while not self._due:
            self._wake.clear()
            await self._wake.wait()
        await asyncio.sleep(max(0.0, self._due[0].due - time.monotonic()))
        batch, now = [heapq.heappop(self._due).body], time.monotonic()
        size = 1 if self.channel.kind == "waha" else BATCH
        while self._due and self._due[0].due <= now and len(batch) < size:
            batch.append(heapq.heappop(self._due).body)
        return batch


class StatusSender:
    def __init__(self, sender: WebhookSender) -> None:
        self._sender = sender
        self._queues: dict[str, StatusQueue] = {}

    def follow(self, channel: Channel, message: SentMessage, *, level: str) -> None:
        """Promises the statuses of an accepted message, up to `level`."""
        for name in LEVELS[1 : LEVELS.index(level) + 1]:
            self.report(channel, message, name, after_s=DELAYS_S[name])

    def report(
        self,
        channel: Channel,
        message: SentMessage,
        name: str,
        *,
        after_s: float = 0.0,
        code: int | None = None,
    ) -> None:
        if channel.kind == "waha":
            body = event(channel, "message.ack", ack(message.id, message.to, name))
        else:
            body = json.dumps(_status(message, name, at=time.time() + after_s, code=code))
        self.put(channel, message.id, body, after_s=after_s)

    def put(self, channel: Channel, message_id: str, body: str, *, after_s: float = 0.0) -> None:
        self._queue(channel).put(message_id, body, after_s=after_s)

    async def clear(self) -> None:
        queues, self._queues = list(self._queues.values()), {}
        for queue in queues:
            await queue.close()

    def _queue(self, channel: Channel) -> StatusQueue:
        queue = self._queues.get(channel.slug)
        if queue is None:
            queue = self._queues[channel.slug] = StatusQueue(channel, self._sender)
        queue.channel = channel
        return queue


def _status(message: SentMessage, name: str, *, at: float, code: int | None) -> dict[str, Any]:
    status: dict[str, Any] = {
        "id": message.id,
        "status": name,
        "timestamp": str(int(at)),
        "recipient_id": message.to,
    }
    if message.client_ref is not None:
        status["biz_opaque_callback_data"] = message.client_ref
    if code is not None:
        status["errors"] = [{"code": code, "title": HINTS.get(code, "Message failed to send")}]
    return status


def posted(channel: Channel, batch: list[str]) -> bytes:
    return batch[0].encode() if channel.kind == "waha" else envelope(channel, batch)


def envelope(channel: Channel, statuses: list[str]) -> bytes:
    metadata = json.dumps(
        {"display_phone_number": channel.phone_number_id, "phone_number_id": channel.phone_number_id}
    )
    return (
        '{"object":"whatsapp_business_account","entry":[{"id":"0","changes":[{"field":"messages","value":'
        f'{{"messaging_product":"whatsapp","metadata":{metadata},"statuses":[{",".join(statuses)}]}}}}]}}]}}'
    ).encode()
