"""What a turn asks of the database, and whether a long past makes it dearer: two systems side by side, in turns."""

import asyncio
import random
from contextlib import ExitStack
from dataclasses import dataclass, field

from bench import history
from bench.load import send_backlog
from bench.stage import Stage, Webhook, stage
from bench.statements import Tally, counted
from bench.table import Row, percentile, spread
from bench.usage import Usage, measured

PASTS = (1_000, 1_000_000)
ROUNDS = 5
TURNS = 250
BLOCKS = 5
"""Of the past's conversations, those that write again: in the small past all of them."""


@dataclass(slots=True)
class Side:
    """One past, and what each round found there."""

    here: Stage
    conversations: int
    usages: list[Usage] = field(default_factory=list)
    received: Tally = field(default_factory=Tally)
    answered: Tally = field(default_factory=Tally)


def measure() -> list[Row]:
    with ExitStack() as stack:
        sides = [_side(stack.enter_context(stage()), events) for events in PASTS]
        for side in sides:
            _count(side)
        for _ in range(ROUNDS):
            for side in sides:
                _round(side)
    small, large = sides
    return [*_query_rows(small, large), *_time_rows(small, large)]


def _side(here: Stage, events: int) -> Side:
    here.simulator("POST", "settings", {"statuses": "off"})
    side = Side(here, history.fill(here, events))
    _receive(side)
    _answer(side)
    return side


def _receive(side: Side) -> None:
    side.here.system.stop("worker")
    asyncio.run(send_backlog(_webhooks(side)))


def _answer(side: Side) -> None:
    side.here.system.start("worker")
    side.here.wait_until_settled()


def _webhooks(side: Side) -> list[Webhook]:
    blocks = side.conversations // history.CONVERSATIONS
    chosen = random.sample(range(blocks), BLOCKS)
    senders = [
        history.address(block * history.CONVERSATIONS + place + 1)
        for block in chosen
        for place in range(history.CONVERSATIONS)
    ]
    return [side.here.webhook(senders[n % len(senders)], "Hello") for n in range(TURNS)]


def _count(side: Side) -> None:
    """First what comes in while the worker rests, then what the worker does: so neither is taken for the other."""
    side.here.system.stop("worker")
    webhooks = _webhooks(side)
    with counted(side.here) as side.received:
        asyncio.run(send_backlog(webhooks))
    with counted(side.here) as side.answered:
        _answer(side)


def _round(side: Side) -> None:
    _receive(side)
    side.here.system.start("worker")
    with measured(side.here) as usage:
        side.here.wait_until_settled()
    side.usages.append(usage)


def _query_rows(small: Side, large: Side) -> list[Row]:
    rows = []
    for what, program, tallies in (
        ("webhook", "web", (small.received, large.received)),
        ("turn, its share of sweeps and heartbeats included", "worker", (small.answered, large.answered)),
    ):
        numbers = [tally.number(program) / TURNS for tally in tallies]
        transactions = [tally.transactions(program) / TURNS for tally in tallies]
        server_ms = [tally.server_ms(program) / TURNS for tally in tallies]
        rows += [
            Row(f"statements a {what}", _both("{:.1f}", *numbers), "≤ 1.2"),
            Row("  of these transactions", _both("{:.1f}", *transactions)),
            Row("  PostgreSQL's own time, ms", _both("{:.2f}", *server_ms)),
        ]
    return rows


def _time_rows(small: Side, large: Side) -> list[Row]:
    seconds = [[usage.seconds / TURNS * 1000 for usage in side.usages] for side in (small, large)]
    cpu = [[usage.ours / TURNS * 1000 for usage in side.usages] for side in (small, large)]
    others = [usage.others_share for side in (small, large) for usage in side.usages]
    return [
        Row("ms a turn, draining", _compared(seconds), "≤ 1.2"),
        Row("CPU ms a turn, database included", _compared(cpu), "≤ 1.2"),
        Row("share of the machine that other programs took", spread(others, "{:.0%}")),
    ]


def _compared(rounds: list[list[float]]) -> str:
    """Medians, and the median of the rounds' ratios: neighbours in time share the weather."""
    medians = [percentile(values, 50) for values in rounds]
    ratios = [large / small for small, large in zip(*rounds, strict=True)]
    return _both("{:.1f}", medians[0], medians[1], percentile(ratios, 50))


def _both(form: str, small: float, large: float, ratio: float | None = None) -> str:
    few, many = (f"{events:,}".replace(",", " ") for events in PASTS)
    return (
        f"{form.format(small)} with {few} past events, {form.format(large)} with {many}: "
        f"ratio {large / small if ratio is None else ratio:.2f}"
    )
