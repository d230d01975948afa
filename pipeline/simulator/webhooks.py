"""Signed webhooks to Zupa: one attempt, or attempts with growing pauses as the platforms make them."""

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

from pipeline.simulator.channels import Channel
from pipeline.simulator.signing import meta_signature, standard_headers, waha_signature

CONNECTIONS = 20
ATTEMPT_TIMEOUT_S = 10.0
PAUSES_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 30.0, 30.0)
ANSWER_KEPT = 4_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WebhookAnswer:
    """`status` is None when no answer came; then `body` says why."""

    status: int | None
    body: str

    @property
    def accepted(self) -> bool:
        """Meta takes only 200 for delivered, and the HTTP channel answers nothing else on success."""
        return self.status == 200

    def as_json(self) -> dict[str, Any]:
        return {"status": self.status, "body": self.body}


@dataclass(frozen=True, slots=True)
class Webhook:
    """`id` is the Standard Webhooks id; the others' webhooks have none."""

    channel: Channel
    raw: bytes
    id: str = ""

    def headers(self, *, now: float) -> dict[str, str]:
        """Signed anew for each attempt: the Standard Webhooks timestamp is the attempt's own."""
        kind = {"Content-Type": "application/json", "User-Agent": "zupa-simulator"}
        if self.channel.kind == "http":
            return kind | standard_headers(self.channel.signing_secret, self.id, self.raw, now=now)
        if self.channel.kind == "waha":
            signed = {"X-Webhook-Hmac": waha_signature(self.channel.hmac_key, self.raw)}
            return (
                kind
                | signed
                | {"X-Webhook-Hmac-Algorithm": "sha512", "X-Webhook-Timestamp": f"{now * 1000:.0f}"}
            )
        return kind | {"X-Hub-Signature-256": meta_signature(self.channel.app_secret, self.raw)}


class WebhookSender:
    def __init__(self) -> None:
        self._session: ClientSession | None = None

    async def open(self) -> None:
        self._session = ClientSession(
            connector=TCPConnector(limit=CONNECTIONS),
            timeout=ClientTimeout(total=ATTEMPT_TIMEOUT_S),
            trust_env=False,
        )

    async def close(self) -> None:
        if self._session:
            await self._session.close()

    async def send(self, webhook: Webhook) -> WebhookAnswer:
        if self._session is None:
            raise RuntimeError("open() comes before send()")
        url = webhook.channel.webhook_url
        try:
            headers = webhook.headers(now=time.time())
            async with self._session.post(url, data=webhook.raw, headers=headers) as response:
                return WebhookAnswer(response.status, (await response.text(errors="replace"))[:ANSWER_KEPT])
        except (ClientError, TimeoutError, OSError, ValueError) as error:
            return WebhookAnswer(None, f"no answer from {url}: {str(error) or type(error).__name__}")

    async def redeliver(self, webhook: Webhook) -> WebhookAnswer:
        """After a first attempt that failed: nine more in two minutes, or fewer if one is accepted."""
        answer = WebhookAnswer(None, "not tried again")
        for pause_s in PAUSES_S:
            await asyncio.sleep(pause_s)
            answer = await self.send(webhook)
            if answer.accepted:
                return answer
        log.warning(
            "gave up on a webhook to %s: %s %s", webhook.channel.slug, answer.status, answer.body[:200]
        )
        return answer
