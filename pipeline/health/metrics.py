"""The figures in Prometheus' text format."""

from collections import Counter
from collections.abc import Iterator, Mapping

from pipeline.health.figures import Figures
from pipeline.models import BreakerState, Outcome, SwitchStatus, WorkerKind

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def render(figures: Figures) -> str:
    return "".join(line for block in _gauges(figures) for line in block)


def _gauges(figures: Figures) -> Iterator[Iterator[str]]:
    queue, outbox = figures.queue, figures.outbox
    if queue:
        age_s = queue.oldest_age(figures.now).total_seconds()
        yield _gauge("zupa_queue_pending", "Events without an outcome.", {"": queue.pending})
        yield _gauge(
            "zupa_queue_oldest_age_seconds", "Age of the oldest event without an outcome.", {"": age_s}
        )
        yield _gauge(
            "zupa_conversations_in_flight", "Conversations leased by a worker.", {"": queue.in_flight}
        )
    yield _gauge("zupa_turns_open", "Turns that run.", {"": figures.open_turns or 0})
    if outbox:
        states = {"queued": outbox.queued, "sending": outbox.sending, "unknown": outbox.unknown}
        yield _gauge("zupa_outbox_messages", "Outbound messages not settled.", states, label="state")
        yield _gauge(
            "zupa_sends_failed_24h", "Messages written in 24 hours that failed.", {"": outbox.failed}
        )
    outcomes = {outcome.value: (figures.outcomes or {}).get(outcome.value, 0) for outcome in Outcome}
    yield _gauge(
        "zupa_outcomes_today", "Outcomes of events received since midnight.", outcomes, label="outcome"
    )
    yield from _obstacles(figures)
    yield _gauge("zupa_workers_alive", "Processes seen within 15 s.", _workers(figures), label="kind")


def _obstacles(figures: Figures) -> Iterator[Iterator[str]]:
    closed = {breaker.name: int(breaker.state != BreakerState.CLOSED) for breaker in figures.breakers or ()}
    paused = {channel.slug: channel.waiting for channel in figures.paused_channels or ()}
    left_behind = sum(worker.left_behind for worker in figures.workers or ())
    for status in (SwitchStatus.ACTIVE, SwitchStatus.PENDING):
        counted = Counter(switch.capability for switch in figures.switches or () if switch.status == status)
        told = f"Switches that are {status.value}."
        yield _gauge(f"zupa_switches_{status.value}", told, dict(counted), label="capability")
    yield _gauge("zupa_breaker_open", "1 while the breaker is not closed.", closed, label="breaker")
    yield _gauge(
        "zupa_channel_paused_messages", "Messages that wait for a paused channel.", paused, label="channel"
    )
    if figures.outbox:
        yield _gauge("zupa_sends_held", "Unknown sends that wait for a person.", {"": figures.outbox.held})
    if reviews := figures.reviews:
        overdue_s = reviews.overdue(figures.now).total_seconds()
        yield _gauge("zupa_reviews_open", "Items that wait for a person.", {"": reviews.open})
        yield _gauge("zupa_reviews_overdue_seconds", "For how long the oldest has been due.", {"": overdue_s})
    yield _gauge("zupa_tools_left_behind", "Tools that run past their deadline.", {"": left_behind})
    if run := figures.housekeeping:
        age_s = (figures.now - run.started_at).total_seconds()
        yield _gauge("zupa_housekeeping_age_seconds", "Time since housekeeping last began.", {"": age_s})
        yield _gauge("zupa_housekeeping_failed", "1 if its last run failed.", {"": int(bool(run.error))})


def _workers(figures: Figures) -> dict[str, float]:
    return {kind.value: sum(worker.kind == kind for worker in figures.workers or ()) for kind in WorkerKind}


def _gauge(name: str, help_text: str, values: Mapping[str, float], label: str = "") -> Iterator[str]:
    yield f"# HELP {name} {help_text}\n# TYPE {name} gauge\n"
    for key, value in values.items():
        labels = f'{{{label}="{_escaped(key)}"}}' if label else ""
        yield f"{name}{labels} {round(value, 3)}\n"


def _escaped(label: str) -> str:
    return label.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
