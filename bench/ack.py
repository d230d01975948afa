"""How long a platform waits for the answer to its webhook while the pipeline is at work."""

import asyncio

from bench.load import Answer, lag_warning, require_accepted, send_by_the_clock
from bench.stage import Stage, stage
from bench.table import Row, percentile, spread
from bench.usage import measured

PER_S = 50
SECONDS = 20
ROUNDS = 3
SENDERS = 200


def measure() -> list[Row]:
    rounds: list[list[Answer]] = []
    web_ms: list[float] = []
    others: list[float] = []
    with stage() as here:
        _round(here, PER_S)
        for _ in range(ROUNDS):
            with measured(here) as usage:
                rounds.append(_round(here, PER_S * SECONDS))
            web_ms.append(usage.cpu_s["web"] / (PER_S * SECONDS) * 1000)
            others.append(usage.others_share)
    what = f"ack at {PER_S}/s for {SECONDS} s, 0 s model"
    return [
        Row(f"{what}: p50", spread(_percentiles(rounds, 50)) + " ms"),
        Row(f"{what}: p99", spread(_percentiles(rounds, 99)) + " ms", "≤ 50 ms"),
        Row("CPU of web for a message, its statuses included", spread(web_ms) + " ms"),
        Row("share of the machine that other programs took", spread(others, "{:.0%}")),
        *(Row("WARNING", warning) for warning in sorted(set(map(lag_warning, rounds)) - {""})),
    ]


def _round(here: Stage, number: int) -> list[Answer]:
    answers = asyncio.run(send_by_the_clock(here.webhooks(number, senders=SENDERS), PER_S))
    require_accepted(answers)
    here.wait_until_settled()
    return answers


def _percentiles(rounds: list[list[Answer]], percent: float) -> list[float]:
    """In milliseconds."""
    return [percentile([answer.took_s for answer in answers], percent) * 1000 for answers in rounds]
