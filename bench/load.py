"""Sends webhooks: by the clock, whether earlier ones were answered or not, or as fast as they are taken."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import ClientSession, ClientTimeout, TCPConnector

from bench.stage import Webhook
from bench.table import milliseconds, percentile

TIMEOUT_S = 30.0
CONNECTIONS = 100
ACCEPTABLE_LAG_S = 0.005


@dataclass(frozen=True, slots=True)
class Answer:
    """`lag_s`: how much later than planned it went out. `took_s` counts from the plan, so it includes the lag."""

    status: int
    sent_at: float
    lag_s: float
    took_s: float


async def send_by_the_clock(webhooks: Sequence[Webhook], per_s: float) -> list[Answer]:
    """An open loop: a slow answer delays no other webhook."""
    async with _session(CONNECTIONS) as session:
        start = time.perf_counter()
        tasks = []
        for number, webhook in enumerate(webhooks):
            planned = start + number / per_s
            await asyncio.sleep(max(0.0, planned - time.perf_counter()))
            tasks.append(asyncio.create_task(_send(session, webhook, planned)))
        return await asyncio.gather(*tasks)


async def send_backlog(webhooks: Sequence[Webhook], at_once: int = 8) -> None:
    """Raises when one is not accepted."""
    async with _session(at_once) as session:
        answers = await asyncio.gather(*(_send(session, each, time.perf_counter()) for each in webhooks))
    require_accepted(answers)


def require_accepted(answers: Sequence[Answer]) -> None:
    refused = [answer.status for answer in answers if answer.status != 200]
    if refused:
        raise RuntimeError(
            f"{len(refused)} of {len(answers)} webhooks were not accepted: {sorted(set(refused))}"
        )


def lag_warning(answers: Sequence[Answer]) -> str:
    """Empty while the generator keeps its own time."""
    lag_s = percentile([answer.lag_s for answer in answers], 99)
    return "" if lag_s <= ACCEPTABLE_LAG_S else f"the generator itself ran late: p99 {milliseconds(lag_s)}"


def _session(connections: int) -> ClientSession:
    connector, timeout = (
        TCPConnector(limit=connections),
        ClientTimeout(total=None, sock_connect=TIMEOUT_S, sock_read=TIMEOUT_S),
    )
    return ClientSession(connector=connector, timeout=timeout, trust_env=False)


async def _send(session: ClientSession, webhook: Webhook, planned: float) -> Answer:
    lag_s, sent_at = time.perf_counter() - planned, time.time()
    async with session.post(webhook.url, data=webhook.body, headers=webhook.headers) as response:
        await response.read()
    return Answer(response.status, sent_at, lag_s, time.perf_counter() - planned)
