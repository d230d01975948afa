"""Turns a second: a backlog is laid in while the worker rests, then drained by two worker processes."""

import asyncio
from dataclasses import dataclass, field

from bench.load import send_backlog
from bench.stage import WORKERS, Stage, stage
from bench.table import Row, percentile, spread
from bench.usage import Usage, executors, measured

ROUNDS = 3
TOOL_CALL = '#tool order_status {"order_id": "1"}'
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    model_s: float
    text: str
    messages: int
    senders: int


CASES = (
    Case("0 s model", 0.0, "Hello", 500, 250),
    Case("2 s model, called twice, and one tool", 2.0, TOOL_CALL, 600, 600),
)


@dataclass(slots=True)
class Drain:
    """Of one round; memory is each executor's, in MiB, when the most was in flight."""

    turns: int
    usage: Usage = field(default_factory=Usage)
    most_in_flight: int = 0
    rss: list[float] = field(default_factory=list)
    pss: list[float] = field(default_factory=list)

    @property
    def turns_per_s(self) -> float:
        return self.turns / self.usage.seconds

    def cpu_ms(self, program: str) -> float:
        return self.usage.cpu_s[program] / self.turns * 1000


def measure() -> list[Row]:
    rows: list[Row] = []
    for case in CASES:
        with stage() as here:
            rows += _rows(case, [drain(here, case) for _ in range(ROUNDS)])
    return rows


def drain(here: Stage, case: Case) -> Drain:
    here.set_model_latency(0)
    here.system.stop("worker")
    asyncio.run(send_backlog(here.webhooks(case.messages, senders=case.senders, text=case.text)))
    here.set_model_latency(case.model_s)
    here.system.start("worker")
    drained = Drain(turns=case.messages)
    with measured(here) as drained.usage:
        here.wait_until_settled(lambda: _look(here, drained))
    return drained


def _look(here: Stage, drained: Drain) -> None:
    running = here.system.rows("SELECT count(*) AS number FROM pipeline_turn WHERE status = 'running'")
    in_flight = int(running[0]["number"])
    if in_flight > drained.most_in_flight:
        memory = [process.memory_full_info() for process in executors(here)]
        drained.most_in_flight = in_flight
        drained.rss = [each.rss / MIB for each in memory]
        drained.pss = [each.pss / MIB for each in memory]


def _rows(case: Case, drains: list[Drain]) -> list[Row]:
    usual = {
        name: percentile([each.cpu_ms(name) for each in drains], 50)
        for name in ("worker", "postgres", "web", "simulator")
    }
    rows = [
        Row(
            f"{case.name}: turns/s, {WORKERS} worker processes", spread([each.turns_per_s for each in drains])
        ),
        Row(f"{case.name}: CPU ms a turn", ", ".join(f"{name} {ms:.1f}" for name, ms in usual.items())),
        Row(f"{case.name}: share of others", spread([each.usage.others_share for each in drains], "{:.0%}")),
    ]
    return rows + (_load_rows(case, drains) if case.model_s else [])


def _load_rows(case: Case, drains: list[Drain]) -> list[Row]:
    rss = max(value for each in drains for value in each.rss)
    pss = max(value for each in drains for value in each.pss)
    return [
        Row(f"{case.name}: most in flight", f"{max(each.most_in_flight for each in drains)}", "200"),
        Row(f"{case.name}: memory of a worker process, RSS", f"{rss:.0f} MiB", "≤ 250 MB"),
        Row(f"{case.name}: memory of a worker process, PSS", f"{pss:.0f} MiB"),
    ]
