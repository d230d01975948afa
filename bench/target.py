"""The load Zupa is made for, for minutes: does the queue stay young, and is every message answered once?"""

import asyncio
import time
from collections.abc import Sequence

from bench.load import Answer, lag_warning, require_accepted, send_by_the_clock
from bench.reckoning import Reckoning, reckon
from bench.samples import Samples, sampled
from bench.stage import WORKERS, Stage, Webhook, stage
from bench.table import Row, milliseconds, percentile
from bench.usage import Usage, measured

MODEL_S = 2.0
EACH_WRITES_EVERY_S = 20
"""Far below the limit of a contact, and after its last answer."""
WARM_UP_S = 5
RISE_S = 5
"""Left out of the slopes: the time until as many are in flight as the load needs."""


def measure(*, minutes: float = 1.0, per_s: float = 25.0) -> list[Row]:
    with stage() as here:
        warm_up(here, per_s)
        began, seconds = time.time(), round(minutes * 60)
        with sampled(here) as samples, measured(here) as usage:
            texts, answers = run(here, seconds, per_s)
        reckoning = reckon(here, texts, since=began)
    what = (
        f"{per_s:g}/s for {minutes:g} min, {MODEL_S:g} s model, {WORKERS} worker processes, no burst window"
    )
    steady = Samples(sample for sample in samples if began + RISE_S <= sample.at <= began + seconds)
    return [
        Row(what, f"{len(texts)} messages"),
        *_queue_rows(steady),
        *_answer_rows(texts, answers, reckoning),
        *_cost_rows(usage, len(texts)),
        *(Row("WARNING", warning) for warning in filter(None, [lag_warning(answers)])),
    ]


def warm_up(here: Stage, per_s: float) -> None:
    here.set_model_latency(MODEL_S)
    run(here, WARM_UP_S, per_s)
    here.simulator("POST", "reset")
    here.set_model_latency(MODEL_S)


def run(here: Stage, seconds: int, per_s: float) -> tuple[list[str], list[Answer]]:
    """What was written and how it was received, once all of it is answered."""
    texts = [f"Hello no. {seconds}-{number}." for number in range(round(seconds * per_s))]
    answers = asyncio.run(send_by_the_clock(webhooks(here, texts, per_s), per_s))
    require_accepted(answers)
    here.wait_until_settled()
    return texts, answers


def webhooks(here: Stage, texts: list[str], per_s: float) -> list[Webhook]:
    senders = round(per_s * EACH_WRITES_EVERY_S)
    return [here.webhook(f"5531{n % senders:09}", text) for n, text in enumerate(texts)]


def took_s(texts: Sequence[str], answers: Sequence[Answer], reckoning: Reckoning) -> list[float]:
    """From the webhook to the platform that took the answer, for each message that was accepted."""
    return [
        reckoning.at[text] - answer.sent_at
        for text, answer in zip(texts, answers, strict=True)
        if answer.status == 200
    ]


def _queue_rows(samples: Samples) -> list[Row]:
    waiting_s = [sample.oldest_waiting_s for sample in samples]
    number = [float(sample.open) for sample in samples]
    return [
        Row("age of the oldest that no turn has yet: p95", f"{samples.p95_waiting_s():.2f} s", "< 3 s"),
        Row("age of the oldest without an outcome: p95", f"{samples.p95_open_s():.2f} s"),
        Row("growth of the oldest waiting age", f"{samples.growth(waiting_s):+.3f} s a minute", "0"),
        Row("growth of the number without an outcome", f"{samples.growth(number):+.1f} a minute", "0"),
        Row("without an outcome: median, most", f"{percentile(number, 50):.0f}, {max(number):.0f}"),
    ]


def _answer_rows(texts: list[str], answers: list[Answer], reckoning: Reckoning) -> list[Row]:
    took = took_s(texts, answers, reckoning)
    return [
        Row("lost", str(reckoning.lost), "0"),
        Row("doubled", str(reckoning.doubled), "0"),
        Row(
            "webhook to acceptance, the model's 2 s included: p50, p99",
            f"{percentile(took, 50):.2f} s, {percentile(took, 99):.2f} s",
        ),
        Row("ack: p99", milliseconds(percentile([answer.took_s for answer in answers], 99))),
    ]


def _cost_rows(usage: Usage, turns: int) -> list[Row]:
    cpu = ", ".join(f"{name} {used / turns * 1000:.1f}" for name, used in usage.cpu_s.items())
    return [
        Row("CPU ms a turn", cpu),
        Row("share of the machine that other programs took", f"{usage.others_share:.0%}"),
    ]
