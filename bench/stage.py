"""A whole Zupa to measure: its real processes on a fresh PostgreSQL of its own, and what steers them."""

import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import psycopg

from pipeline.simulator.signing import meta_signature
from tests.system import System
from zupa_site.environment import Environment

WORKERS = 2
SETTLED_WITHIN_S = 300.0
POLL_S = 0.1

FREE = """
UPDATE conversations_tenant SET max_in_flight = 1000;
UPDATE conversations_agent SET burst_window_s = 0;
"""
"""Waits that are wanted and no cost: for the rest of a burst, and for a place in the tenant's share."""

WAITING = """
SELECT (SELECT count(*) FROM pipeline_processedevent WHERE status <> 'done')
     + (SELECT count(*) FROM conversations_message WHERE delivery IN ('queued', 'sending')) AS number
"""
NOT_REPLIED = """
SELECT outcome, outcome_code, count(*) FROM pipeline_processedevent
WHERE received_at > %s AND outcome <> 'replied' GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True)
class Webhook:
    url: str
    body: bytes
    headers: dict[str, str]


class Stage:
    """`system` with the demo's WhatsApp channel, whose messages have statuses: the dearer of the two."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.channel: dict[str, str] = system.demo["channels"][0]
        self.began = datetime.now(UTC)
        self._numbers = count(1)

    def webhook(self, sender: str, text: str) -> Webhook:
        """One new message, signed as Meta signs."""
        body = json.dumps(_envelope(self.channel["phone_number_id"], sender, text)).encode()
        signature = meta_signature(self.channel["app_secret"], body)
        headers = {"Content-Type": "application/json", "X-Hub-Signature-256": signature}
        return Webhook(self.channel["webhook_url"], body, headers)

    def webhooks(self, number: int, *, senders: int, text: str = "Hello") -> list[Webhook]:
        """New messages, in turn from each of `senders`, who are new to the shop."""
        group = next(self._numbers)
        return [self.webhook(f"5511{group:03}{n % senders:06}", text) for n in range(number)]

    def set_model_latency(self, seconds: float) -> None:
        self.simulator("DELETE", "faults")
        if seconds:
            self.simulator("POST", "faults", {"target": "llm", "mode": "latency", "seconds": seconds})

    def accepted(self) -> list[dict[str, Any]]:
        """Every message the platform took, with the moment it did (`at`, unix seconds)."""
        sent: list[dict[str, Any]] = self.simulator("GET", "sent")
        return sent

    def simulator(self, method: str, what: str, body: dict[str, Any] | None = None) -> Any:
        url = f"{self.system.simulator_url}/_sim/{what}"
        return httpx2.request(method, url, json=body, timeout=30).raise_for_status().json()

    def waiting(self) -> int:
        """Events without an outcome and replies not yet sent."""
        return int(self.system.rows(WAITING)[0]["number"])

    def wait_until_settled(self, on_poll: Callable[[], None] = lambda: None) -> None:
        deadline = time.monotonic() + SETTLED_WITHIN_S
        while self.waiting():
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{self.waiting()} events or replies still wait after {SETTLED_WITHIN_S:g} s."
                )
            on_poll()
            time.sleep(POLL_S)
        if others := self.system.rows(NOT_REPLIED, self.began):
            raise RuntimeError(f"Not every message was replied to: {others}")


@contextmanager
def stage() -> Iterator[Stage]:
    """Logs as production writes them; nothing is left behind."""
    home = Environment.read().home
    with TemporaryDirectory(prefix="bench-", dir=home) as folder:
        variables = {"WORKERS": str(WORKERS), "LOG_FORMAT": "json"}
        with System(Path(folder), own_postgres=True, variables=variables) as system:
            with psycopg.connect(system.database_url) as connection:
                connection.execute(FREE)
            yield Stage(system)


def _envelope(phone_number_id: str, sender: str, text: str) -> dict[str, Any]:
    message = {
        "from": sender,
        "id": f"wamid.{uuid.uuid4().hex.upper()}",
        "timestamp": str(int(time.time())),
        "type": "text",
        "text": {"body": text},
    }
    value = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": phone_number_id, "phone_number_id": phone_number_id},
        "contacts": [{"profile": {"name": "Customer"}, "wa_id": sender}],
        "messages": [message],
    }
    changes = [{"field": "messages", "value": value}]
    return {"object": "whatsapp_business_account", "entry": [{"id": "0", "changes": changes}]}
