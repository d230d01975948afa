"""A storm of five times the target on a channel that pushes back: what is refused, what is kept, how it ends."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass

import psycopg

from bench.load import Answer, lag_warning, send_by_the_clock
from bench.reckoning import Reckoning, reckon
from bench.samples import Samples, sampled
from bench.stage import Stage, stage
from bench.table import Row, percentile
from bench.target import MODEL_S, took_s, warm_up, webhooks
from bench.usage import Usage, measured

TIMES = 5
PARTS_S = {"calm": 20, "storm": 20, "after": 30}
AGE_S = 1
"""How much longer than its model takes an answer may take: from both, the tenant's limit."""
NORMAL_S = 1.0
"""An oldest waiting age that nobody notices."""

PUSH_BACK = """
UPDATE conversations_channel SET overload_policy = 'push_back';
"""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """`ended`: when the last webhook of it was answered."""

    per_s: float
    began: float
    ended: float
    texts: list[str]
    answers: list[Answer]

    def accepted(self) -> list[str]:
        return [text for text, each in zip(self.texts, self.answers, strict=True) if each.status == 200]

    def refused(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status == 429]

    def took_ms(self, status: int, percent: float) -> float:
        took = [answer.took_s for answer in self.answers if answer.status == status]
        return percentile(took, percent) * 1000 if took else float("nan")


def measure(*, per_s: float = 25.0) -> list[Row]:
    max_waiting = round(per_s * (MODEL_S + AGE_S))
    with stage() as here:
        warm_up(here, per_s)
        _push_back(here, max_waiting)
        began = time.time()
        with sampled(here) as samples, measured(here) as usage:
            parts = {name: _part(here, name, per_s) for name in PARTS_S}
            here.wait_until_settled()
        accepted = [text for part in parts.values() for text in part.accepted()]
        reckoning = reckon(here, accepted, since=began)
    title = f"{per_s:g}/s, then {TIMES} times that for {PARTS_S['storm']} s, then {per_s:g}/s; {MODEL_S:g} s model"
    return [
        Row(title, f"push_back from {max_waiting} waiting"),
        *_refusal_rows(parts),
        *_latency_rows(parts, reckoning),
        *_age_rows(parts, samples),
        Row("lost, doubled", f"{reckoning.lost}, {reckoning.doubled}", "0, 0"),
        *_cost_rows(usage, len(accepted)),
        *(Row("WARNING", warning) for warning in filter(None, map(_lag, parts.values()))),
    ]


def _push_back(here: Stage, max_waiting: int) -> None:
    with psycopg.connect(here.system.database_url) as connection:
        connection.execute(PUSH_BACK)
        connection.execute("UPDATE conversations_tenant SET max_waiting = %s", [max_waiting])


def _part(here: Stage, name: str, per_s: float) -> Part:
    per_s *= TIMES if name == "storm" else 1
    texts = [f"Hello, {name} no. {number}." for number in range(round(per_s * PARTS_S[name]))]
    posts = webhooks(here, texts, per_s)
    began = time.time()
    answers = asyncio.run(send_by_the_clock(posts, per_s))
    unexpected = Counter(answer.status for answer in answers if answer.status not in (200, 429))
    if unexpected:
        raise RuntimeError(f"Webhooks were answered with {dict(unexpected)}.")
    return Part(per_s, began, time.time(), texts, answers)


def _refusal_rows(parts: dict[str, Part]) -> list[Row]:
    storm = parts["storm"]
    refused = ", ".join(
        f"{name} {len(part.refused())} of {len(part.answers)}" for name, part in parts.items()
    )
    return [
        Row("refused with 429", refused),
        Row("429 answer: p50", f"{storm.took_ms(429, 50):.1f} ms"),
        Row("429 answer: p99", f"{storm.took_ms(429, 99):.1f} ms", "< 100 ms"),
        Row(
            "200 answer: p99, calm and storm",
            f"{parts['calm'].took_ms(200, 99):.1f} ms, {storm.took_ms(200, 99):.1f} ms",
        ),
    ]


def _latency_rows(parts: dict[str, Part], reckoning: Reckoning) -> list[Row]:
    calm, storm = (took_s(parts[name].texts, parts[name].answers, reckoning) for name in ("calm", "storm"))
    return [
        Row(
            f"webhook to acceptance, calm and storm: p{percent}",
            f"{percentile(calm, percent):.2f} s, {percentile(storm, percent):.2f} s: "
            f"ratio {percentile(storm, percent) / percentile(calm, percent):.2f}",
        )
        for percent in (50, 95)
    ]


def _age_rows(parts: dict[str, Part], samples: Samples) -> list[Row]:
    calm, storm, after = parts["calm"], parts["storm"], parts["after"]
    ages = {
        part: Samples(sample for sample in samples if part.began <= sample.at <= part.ended).p95_waiting_s()
        for part in (calm, storm)
    }
    normal_s = max(NORMAL_S, ages[calm])
    late = [sample.at for sample in samples.after(after.began) if sample.oldest_waiting_s > normal_s]
    return [
        Row(
            "age of the oldest that no turn has yet: p95, calm and storm",
            f"{ages[calm]:.2f} s, {ages[storm]:.2f} s",
        ),
        Row(
            f"until it is below {normal_s:.1f} s for good after the storm",
            f"{_since(after.began, late):.1f} s",
            "≤ 60 s",
        ),
    ]


def _since(began: float, late: list[float]) -> float:
    return max(late) - began if late else 0.0


def _cost_rows(usage: Usage, turns: int) -> list[Row]:
    web_s = usage.cpu_s["web"]
    return [
        Row("accepted a second, over all", f"{turns / usage.seconds:.1f}"),
        Row("CPU of web over all", f"{web_s:.1f} s in {usage.seconds:.0f} s"),
        Row("share of the machine that other programs took", f"{usage.others_share:.0%}"),
    ]


def _lag(part: Part) -> str:
    return lag_warning(part.answers)
