"""What the processes use: CPU by program, and the share of the machine that others took meanwhile."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil

from bench.stage import Stage
from tests.system import Name
from zupa_site import embedded_postgres

PROGRAMS: tuple[Name, ...] = ("web", "worker", "simulator")


@dataclass(slots=True)
class Usage:
    """Filled in when the block of `measured` ends."""

    seconds: float = 0.0
    cpu_s: Mapping[str, float] = field(default_factory=dict)
    others_share: float = 0.0

    @property
    def ours(self) -> float:
        """CPU seconds of Zupa with its database, without the simulator and the generator."""
        return sum(self.cpu_s[name] for name in ("web", "worker", "postgres"))


@contextmanager
def measured(stage: Stage) -> Iterator[Usage]:
    """The programs must live through the block."""
    usage = Usage()
    started, before, busy_before = time.perf_counter(), _cpu_s(stage), busy_s()
    yield usage
    usage.seconds = time.perf_counter() - started
    usage.cpu_s = {name: used - before[name] for name, used in _cpu_s(stage).items()}
    foreign_s = busy_s() - busy_before - sum(usage.cpu_s.values())
    usage.others_share = max(0.0, foreign_s / (usage.seconds * (os.cpu_count() or 1)))


def executors(stage: Stage) -> list[psutil.Process]:
    """The worker processes that run turns."""
    rows = stage.system.rows("SELECT pid FROM pipeline_worker WHERE kind = 'executor'")
    return [psutil.Process(row["pid"]) for row in rows if psutil.pid_exists(row["pid"])]


def _cpu_s(stage: Stage) -> dict[str, float]:
    postmaster = psutil.Process(embedded_postgres.server_pid(stage.system.home))
    trees = {name: stage.system.processes(name) for name in PROGRAMS}
    used: dict[str, float] = {name: sum(map(process_cpu_s, tree)) for name, tree in trees.items()}
    used["postgres"] = sum(map(process_cpu_s, [postmaster, *postmaster.children(recursive=True)]))
    return used | {"bench": process_cpu_s(psutil.Process())}


def process_cpu_s(process: psutil.Process) -> float:
    """With what its ended children used."""
    try:
        return sum(process.cpu_times()[:4])
    except psutil.NoSuchProcess:
        return 0.0


def busy_s() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0))
