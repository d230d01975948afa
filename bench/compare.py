"""Zupa and others side by side: the same turn, the same simulated model, the same PostgreSQL, in turns."""

import os
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import psutil
import psycopg

from bench.contenders import Contender, Zupa, rivals
from bench.rivals.effects import PROMPT
from bench.stage import Stage, stage
from bench.table import Row, percentile, spread
from bench.usage import busy_s, process_cpu_s
from zupa_site import embedded_postgres

ROUNDS = 3
WARM_UP = 20
WITHIN_S = 180.0
POLL_S = 0.05
NEEDED = ("langgraph", "dbos")

SAME_PROMPT = "UPDATE conversations_agent SET prompt_template = %s, allowed_tools = '[\"order_status\"]'"


@dataclass(frozen=True, slots=True)
class Case:
    """`few`: messages for who answers one at a time in each process."""

    model_s: float
    messages: int
    few: int


CASES = (Case(0.0, 1500, 1500), Case(2.0, 400, 8))


@dataclass(frozen=True, slots=True)
class Run:
    """Of one contender and case; CPU in ms a turn."""

    turns_per_s: float
    program_ms: float
    postgres_ms: float
    busy_share: float

    @property
    def cpu_ms(self) -> float:
        return self.program_ms + self.postgres_ms


Runs = dict[tuple[str, Case], list[Run]]


def measure() -> list[Row]:
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        return [Row("left out", f"not installed: {', '.join(missing)} (docs/performance.md says how)")]
    runs: Runs = defaultdict(list)
    with stage() as here:
        contenders = _contenders(here)
        for _ in range(ROUNDS):
            for contender in contenders:
                _round(here, contender, runs)
    return [row for case in CASES for row in _rows(case, [each.name for each in contenders], runs)]


def _contenders(here: Stage) -> list[Contender]:
    here.simulator("POST", "settings", {"statuses": "off"})
    here.simulator("POST", "channels", {"channels": [here.channel]})  # without a token: any bearer is let in
    here.system.stop("worker")
    with psycopg.connect(here.system.database_url) as connection:
        connection.execute(SAME_PROMPT, [PROMPT])
    return [Zupa(here), *rivals(here)]


def _round(here: Stage, contender: Contender, runs: Runs) -> None:
    contender.start()
    try:
        here.set_model_latency(0)
        _drain(contender, WARM_UP)
        for case in CASES:
            runs[contender.name, case].append(_run(here, contender, case))
    finally:
        contender.stop()


def _run(here: Stage, contender: Contender, case: Case) -> Run:
    number = case.messages if contender.holds_many else case.few
    here.simulator("POST", "reset")
    here.set_model_latency(case.model_s)
    used = _drain(contender, number)
    reached = {message["to"] for message in here.accepted()}
    if len(here.accepted()) != number or len(reached) != number:
        raise RuntimeError(
            f"{contender.name} sent {len(here.accepted())} replies to {len(reached)} of {number}."
        )
    return used


def _drain(contender: Contender, number: int) -> Run:
    """The clock starts when the backlog may be taken and ends with the last answer."""
    with contender.counting() as done:
        before = done()
        contender.lay_in(number)
        started, cpu, busy = time.perf_counter(), _cpu_s(contender), busy_s()
        while done() < before + number:
            if time.perf_counter() - started > WITHIN_S:
                raise TimeoutError(f"{contender.name}: {done() - before} of {number} in {WITHIN_S:g} s.")
            time.sleep(POLL_S)
        seconds, busy = time.perf_counter() - started, busy_s() - busy
    program_s, postgres_s = (after - then for after, then in zip(_cpu_s(contender), cpu, strict=True))
    return Run(
        turns_per_s=number / seconds,
        program_ms=program_s / number * 1000,
        postgres_ms=postgres_s / number * 1000,
        busy_share=busy / seconds / (os.cpu_count() or 1),
    )


def _cpu_s(contender: Contender) -> tuple[float, float]:
    """Of the contender's processes, and of PostgreSQL."""
    postmaster = psutil.Process(embedded_postgres.server_pid(contender.here.system.home))
    server = [postmaster, *postmaster.children(recursive=True)]
    return sum(map(process_cpu_s, contender.processes())), sum(map(process_cpu_s, server))


def _rows(case: Case, names: Sequence[str], runs: Runs) -> list[Row]:
    what = f"{case.model_s:g} s model"
    zupa = runs[names[0], case]
    rows = [_own_row(f"{what}: {name}", runs[name, case]) for name in names]
    for name in names[1:]:
        other = runs[name, case]
        speed = [ours.turns_per_s / theirs.turns_per_s for ours, theirs in zip(zupa, other, strict=True)]
        cpu = [ours.cpu_ms / theirs.cpu_ms for ours, theirs in zip(zupa, other, strict=True)]
        figure = f"turns/s {spread(speed, '{:.2f}')}, CPU a turn {spread(cpu, '{:.2f}')}"
        rows.append(Row(f"{what}: Zupa / {name}", figure, "turns/s ≥ 2, CPU ≤ 0.5"))
    return rows


def _own_row(what: str, runs: Sequence[Run]) -> Row:
    turns = spread([run.turns_per_s for run in runs])
    program, postgres, busy = (
        percentile(values, 50)
        for values in zip(*((run.program_ms, run.postgres_ms, run.busy_share) for run in runs), strict=True)
    )
    return Row(
        what,
        f"{turns} turns/s; CPU ms a turn {program:.1f}, PostgreSQL {postgres:.1f}; machine busy {busy:.0%}",
    )
