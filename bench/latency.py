"""From the webhook to the platform that accepts the answer, one message at a time on an idle system."""

import asyncio

from bench.load import require_accepted, send_by_the_clock
from bench.stage import Stage, stage
from bench.table import Row, milliseconds, percentile
from bench.usage import measured

WARM_UP = 20
PAUSES = {"executor awake": (0.4, 150), "executor asleep": (1.6, 60)}
"""Seconds between messages, and how many: an executor stays awake for 1 s without work."""


def measure() -> list[Row]:
    rows: list[Row] = []
    with stage() as here:
        _latencies(here, 0.1, WARM_UP)
        for state, (pause_s, number) in PAUSES.items():
            with measured(here) as usage:
                seconds = _latencies(here, pause_s, number)
            what = f"webhook to acceptance, one each {pause_s:g} s ({state})"
            rows.append(Row(f"{what}: p50", milliseconds(percentile(seconds, 50)), "≤ 60 ms"))
            rows.append(Row(f"{what}: p99", milliseconds(percentile(seconds, 99)), "≤ 200 ms"))
            rows.append(Row("  share of the machine that other programs took", f"{usage.others_share:.0%}"))
    return rows


def _latencies(here: Stage, pause_s: float, number: int) -> list[float]:
    """One sender a message, by whom the answer is found."""
    here.simulator("POST", "reset")
    senders = [f"5521{round(pause_s * 1000):05}{n:04}" for n in range(number)]
    webhooks = [here.webhook(sender, "Hello") for sender in senders]
    answers = asyncio.run(send_by_the_clock(webhooks, 1 / pause_s))
    require_accepted(answers)
    here.wait_until_settled()
    accepted_at = {message["to"]: message["at"] for message in here.accepted()}
    return [accepted_at[sender] - answer.sent_at for sender, answer in zip(senders, answers, strict=True)]
